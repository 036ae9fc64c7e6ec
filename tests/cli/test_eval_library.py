"""plait eval library, with the shipped model, as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from tests.helpers.own_units import document
from typer.testing import CliRunner, Result

from plait import Library
from plait.cli.eval_library import library as command
from plait.data.collections.jsonl import read_jsonl
from plait.errors import InputError, NoLibraryError
from plait.evaluation.stored import load


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    with Library(folder) as library:
        library.add_documents([document(folder, number) for number in range(6)])
    return folder


def run(*words: str | Path) -> Result:
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [str(word) for word in words])


def test_one_command_prints_stores_and_writes_the_same_evaluation(folder, tmp_path):
    out, written = tmp_path / "result", tmp_path / "collection"
    options = ("--library", folder, "--questions", "1", "--kinds", "title, figure")
    said = run(*options, "--out", out, "--write", written, "--json")
    assert said.exit_code == 0, said.output
    values = json.loads(said.stdout)
    stored = load(out)
    assert [row["name"] for row in values["systems"]] == list(stored.systems)
    assert [query.kind for query in stored.queries] == ["figure", "title"]
    assert stored.model.of("figure").values["success@10"].mean == 1
    assert [query.kind for query in read_jsonl(written).queries] == ["figure", "title"]
    assert values["recommendation"]["settings"] is None
    again = run(*options)
    assert "2 questions made from 6 of 6 documents, 12 of 12 sections and pages (all)" in again.stdout
    assert "Keep the lanes, weights and method that search has" in again.stdout
    with pytest.raises(InputError, match="holds a result already"):
        raise run(*options, "--out", out).exception


def test_what_cannot_be_asked_is_said_before_the_work(folder, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("kept")
    for words, error, message in (
        (("--kinds", "song"), InputError, "unknown kind of question: song; use some of sentence, figure"),
        (("--write", tmp_path / "full"), InputError, "is there already: name an empty folder"),
        (("--out", tmp_path / "full"), InputError, "holds something that is no result"),
        (("--library", tmp_path / "none"), NoLibraryError, "no library"),
    ):
        with pytest.raises(error, match=message):
            raise run("--library", folder, *words).exception
    assert run("--questions", "0").exit_code == 2
