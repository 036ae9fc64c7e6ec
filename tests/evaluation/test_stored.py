"""Results on disk: read as they were saved, there wholly or not at all, never in the way of other files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plait.data.collections.base import Collection, LabelledQuery, Problem
from plait.errors import InputError, MissingPathError
from plait.evaluation import stored
from plait.evaluation.evaluate import Answers, score
from plait.evaluation.manifest import manifest_of
from plait.evaluation.stored import Asked, Evaluation, Shown, check_free, is_result, load, save
from plait.schema import Query

PNG = b"\x89PNG\r\n\x1a\n not really"
QRELS = {"q1": {"a b": 1, "50%": 2}, "q2": {"c": 1}}
RUNS = {
    "mine": {"q1": {"a b": 0.3, "c": 0.1}, "q2": {"c": 1 / 3}},
    "Rank fusion!": {"q1": {"c": 2.0}, "q2": {}},
    "rank fusion": {"q1": {}, "q2": {"50%": -1e-7, "c": 5.0}},
}


@pytest.fixture
def evaluation(tmp_path: Path) -> Evaluation:
    queries = [
        LabelledQuery("q1", Query.of("what\nis this?"), "text"),
        LabelledQuery("q2", Query.of("x"), "y"),
    ]
    collection = Collection("bench", queries, QRELS, lambda: iter(()))
    reports = {
        name: score(Answers(run=dict(run), failed={"q2": "no"} if name == "mine" else {}), collection)
        for name, run in RUNS.items()
    }
    (tmp_path / "query.png").write_bytes(PNG)
    return Evaluation(
        "bench",
        reports,
        (Asked.of(queries[0]), Asked("q2", "y", image=str(tmp_path / "query.png"))),
        QRELS,
        manifest_of("./b", "f", model="m", model_fingerprint="g", options={"k": 9}, seed=0, seconds=1),
        seconds={"q1": 0.25},
        problems=(Problem("queries.jsonl:3", "not JSON"),),
        documents={"a b": Shown("a b", "A", "words", PNG)},
    )


def test_a_result_is_read_as_it_was_saved(evaluation: Evaluation, tmp_path: Path) -> None:
    folder = save(evaluation, tmp_path / "out" / "result")
    found = load(folder)
    assert found.model_name == "mine"
    assert list(found.systems) == list(RUNS)
    for name, report in evaluation.systems.items():
        again = found.systems[name]
        assert again.kinds == report.kinds
        assert again.per_query == report.per_query
        assert {q: dict(s) for q, s in again.run.items()} == {q: s for q, s in RUNS[name].items() if s}
        assert (again.failed, again.unjudged, again.seed) == (report.failed, report.unjudged, report.seed)
    assert found.queries == evaluation.queries
    assert found.qrels == QRELS
    assert (found.manifest, found.seconds) == (evaluation.manifest, evaluation.seconds)
    assert found.problems == evaluation.problems
    assert found.folder == folder
    kept = found.documents["a b"]
    assert (kept.title, kept.text) == ("A", "words")
    assert Path(str(kept.image)).read_bytes() == PNG
    assert Path(str(kept.image)).parent == folder / "pictures"


def test_saving_twice_gives_the_same_bytes(evaluation: Evaluation, tmp_path: Path) -> None:
    one, two = (save(evaluation, tmp_path / name) for name in ("one", "two"))
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert [path.as_posix() for path in files if path.parent.name == "runs"] == [
        "runs/mine.run",
        "runs/rank-fusion-2.run",
        "runs/rank-fusion.run",
    ]
    assert all((one / path).read_bytes() == (two / path).read_bytes() for path in files)


def test_run_files_and_judgements_are_words_parted_by_white_space(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    folder = save(evaluation, tmp_path / "r")
    assert (folder / "runs" / "mine.run").read_text().splitlines()[0].split()[:4] == [
        "q1",
        "Q0",
        "a%20b",
        "1",
    ]
    assert [line.split() for line in (folder / "qrels.tsv").read_text().splitlines()] == [
        ["q1", "0", "a%20b", "1"],
        ["q1", "0", "50%25", "2"],
        ["q2", "0", "c", "1"],
    ]


def test_the_record_of_a_query_says_what_every_system_got(evaluation: Evaluation, tmp_path: Path) -> None:
    folder = save(evaluation, tmp_path / "r")
    first, second = map(json.loads, (folder / "queries.jsonl").read_text().splitlines())
    assert (first["id"], first["kind"], first["text"], first["image"]) == (
        "q1",
        "text",
        "what\nis this?",
        None,
    )
    assert (first["seconds"], first["failed"], second["failed"]) == (0.25, None, "no")
    assert {name: values["mrr"] for name, values in first["values"].items()} == {
        "mine": 1.0,
        "Rank fusion!": 0.0,
        "rank fusion": 0.0,
    }
    assert second["values"]["mine"]["mrr"] == 1.0


def test_the_json_form_holds_every_record_and_what_it_came_from(evaluation: Evaluation) -> None:
    found = json.loads(json.dumps(evaluation.to_dict()))
    assert [system["name"] for system in found["systems"]] == list(RUNS)
    assert found["queries"][0]["values"]["mine"] == evaluation.model.per_query["q1"]
    assert found["manifest"]["options"] == {"k": 9}
    assert found["problems"] == [{"place": "queries.jsonl:3", "message": "not JSON"}]


def test_a_result_is_replaced_only_when_told_and_other_files_never(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    folder = save(evaluation, tmp_path / "r")
    with pytest.raises(InputError, match="--force"):
        save(evaluation, folder)
    save(evaluation, folder, force=True)
    assert is_result(folder)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    for force in (False, True):
        with pytest.raises(InputError, match="no result"):
            save(evaluation, tmp_path / "thesis", force=force)
    with pytest.raises(InputError, match="is a file"):
        save(evaluation, tmp_path / "query.png", force=True)
    (tmp_path / "empty").mkdir()
    save(evaluation, tmp_path / "empty")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_fails_on_the_way_leaves_the_old_result_and_nothing_else(
    evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(evaluation, tmp_path / "r")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stored, "write_run", full)
    with pytest.raises(InputError, match="No space left"):
        save(evaluation, folder, force=True)
    with pytest.raises(InputError, match="No space left"):
        save(evaluation, tmp_path / "new")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["query.png", "r"]


def test_a_result_set_aside_by_a_process_that_ended_is_put_back(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    folder = save(evaluation, tmp_path / "r")
    folder.rename(tmp_path / ".r.old")
    with pytest.raises(InputError, match="holds a result already"):
        check_free(folder)
    assert load(folder).collection == "bench"
    folder.rename(tmp_path / ".r.old")
    save(evaluation, folder, force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["query.png", "r"]


def test_a_folder_without_a_result_or_with_a_damaged_one_is_named(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    with pytest.raises(MissingPathError, match="holds no result"):
        load(tmp_path)
    folder = save(evaluation, tmp_path / "r")
    whole = (folder / "queries.jsonl").read_text()
    for damaged in (whole[: len(whole) // 2], whole.replace('"kind"', '"sort"'), "7\n"):
        (folder / "queries.jsonl").write_text(damaged)
        with pytest.raises(InputError, match="is damaged"):
            load(folder)


def test_the_page_for_people_shows_every_system_and_what_was_left_out(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    page = (save(evaluation, tmp_path / "r") / "report.md").read_text()
    assert page.startswith("# mine on bench\n")
    assert "| rank fusion | 0.0 [0.0, 0.0] |" in page.split("## text (1)")[1]
    assert "1 query that could not be asked, scored 0; the first, q2: no" in page
    assert "queries.jsonl:3" in page
    assert "fingerprint `g`" in page
