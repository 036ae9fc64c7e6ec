"""The command of each of the papers' benchmarks, from official files to its table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.helpers.official_formats import (
    m2kr_query,
    mbeir_candidate,
    mbeir_query,
    write_m2kr,
    write_mbeir,
    write_mbeir_instructions,
    write_mbeir_union,
    write_picture,
)
from tests.helpers.tiny_ret import save_tiny_checkpoint
from typer.testing import CliRunner

from plait.cli.main import app
from plait.errors import InputError, MissingPathError, PlaitError
from plait.evaluation.protocols.benchmarks import open_benchmark
from plait.evaluation.protocols.entrants import entrants_of
from plait.evaluation.protocols.measuring import Plan
from plait.evaluation.protocols.running import run_benchmark

WORDS = ["red square", "blue circle", "green paper", "turn left", "grey paper", "the red circle"]


@pytest.fixture(scope="module")
def ret(tmp_path_factory):
    return save_tiny_checkpoint(tmp_path_factory.mktemp("models") / "ret")


@pytest.fixture
def m2kr_folder(tmp_path):
    folder = tmp_path / "M2KR"
    for colour in ("red", "blue"):
        write_picture(folder / f"images/{colour}.png", colour)
    queries = [
        m2kr_query(f"q{n}", words, [f"p{n}"], picture="red.png" if n % 2 else "blue.png", answers=[words])
        for n, words in enumerate(WORDS)
    ]
    write_m2kr(folder, "OKVQA", queries, [(f"p{n}", f"the {words}") for n, words in enumerate(WORDS)])
    return folder


@pytest.fixture
def mbeir_folder(tmp_path):
    folder = tmp_path / "M-BEIR"
    pictures = [
        mbeir_candidate(
            f"9:{n}", None, str(write_picture(folder / f"mbeir_images/{c}.png", c).relative_to(folder))
        )
        for n, c in enumerate(("red", "green", "blue"))
    ]
    queries = [
        mbeir_query(f"9:{n}", f"{c} square", [f"9:{n}"]) for n, c in enumerate(("red", "green", "blue"))
    ]
    write_mbeir(folder, "mscoco_task0", queries, pictures)
    write_mbeir_union(folder, pictures)
    write_mbeir_instructions(folder, ["text", "image", "MSCOCO", "9", "the square"])
    return folder


def asked(*words):
    """Run a command in this process; an error on purpose is raised."""
    return CliRunner().invoke(app, ["eval", *map(str, words)], catch_exceptions=False)


def test_m2kr_gives_the_same_with_other_batches_and_in_another_process(
    ret, m2kr_folder, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    words = [f"m2kr:{m2kr_folder}", "--model", str(ret), "--device", "cpu", "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["plait", "eval", *words])  # what the manifest keeps, to run it again
    done = asked(*words)
    assert done.exit_code == 0, done.stderr
    assert "OKVQA PR@5" in done.stdout
    assert "| ReT CLIP ViT-L/14 " in done.stdout
    (task,) = json.loads((out / "table.json").read_text())["tasks"]
    entrants = entrants_of(str(ret), device="cpu", batch_size=1)
    plan = Plan(open_benchmark(f"m2kr:{m2kr_folder}"), str(ret))
    result = run_benchmark(plan, entrants, work=tmp_path / "other")
    assert result.tasks[0].to_dict()["values"] == task["values"]
    assert list(task["values"]) == ["ret", "ret + BM25", "BM25", "text backbone", "score sum", "rank fusion"]
    assert task["values"]["BM25"]["success@1"] == 1.0
    again = asked("rerun", out)
    assert again.exit_code == 0, again.stderr
    assert "same: all" in again.stdout


def test_m_beir_fills_a_table_for_each_pool_and_keeps_each_task(mbeir_folder, tmp_path):
    out = tmp_path / "out"
    result = asked(f"mbeir:{mbeir_folder}", "--model", "plait-mini", "--device", "cpu", "--out", out)
    assert result.exit_code == 0, result.output
    assert {"mscoco_task0-local", "mscoco_task0-union"} <= {one.name for one in out.iterdir()}
    page = (out / "table.md").read_text()
    assert page == result.stdout
    assert page.index("## local pools") < page.index("## union pool")
    assert "UniIR CLIP-SF L" in page


def test_json_has_the_tables_and_every_measure(mbeir_folder, tmp_path):
    options = ["--pools", "local", "--limit", "2", "--json", "--no-baselines", "--device", "cpu"]
    result = asked(f"mbeir:{mbeir_folder}", "--model", "plait-mini", *options)
    values = json.loads(result.stdout)
    assert (values["is_protocol"], values["options"]["instructions"]) == (False, "first")
    assert [row["system"] for row in values["tables"][0]["ours"]] == ["plait-mini"]
    assert values["tasks"][0]["queries"] == 2


def test_something_left_out_ends_with_exit_code_1_or_strictly_at_once(ret, m2kr_folder, tmp_path):
    (m2kr_folder / "images/red.png").unlink()
    options = ["--model", ret, "--device", "cpu", "--no-baselines"]
    result = asked(f"m2kr:{m2kr_folder}", *options)
    assert result.exit_code == 1
    assert "okvqa: 3 problems in its files" in result.stderr
    with pytest.raises(InputError, match=r"red\.png"):
        asked(f"m2kr:{m2kr_folder}", *options, "--strict")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["m2kr:{folder}", "--tasks", "squad"], InputError),
        (["m2kr:{folder}/nowhere"], MissingPathError),
        (["mbeir:{folder}", "--pools", "all"], InputError),
        (["m2kr:{folder}", "--work", "{folder}/images/red.png", "--no-baselines"], PlaitError),
        (["m2kr:{folder}", "--out", "{folder}/OKVQA_data/test-00000-of-00001.parquet"], InputError),
    ],
)
def test_what_cannot_be_run_is_refused(m2kr_folder, words, error):
    with pytest.raises(error):
        asked(*(word.replace("{folder}", str(m2kr_folder)) for word in words), "--device", "cpu")


def test_a_result_of_something_else_is_never_overwritten(ret, m2kr_folder, tmp_path):
    out = Path(tmp_path / "out")
    options = ["--device", "cpu", "--no-baselines", "--out", out]
    asked(f"m2kr:{m2kr_folder}", "--model", "plait-mini", *options)
    with pytest.raises(InputError, match="--force replaces it"):
        asked(f"m2kr:{m2kr_folder}", "--model", ret, *options)
    assert json.loads((out / "manifest.json").read_text())["model"] == "plait-mini"
