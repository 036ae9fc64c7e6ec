"""plait eval as a person meets it: real processes, real pictures, the default model."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.helpers.command_line import plait
from tests.helpers.small_collection import write_collection
from typer.testing import CliRunner

from plait.cli.main import app
from plait.errors import InputError, MissingPathError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two collections asked by the default model, one with a bad line, and a result."""
    folder = tmp_path_factory.mktemp("eval")
    write_collection(folder / "compare")  # also the name of a command
    with (folder / "compare" / "qrels.tsv").open("a") as qrels:
        qrels.write("t1\t0\tsink\t1\n")
    return folder


@pytest.fixture(scope="module")
def first(folder: Path) -> subprocess.CompletedProcess[str]:
    return plait(
        "eval", "./compare", "--out", "result", "--k", "3", "--measures", "success@1,mrr", cwd=folder
    )


def test_all_systems_are_printed_by_kind_and_what_was_left_out_is_said(
    folder: Path, first: subprocess.CompletedProcess[str]
) -> None:
    assert first.returncode == 1, first.stderr  # done, but a line was left out
    lines = first.stdout.splitlines()
    assert lines[0] == "compare: 4 judged queries (2 text, 1 image, 1 text+image)"
    table = lines.index(next(line for line in lines if line.startswith("image (1)")))
    assert lines[table].split() == ["image", "(1)", "success@1", "mrr"]
    assert lines[table + 1].split() == ["plait-mini", *["100", "[100,", "100]"] * 2]
    assert [line.split("  ")[0] for line in lines[table + 2 : table + 7]] == [
        "BM25",
        "text backbone",
        "image features",
        "score sum",
        "rank fusion",
    ]
    assert lines[table + 2].split() == ["BM25", "-", "-"]
    assert max(map(len, lines)) <= 100
    assert lines[-1] == f"stored in {folder / 'result'}"
    assert "judges the document 'sink'" in first.stderr
    assert "qrels.tsv:6" in first.stderr
    assert (folder / "result" / "runs" / "plait-mini.run").is_file()


def test_the_same_is_found_again_on_more_threads_and_a_change_is_named(
    folder: Path, first: subprocess.CompletedProcess[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    same = CliRunner().invoke(app, ["eval", "rerun", "result"])
    assert (same.exit_code, same.stdout.split(":")[0]) == (0, "same"), same.output
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    corpus = folder / "compare" / "corpus.jsonl"
    corpus.write_text(corpus.read_text().replace("two years", "a year"))
    changed = CliRunner().invoke(app, ["eval", "rerun", "result", "--json"])
    found = json.loads(changed.stdout)
    assert (changed.exit_code, found["same"]) == (1, False)
    assert [change.split(":")[0] for change in found["changes"]] == ["collection"]
    assert "of warranty for query" in "".join(found["differences"])


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (["nowhere"], MissingPathError, "no such folder"),
        (["compare", "nothing"], MissingPathError, "nothing"),  # the command, not the folder of that name
        (["./compare", "--strict"], InputError, "qrels.tsv:6"),
        (["./compare", "--measures", "fame"], InputError, "fame"),
        (["./compare", "--lanes", "sound"], InputError, "sound"),
        (["./compare", "--method", "magic"], InputError, "magic"),
        (["./compare", "--out", "compare"], InputError, "no result"),
        (["./compare", "--model", "no-such-model"], Exception, "no-such-model"),
        (["rerun", "compare"], MissingPathError, "no result"),
    ],
)
def test_what_cannot_be_used_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], error: type[Exception], said: str
) -> None:
    monkeypatch.chdir(folder)
    found = CliRunner().invoke(app, ["eval", *words])
    assert isinstance(found.exception, error)
    assert said in f"{found.exception} {found.output}"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ([], "COLLECTION"),
        (["./anything"], "plait eval COLLECTION [OPTIONS]"),
        (["files:x"], "plait eval COLLECTION [OPTIONS]"),
        (["ret-m2kr:x"], "plait eval m2kr:PATH [OPTIONS]"),
        (["--seed", "1", "mbeir:x"], "plait eval mbeir:PATH [OPTIONS]"),
        (["mteb:X,Y"], "plait eval mteb:TASK [OPTIONS]"),
        (["compare"], "plait eval compare"),
        (["library"], "plait eval library"),
        (["rerun"], "plait eval rerun"),
    ],
)
def test_the_kind_of_collection_names_the_command(words: list[str], shown: str) -> None:
    found = CliRunner().invoke(app, ["eval", *words, "--help"])
    assert found.exit_code == 0
    assert shown in found.output


def test_an_option_of_another_kind_of_collection_is_refused(folder: Path) -> None:
    found = CliRunner().invoke(app, ["eval", "mbeir:x", "--each-lane"])
    assert found.exit_code == 2
    assert "--each-lane" in found.output
