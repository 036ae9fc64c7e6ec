"""A collection evaluated: numbers worked out by hand, problems counted or refused, the same every time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.data.conftest import lines_pdf
from tests.helpers.small_collection import QRELS, QUERIES, write_collection
from tests.helpers.tiny_encoder import TinyEncoder

from plait.errors import InputError, PlaitError
from plait.evaluation.rerunning import compared
from plait.evaluation.stored import Evaluation, load, save
from plait.library.evaluating.running import Options, evaluate_collection

LANES = Options(baselines=False, each_lane=True, measures=("success@1", "mrr"))


def evaluated(folder: Path | str, options: Options = LANES, work: Path | None = None) -> Evaluation:
    return evaluate_collection(str(folder), options=options, encoder=TinyEncoder(), work=work)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_collection(tmp_path_factory.mktemp("running") / "bench")


def test_every_number_is_the_one_worked_out_by_hand(folder: Path) -> None:
    found = evaluated(folder)
    assert list(found.systems)[:2] == ["tiny", "lane bm25"]
    assert found.model.unjudged == 1
    means = {
        (system, kind.kind): (kind.values["success@1"].mean, kind.values["mrr"].mean) if kind.values else None
        for system, report in found.systems.items()
        for kind in report.kinds
    }
    # Of "acid", BM25 finds the shorter boiler first and the judged hose second; it is not made for pictures.
    assert [means["lane bm25", kind] for kind in ("text", "image", "text+image", "all")] == [
        (1.0, 1.0),
        None,
        (0.0, 0.5),
        (0.5, 0.625),
    ]
    # The picture of one colour finds the figure of that colour, whatever the words.
    assert [means["lane image", kind] for kind in ("text", "image", "text+image", "all")] == [
        None,
        (1.0, 1.0),
        (1.0, 1.0),
        (0.5, 0.5),
    ]
    assert means["tiny", "image"] == (1.0, 1.0)
    assert [query.id for query in found.queries] == ["t1", "t2", "i1", "b1"]
    assert set(found.seconds) == {"t1", "t2", "i1", "b1"}


def test_a_copy_kept_for_the_next_time_changes_no_number_nor_does_order(folder: Path, tmp_path: Path) -> None:
    first = load(save(evaluated(folder, work=tmp_path / "work"), tmp_path / "a"))
    second = load(save(evaluated(folder, work=tmp_path / "work"), tmp_path / "b"))
    third = load(save(evaluated(folder), tmp_path / "c"))
    for other in (second, third):
        found = compared({"": first}, {"": other})
        assert (found.changes, found.differing) == ((), 0)
        assert found.compared > 50


def test_what_changed_is_named_with_the_numbers_that_differ(folder: Path, tmp_path: Path) -> None:
    before = load(save(evaluated(folder), tmp_path / "a"))
    words = [{**row, "text": "guarantee"} if row["id"] == "t1" else row for row in QUERIES]
    changed = write_collection(tmp_path / "changed", queries=words)
    after = load(save(evaluated(changed, replace(LANES, k=50)), tmp_path / "b"))
    found = compared({"": before}, {"": after})
    assert [change.partition(":")[0] for change in found.changes] == ["collection", "option k"]
    assert "lane bm25, text mrr (mean): 1.0 -> 0.5" in found.differences
    assert str(found).startswith("changed: collection: ")


BAD_LINES = (
    ("corpus.jsonl", "{", 5, "not JSON"),
    ("queries.jsonl", '{"id": "t1", "text": "again"}', 6, "t1"),
    ("queries.jsonl", '{"id": "e", "text": " "}', 7, "empty"),
    ("queries.jsonl", '{"id": "m", "text": null, "image": "no.png"}', 8, "no.png"),
    ("qrels.tsv", "t1\t0\tsink\t1", 6, "sink"),
    ("qrels.tsv", "t9\t0\those\t1", 7, "t9"),
    ("qrels.tsv", "t1\those\t1", 8, "columns"),
)


def test_all_that_is_bad_is_named_with_its_line_and_the_rest_measured(folder: Path, tmp_path: Path) -> None:
    spoilt = write_collection(tmp_path / "bench")
    for file, line, _, _ in BAD_LINES:
        _append(spoilt / file, line)
    (spoilt / "blue.png").unlink()
    found = evaluated(spoilt)
    problems = {problem.place: problem.message for problem in found.problems}
    assert len(found.problems) == len(BAD_LINES) + 1
    for file, _, number, said in BAD_LINES:
        assert said in problems[f"{spoilt / file}:{number}"]
    assert "blue.png" in problems[f"{spoilt / 'corpus.jsonl'}:2"]
    words, whole = (one.systems["lane bm25"] for one in (found, evaluated(folder)))
    assert words.per_query == whole.per_query


@pytest.mark.parametrize(("file", "line", "said"), [(file, line, said) for file, line, _, said in BAD_LINES])
def test_strictly_the_first_that_is_bad_ends_it(tmp_path: Path, file: str, line: str, said: str) -> None:
    folder = write_collection(tmp_path / "c")
    _append(folder / file, line)
    before = len((folder / file).read_text().splitlines())
    with pytest.raises(InputError, match=said) as error:
        evaluated(folder, replace(LANES, strict=True))
    assert str(error.value).startswith(f"{folder / file}:{before}: ")


def test_strictly_a_picture_that_is_missing_ends_it(tmp_path: Path) -> None:
    folder = write_collection(tmp_path / "c")
    (folder / "blue.png").unlink()
    with pytest.raises(InputError) as error:
        evaluated(folder, replace(LANES, strict=True))
    assert str(error.value).startswith(f"{folder / 'corpus.jsonl'}:2: ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "magic"}, "magic"),
        ({"measures": ("success",)}, "success@K"),
        ({"measures": ()}, "measures"),
        ({"measures": ("recall@200",)}, "raise k"),
        ({"recall": 0.0}, "recall"),
        ({"k": 0}, "k >= 1"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_before_the_work(options: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Options(**options)


def test_an_unknown_lane_or_nothing_to_measure_is_said_before_anything_is_encoded(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="unknown lane sound: tiny has bm25, text"):
        evaluated(folder, Options(lanes=("sound",)))
    nothing = write_collection(tmp_path / "c", qrels=[(q, d, 0) for q, d, _ in QRELS])
    with pytest.raises(PlaitError, match="no query of 'c' has a relevant document"):
        evaluated(nothing)


def test_raw_files_are_found_by_file(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    (folder / "eval").mkdir(parents=True)
    for name, words in (
        ("a b", "Close the valve"),
        ("c", "Rinse the basket"),
        ("d", "Open the valve slowly"),
    ):
        (folder / f"{name}.md").write_text(f"# {name}\n\n{words}.\n")
    (folder / "eval" / "queries.jsonl").write_text(
        '{"id": "q1", "text": "valve", "kind": "text"}\n{"id": "q2", "text": "basket", "kind": "text"}\n'
    )
    (folder / "eval" / "qrels.tsv").write_text("q1\t0\td.md\t1\nq1\t0\ta b.md\t1\nq2\t0\tc.md\t1\n")
    found = evaluated(f"files:{folder}", replace(LANES, measures=("recall@10", "mrr")))
    words = found.systems["lane bm25"]
    assert set(words.run["q1"]) == {"a b.md", "d.md"}
    assert words.per_query["q1"] == {"recall@10": 1.0, "mrr": 1.0}
    assert words.per_query["q2"] == {"recall@10": 1.0, "mrr": 1.0}
    again = load(save(found, tmp_path / "r"))
    assert dict(again.systems["lane bm25"].run) == dict(words.run)
    assert (again.documents["a b.md"].title, again.documents["a b.md"].text) == ("a b", "Close the valve.")


def test_raw_files_are_found_by_page_where_a_page_is_judged(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    (folder / "eval").mkdir(parents=True)
    (folder / "m.pdf").write_bytes(
        lines_pdf(["Close the valve", "Rinse the basket", "Open the valve and the lid"])
    )
    (folder / "other.md").write_text("# Other\n\nThe valve of the other machine.\n")
    (folder / "eval" / "queries.jsonl").write_text(
        '{"id": "q", "text": "basket"}\n{"id": "f", "text": "lid"}\n'
    )
    (folder / "eval" / "qrels.tsv").write_text(
        "q\t0\tm.pdf#page=2\t1\nq\t0\tm.pdf#page=4\t1\nf\t0\tm.pdf\t1\n"
    )
    found = evaluated(f"files:{folder}", LANES)
    words = found.systems["lane bm25"]
    assert {query: list(run) for query, run in words.run.items()} == {"q": ["m.pdf#page=2"], "f": ["m.pdf"]}
    everything = {"m.pdf#page=1", "m.pdf#page=2", "m.pdf#page=3", "other.md"}
    assert set(found.model.run["q"]) == set(found.systems["lane text"].run["q"]) == everything
    assert set(found.model.run["f"]) == {"m.pdf", "other.md"}
    assert [problem.place for problem in found.problems] == [f"{folder / 'eval' / 'qrels.tsv'}:2"]
    assert "page 4" in found.problems[0].message
    assert found.documents["m.pdf#page=2"].text == "Rinse the basket"
    with pytest.raises(InputError, match="page 4"):
        evaluated(f"files:{folder}", replace(LANES, strict=True))


def _append(file: Path, line: str) -> None:
    with file.open("a") as stream:
        stream.write(f"{line}\n")
