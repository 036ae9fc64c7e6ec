"""`plait eval mteb:...` as it is typed: what it prints, keeps and refuses."""

from __future__ import annotations

import json
import sys

import pytest
import typer
from tests.helpers.mteb_tasks import retrieval_task
from tests.helpers.tiny_ret import save_tiny_checkpoint
from typer.testing import CliRunner

from plait.cli import eval_mteb
from plait.errors import InputError

BOTH = retrieval_task(
    "it2it",
    {"1": ("red square", "red"), "2": (None, "blue")},
    {"a": ("red", None), "b": ("green", "blue"), "c": (None, "green")},
    {"1": {"a": 1}, "2": {"b": 1}},
    name="TinyBoth",
)


@pytest.fixture(scope="module")
def ret(tmp_path_factory):
    return save_tiny_checkpoint(tmp_path_factory.mktemp("models") / "ret")


@pytest.fixture
def typed(monkeypatch):
    """Return a function that types the command's words where mteb has our task; errors come through."""
    monkeypatch.setitem(sys.modules["mteb.get_tasks"]._TASKS_REGISTRY, "TinyBoth", BOTH)
    app = typer.Typer()
    app.command()(eval_mteb.mteb)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=True)


def test_it_prints_a_table_and_keeps_results(typed, ret, tmp_path):
    done = typed("mteb:TinyBoth", "--model", ret, "--device", "cpu", "--out", tmp_path / "out")
    assert (done.exit_code, done.exception) == (0, None)
    table = (tmp_path / "out" / "table.md").read_text()
    assert done.stdout == table
    assert f"| task | subset | split | measure | {ret} |" in table
    assert (tmp_path / "out" / "TinyBoth-default-test" / "report.json").is_file()
    assert list((tmp_path / "out" / "mteb" / "results" / "local__ret").glob("*/TinyBoth.json"))
    printed = typed("mteb:TinyBoth", "--model", ret, "--device", "cpu", "--json")
    told = json.loads(printed.stdout)
    assert told == json.loads((tmp_path / "out" / "scores.json").read_text())
    assert told["reading"]["TinyBoth"]["pictures"] == {"document": 2, "query": 2}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("mteb:TinyBot", "no such task: 'TinyBot' not found. Did you mean: 'TinyBoth'?"),
        ("mteb:", "name one or more"),
        ("mteb:TinyBoth,STS12", "STS12 is of the type STS"),
    ],
)
def test_what_cannot_be_run_is_refused(typed, ret, spec, said):
    failed = typed(spec, "--model", ret, "--device", "cpu").exception
    assert isinstance(failed, InputError)
    assert said in str(failed)
