"""The token is made once, is long, and is nobody else's to read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from plait.errors import LibraryError
from plait.serve.token import load_token


def test_the_token_stays_the_same_and_is_private(tmp_path: Path) -> None:
    token = load_token(tmp_path)
    assert len(token) >= 40
    assert load_token(tmp_path) == token
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_two_libraries_have_two_tokens(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert load_token(tmp_path) != load_token(tmp_path / "other")


def test_a_loose_umask_does_not_open_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_token(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_a_token_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    token = load_token(tmp_path)
    (tmp_path / "token").chmod(0o644)
    renewed = load_token(tmp_path)
    assert renewed != token
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


@pytest.mark.parametrize("planted", ["", "short\n"])
def test_a_guessable_token_is_replaced(tmp_path: Path, planted: str) -> None:
    (tmp_path / "token").write_text(planted)
    (tmp_path / "token").chmod(0o600)
    assert len(load_token(tmp_path)) >= 40


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("x" * 43)
    elsewhere.chmod(0o600)
    library = tmp_path / "library"
    library.mkdir()
    (library / "token").symlink_to(elsewhere)
    assert load_token(library) != "x" * 43
    assert elsewhere.read_text() == "x" * 43
    assert not (library / "token").is_symlink()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="cannot keep the service's token"):
        load_token(tmp_path / "nowhere")
