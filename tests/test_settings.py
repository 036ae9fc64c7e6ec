"""Settings: defaults, then a TOML file, then the environment; nothing unknown passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from plait.errors import InputError, MissingExtraError
from plait.extras import require
from plait.settings import Settings, load_settings


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('threads = 2\nmodel = "there"\n')
    settings = load_settings(file, {"PLAIT_THREADS": "3", "PLAIT_UNRELATED": "x"})
    assert settings == Settings(threads=3, model="there")


@pytest.mark.parametrize(("word", "truth"), [("yes", True), ("1", True), ("false", False), ("OFF", False)])
def test_a_switch_is_told_by_words(word: str, truth: bool) -> None:
    assert load_settings(None, {"PLAIT_URLS": word}).urls is truth


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("urls = 'perhaps'", "must be bool"),
        ("thread = 2", "unknown setting 'thread'"),
        ("threads = 'two'", "must be int"),
        ("a = [", "not valid TOML"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        load_settings(file, {})


def test_a_missing_package_names_the_pip_command() -> None:
    with pytest.raises(MissingExtraError, match="pip install no_such_package_here"):
        require("no_such_package_here")
