"""`plait mine` as a person meets it: real processes, kills, Ctrl-C, and training on what it wrote."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from itertools import islice, product

import pytest
from tests.helpers.tiny_ret import WORDS, save_tiny_checkpoint
from tests.train.runs import command, environment_of, write_run

from plait.cli.main import run

ROWS = 900  # several chunks of vectors, and some tenths of a second for each


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Stand in a folder with a model, many rows, and settings."""
    monkeypatch.chdir(tmp_path)
    save_tiny_checkpoint(tmp_path / "model")
    with (tmp_path / "rows.jsonl").open("w") as file:
        for k, words in enumerate(islice(product(WORDS, repeat=3), ROWS)):
            text = " ".join(words)
            row = {"query": f"{text} {WORDS[k % 5]}", "positive": text, "negatives": [f"left {text}"]}
            file.write(json.dumps(row) + "\n")
    (tmp_path / "run.yaml").write_text(
        "model: {start: model}\ndata: [{format: jsonl, paths: rows.jsonl}]\noutput: {folder: run}\n"
    )
    return tmp_path


@pytest.fixture
def plait(monkeypatch, capsys):
    """Return what runs the command line here, and gives exit code, output and errors."""

    def ran(*arguments):
        monkeypatch.setattr(sys, "argv", ["plait", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run()
        return ended.value.code, *capsys.readouterr()

    return ran


def arguments(output, *more):
    options = (
        "--margin",
        "inf",
        "--to-rank",
        "30",
        "--choose",
        "random",
        "--negatives",
        "3",
        "--device",
        "cpu",
    )
    return ("mine", "run.yaml", "--model", "model", "--output", output, *options, *more)


def started(folder, output):
    return subprocess.Popen(
        command(*arguments(output)),
        cwd=folder,
        env=environment_of(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(process, file, *, chunks):
    """Wait until so many chunks of sides are stored."""
    while not (file.exists() and file.stat().st_size >= chunks * 256 * 16):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def chunks_of(work):
    return (work / "document.sides").stat().st_size // (256 * 16)


def test_killed_and_interrupted_the_same_command_goes_on_to_the_same_bytes(folder, plait):
    work = folder / "mined.jsonl.work"
    process = started(folder, "mined.jsonl")
    wait_for(process, work / "document.sides", chunks=2)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    stored = (work / "document.vectors").stat()
    assert stored.st_size >= 2 * 256 * 3 * 8 * 2  # chunks, sides, tokens, width, bytes

    process = started(folder, "mined.jsonl")
    wait_for(process, work / "document.sides", chunks=chunks_of(work) + 1)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=100)
    assert process.returncode == 130, errors
    assert "what was encoded and found stays: plait mine run.yaml --model model" in errors
    assert "Traceback" not in out + errors
    assert not (folder / "mined.jsonl").exists()

    code, out, errors = plait(*arguments("mined.jsonl", "--keep", "--json"))
    assert code == 0, errors
    report = json.loads(out)
    assert (report["rows"], report["negatives"]["mined"], report["rows_without"]) == (ROWS, 3 * ROWS, 0)
    assert (work / "document.vectors").stat().st_ino == stored.st_ino  # gone on with, not begun anew
    code, out, errors = plait(*arguments("plain.jsonl"))
    assert code == 0, errors
    assert not (folder / "plain.jsonl.work").exists()
    assert (folder / "mined.jsonl").read_bytes() == (folder / "plain.jsonl").read_bytes()


def test_training_reads_what_was_mined(tmp_path, plait):
    file = write_run(tmp_path, objective__hard_negatives=4)
    output = tmp_path / "mined.jsonl"
    code, out, errors = plait(
        "mine", file, "--model", tmp_path / "start", "--output", output,
        "--wrong-modality", "2", "--stripped", "--margin", "inf",
    )  # fmt: skip
    assert code == 0, errors
    assert "20 rows, 0 left out" in errors
    for wanted in (
        "rows       20, 0 without",
        "documents  33 searched",
        "140 mined",
        "20 stripped",
        "median",
    ):
        assert wanted in out
    said = out.splitlines()[-1].removeprefix("train on   ")
    code, out, errors = plait("train", file, "--check", "--set", f"data=[{said}]")
    assert code == 0, errors
    assert "mined: 20 rows, 0 left out" in out
    assert "label.owner 20" in out  # four rows, each with its relevant document and four others


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (["--model", "gone"], 4, "gone"),
        (["--margin", "0"], 2, "margin is 0.0, expected more than 0"),
        (["--output", "rows.jsonl"], 2, "rows.jsonl is there already"),
        (["--candidates", "gone.jsonl"], 2, "gone.jsonl: no such file of candidates"),
        (["--batch-size", "0"], 2, "batch_size is 0, expected 1 or more"),
        (["--set", "data.0.paths=gone.jsonl"], 2, "gone.jsonl: no such file of training rows"),
    ],
)
def test_what_cannot_be_mined_is_one_line_and_an_exit_code(folder, plait, change, code, said):
    ended, out, errors = plait(*arguments("wrong.jsonl", *change))
    assert (ended, out) == (code, "")
    (line,) = errors.strip().splitlines()
    assert line.startswith("plait: ")
    assert said in line
    assert not list(folder.glob("wrong.jsonl*"))
