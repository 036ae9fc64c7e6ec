"""`plait train --from-library DIR --rows FOLDER` as a person meets it, down to what it says to run next."""

from __future__ import annotations

import json
import re
import sys

import pytest
from PIL import Image
from tests.helpers.tiny_encoder import TinyEncoder
from tests.train.runs import ROOT, plait
from tests.train.self_supervised.sections import SENTENCES
from typer.main import get_command

from plait import Library
from plait.cli import train as cli
from plait.cli.main import app, run
from plait.train.config import TrainConfig
from plait.train.self_supervised.dividing import HELD_OUT, TRAINING
from plait.train.self_supervised.questions import KINDS
from plait.train.settings_file import read_settings


@pytest.fixture
def library(tmp_path):
    """Return the folder of a library of six illustrated pages; their pictures are in the library alone."""
    for number in range(6):
        Image.linear_gradient("L").rotate(60 * number).resize((120, 90)).save(tmp_path / f"part{number}.png")
        text = " ".join(f"{words[:-1]} of type {number}." for words in SENTENCES)
        (tmp_path / f"page{number}.md").write_text(
            f"# Page {number}\n\n{text}\n\n![the part of type {number}](part{number}.png)\n\n"
            f"## More of it\n\n{text.replace('type', 'kind')}\n"
        )
    with Library(tmp_path, encoder=TinyEncoder()) as opened:
        opened.add([tmp_path / f"page{number}.md" for number in range(6)])
    for number in range(6):
        (tmp_path / f"part{number}.png").unlink()
    return tmp_path


def test_rows_are_written_and_the_next_command_accepts_them(library, tmp_path):
    done = plait("train", "--from-library", library, "--rows", "my rows", "--seed", "7", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "of 12 sections of 6 documents" in done.stdout
    assert "held out" in done.stdout
    assert done.stderr.splitlines()[-1] == "plait: next: plait train 'my rows/train.yaml'"
    assert list((tmp_path / "my rows" / "pictures").glob("*-0.jpg"))
    assert not list((tmp_path / "my rows").glob("*.partial"))
    checked = plait("train", "my rows/train.yaml", "--check", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    for wanted in ("sentence:", "figure:", "removed:", "0 left out", "validation_macro_mrr@10", "held out: "):
        assert wanted in checked.stdout


def test_the_report_is_given_as_json(library, monkeypatch, capsys):
    given = ["--from-library", str(library), "--rows", str(library / "rows"), "--json"]
    monkeypatch.setattr(sys, "argv", ["plait", "train", *given])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 0
    report = json.loads(capsys.readouterr().out)
    assert report["settings"] == str(library / "rows" / "train.yaml")
    assert report["training"]["sentence"] > report["held_out"]["sentence"] > 0
    assert (report["documents"], report["missing"]) == (6, 0)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run.yaml", "--rows", "rows"], 2, "--rows and --seed go with --from-library"),
        (["run.yaml", "--seed", "0"], 2, "of a file, --set trainer.seed=1"),
        (["--from-library", ".", "--rows", "rows", "--output", "model"], 2, "give one of them"),
        (["--from-library", ".", "--rows", "rows"], 3, "no library at"),
        (["--from-library", "empty", "--rows", "rows"], 2, "there are no documents to make rows of"),
        (["--from-library", "short", "--rows", "rows"], 2, "none of 1 sections can be asked about"),
        (["--from-library", "short", "--rows", "short"], 2, "is in use: give a folder that is absent"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_an_exit_code(
    tmp_path, monkeypatch, capsys, arguments, code, said
):
    for name in ("empty", "short"):
        (tmp_path / name).mkdir()
        (tmp_path / "short.md").write_text("# Short\n\nToo short.\n")
        with Library(tmp_path / name, encoder=TinyEncoder()) as opened:
            opened.add([tmp_path / "short.md"] if name == "short" else [tmp_path / name])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["plait", "train", *arguments])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == code
    errors = capsys.readouterr().err
    assert said in errors
    assert len(errors.splitlines()) == 1
    assert not (tmp_path / "rows").exists()


def test_a_long_reading_is_told_now_and_then(capsys):
    assert list(cli._told(range(2001))) == list(range(2001))
    assert capsys.readouterr().err == "plait: 1,000 sections read\nplait: 2,000 sections read\n"


def test_the_page_names_the_command_and_every_kind():
    page = (ROOT / "docs" / "training.md").read_text()
    section = page[page.index("## From the documents") : page.index("## On several GPUs")]
    assert tuple(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)) == KINDS
    (block,) = re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    first, second = (line.partition("#")[0].split() for line in block.splitlines())
    given = get_command(app).commands["train"].make_context("train", first[2:]).params
    assert given["from_library"] is not None
    assert second == ["plait", "train", f"{given['rows']}/train.yaml"]


def test_the_recipe_names_the_files_that_are_written():
    config = read_settings(TrainConfig, ROOT / "recipes" / "from-library.yaml")
    for data, part in ((config.data, TRAINING), (config.validation.data, HELD_OUT)):
        assert [(one.name, one.paths.parent.name, one.paths.name) for one in data] == [
            (kind, part, f"{kind}.jsonl") for kind in KINDS
        ]
