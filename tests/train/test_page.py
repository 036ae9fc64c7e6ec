"""docs/training.md holds: its settings are read, its Python runs, and its commands do what it says."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
import yaml
from tests.helpers.tiny_ret import WORDS, save_tiny_checkpoint
from typer.main import get_command

from plait.cli.main import app
from plait.train.config import EvaluationConfig, ObjectiveConfig, TrainConfig, TrainerConfig
from plait.train.settings_file import read_settings, to_plain

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "training.md").read_text()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Stand in a folder with the model, the rows and the settings that the page speaks of."""
    monkeypatch.chdir(tmp_path)
    save_tiny_checkpoint(tmp_path / "my-ret")
    rows = [
        {"query": f"{one} {other}", "positive": f"the {one} of {other}", "label": f"{one} {other}"}
        for one in WORDS[2:10]
        for other in WORDS[9:13]
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (settings,) = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
    (tmp_path / "run.yaml").write_text(settings)
    return tmp_path


def test_the_pages_python_runs_and_prints_what_it_says(folder, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    exec(compile(code, "training.md", "exec"), {})
    promised = re.findall(r"print\(.*\)  # (.*)", code)
    assert capsys.readouterr().out.splitlines() == promised


def commands():
    text = "\n".join(re.findall(r"```text\n(.*?)```", TEXT, flags=re.DOTALL))
    return [line.partition("#")[0].split() for line in text.splitlines() if "plait train" in line]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_pages_commands_are_understood(words, folder, monkeypatch):
    """As they stand: the options are parsed, and the settings read; other tests train."""
    arguments = words[words.index("train") + 1 :]
    if arguments[0].startswith("recipes/"):
        monkeypatch.chdir(ROOT)
    command = get_command(app).commands["train"]
    given = command.make_context("train", list(arguments)).params
    if given["from_library"] is not None:
        assert given["output"] is not None
        return
    assert read_settings(TrainConfig, given["config"], changes=given["changes"] or ()).data


def test_every_setting_that_the_page_names_exists(folder):
    plain = to_plain(read_settings(TrainConfig, folder / "run.yaml"))
    every = set(re.findall(r"(\w+):", yaml.safe_dump(plain)))
    sections = TEXT[TEXT.index("## What can be set") : TEXT.index("## Going on")]
    rows = re.findall(r"^\| (`[^|]*) \|", sections, flags=re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert len(named) > 25
    assert named - every == set()


def test_every_setting_of_the_trainer_is_on_the_page():
    unnamed = {"adam_beta1", "adam_beta2", "at_start", "least_gain", "measures", "batch_size"}
    for kind in (ObjectiveConfig, TrainerConfig, EvaluationConfig):
        names = {field.name for field in dataclasses.fields(kind)} - unnamed
        assert [name for name in names if f"`{name}`" not in TEXT] == []
