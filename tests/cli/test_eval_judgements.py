"""What people judged becomes a files: collection that plait eval asks, and nothing is overwritten unasked."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.helpers import command_line
from tests.serve.conftest import drawn

from plait import Library, Query
from plait.library.feedback import Feedback, Opinion, query_id


def plait(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return command_line.plait("eval", *arguments, cwd=Path.cwd())


@pytest.fixture
def manuals(tmp_path: Path) -> Path:
    """A library of two pages, one in a folder with a space in its name; each was judged once."""
    folder = tmp_path / "manuals"
    for name, words in (("boiler", "Descale the boiler every month."), ("old ones/pump", "Oil the pump.")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.md").write_text(f"# {Path(name).name}\n\n{words}\n")
    asked = {"boiler": Query.of("remove scale"), "pump": Query.of("this one?", drawn("brown"))}
    with Library(folder) as library:
        library.add([folder])
        feedback = Feedback(library.folder)
        for document in library.documents():
            query = asked[Path(document.source).stem]
            unit = f"{document.id}:0"
            opinion = Opinion("judgement", query_id(query), unit, document.id, document.source, None, 1)
            feedback.keep(query, opinion)
    return folder


def test_judgements_are_exported_and_asked(manuals: Path) -> None:
    done = plait("judgements", "--library", manuals, "--json")
    assert done.returncode == 0, done.stderr
    assert {**json.loads(done.stdout), "folder": ""} == {
        "folder": "",
        "queries": 2,
        "judgements": 2,
        "problems": [],
    }
    qrels = (manuals / "eval" / "qrels.tsv").read_text().splitlines()
    assert sorted(line.split("\t")[2:] for line in qrels) == [["boiler.md", "1"], ["old ones/pump.md", "1"]]
    asked = plait(f"files:{manuals}", "--model", "plait-mini", "--json")
    assert asked.returncode == 0, asked.stderr
    systems = json.loads(asked.stdout)["systems"]
    found = next(iter(systems.values())) if isinstance(systems, dict) else systems[0]
    kinds = {kind["kind"]: kind["values"]["mrr"]["mean"] for kind in found["kinds"]}
    assert kinds["text"] == 1.0


def test_what_was_exported_is_overwritten_only_by_force(manuals: Path) -> None:
    assert plait("judgements", manuals, "--library", manuals).returncode == 0
    (manuals / "eval" / "qrels.tsv").write_text("mine\n")
    again = plait("judgements", manuals, "--library", manuals)
    assert (again.returncode, (manuals / "eval" / "qrels.tsv").read_text()) == (2, "mine\n")
    assert "--force" in again.stderr
    assert plait("judgements", manuals, "--library", manuals, "--force").returncode == 0


def test_what_lies_elsewhere_is_named_and_nothing_judged_is_said(manuals: Path, tmp_path: Path) -> None:
    inside = plait("judgements", manuals / "old ones", "--library", manuals)
    assert inside.returncode == 0
    assert "boiler.md" in inside.stderr
    assert "1 queries with 1 judgements" in inside.stdout
    empty = tmp_path / "empty"
    empty.mkdir()
    elsewhere = plait("judgements", empty, "--library", manuals)
    assert (elsewhere.returncode, "name the folder" in elsewhere.stderr) == (2, True)
    other = tmp_path / "other"
    other.mkdir()
    with Library(other) as library:
        library.add([manuals / "boiler.md"])
    none = plait("judgements", "--library", other)
    assert (none.returncode, "Right or Wrong" in none.stderr) == (2, True)
