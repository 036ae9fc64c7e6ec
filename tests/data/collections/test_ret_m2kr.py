"""ReT-M2KR's lines as its inference script reads them, into tasks that were worked out by hand."""

from __future__ import annotations

import pytest
from tests.helpers.official_formats import (
    ret_passage,
    ret_query,
    write_lines,
    write_picture,
    write_ret_m2kr,
)

from plait.data.collections.pools import Candidate, PoolQuery
from plait.data.collections.ret_m2kr import TASKS, read_ret_m2kr
from plait.data.training.examples import Side
from plait.errors import InputError, MissingPathError

INSTRUCTION = "Using the provided image, obtain documents that address the subsequent question:"
TENNIS = ret_query(
    "okvqa_1",
    "What sport is this?",
    ["p1", 7],
    instruction=INSTRUCTION,
    picture="okvqa/val2014/x.jpg",
    answers=["tennis"],
)
WIKIDATA = ret_query(
    2,
    "How tall is it?",
    "p1",
    instruction=INSTRUCTION,
    picture="okvqa/val2014/x.jpg",
    answers=[{"wikidata": 12.5, "range": [12, 13]}, {"wikidata": ["a"]}],
)
PASSAGES = [
    ret_passage("p1", "Tennis is ...", "wiki/abc.png"),
    ret_passage(7, None, "wiki/abc.png"),
    ret_passage("8", " words alone", None),
]
CUTOFFS = (1, 2, 3, 10, 50, 100)


@pytest.fixture
def pictures(tmp_path):
    """Return the picture of the questions, and that of the passages."""
    names = ("okvqa/val2014/x.jpg", "wiki/abc.png")
    return [str(write_picture(tmp_path / "images" / name)) for name in names]


@pytest.mark.parametrize("place", ["passages", "test"])
def test_a_task_is_queries_judgements_and_a_pool_with_pictures(tmp_path, pictures, place):
    write_ret_m2kr(tmp_path, "okvqa", [TENNIS, WIKIDATA], PASSAGES, place=place)
    (task,) = read_ret_m2kr(tmp_path, strict=True)
    asked, shown = pictures
    assert task.name == "okvqa"
    assert task.queries == (
        PoolQuery(
            "okvqa_1",
            Side(f"{INSTRUCTION} What sport is this?", asked),
            "text+image",
            ("tennis",),
            "What sport is this?",
        ),
        PoolQuery(
            "2",
            Side(f"{INSTRUCTION} How tall is it?", asked),
            "text+image",
            ("12.5", "['a']"),
            "How tall is it?",
        ),
    )
    assert task.qrels == {"okvqa_1": {"p1": 1, "7": 1}, "2": {"p1": 1}}
    more = [f"{kind}@{k}" for k in CUTOFFS for kind in ("success", "pseudo-recall")]
    assert task.measures == ("success@5", "pseudo-recall@5", *more)
    pool = task.pools[""]
    assert pool.size == 3
    assert list(pool.read()) == [
        Candidate("p1", Side("Tennis is ...", shown)),
        Candidate("7", Side("", shown)),
        Candidate("8", Side(" words alone")),
    ]


def test_pictures_and_scalars_alone_are_read(tmp_path, pictures):
    wit = ret_query("w", None, 7, instruction="What is this image of?", picture="okvqa/val2014/x.jpg")
    write_ret_m2kr(tmp_path, "wit", [wit], PASSAGES)
    (task,) = read_ret_m2kr(tmp_path, strict=True)
    assert task.queries == (PoolQuery("w", Side("What is this image of?", pictures[0]), "image"),)
    assert task.qrels == {"w": {"7": 1}}
    assert task.measures == ("success@10", *(f"success@{k}" for k in (1, 2, 3, 5, 50, 100)))


def test_pseudo_recall_is_measured_wherever_there_are_answers(tmp_path):
    query = ret_query("k", "Who?", "8", answers=["she"])
    write_ret_m2kr(tmp_path, "kvqa", [query], PASSAGES[2:])
    write_ret_m2kr(tmp_path, "evqa", [{**query, "answer": None}], PASSAGES[2:])
    kvqa, evqa = read_ret_m2kr(tmp_path)
    assert kvqa.measures[:2] == ("success@5", "pseudo-recall@5")
    assert evqa.name == "evqa"
    assert not any("pseudo" in measure for measure in evqa.measures)
    assert [problem.message for problem in evqa.problems] == [
        'no "answer" in any row: pseudo-recall is not measured'
    ]


def test_files_may_lie_side_by_side_with_windows_lines_and_a_mark(tmp_path):
    query = ret_query("q", "Who?", "8", answers=["she"])
    write_lines(tmp_path / "infoseek_test.jsonl", [query, ""], newline=b"\r\n", mark=True)
    write_lines(tmp_path / "infoseek_passages_test.jsonl", [PASSAGES[2]], newline=b"\r\n", mark=True)
    (task,) = read_ret_m2kr(tmp_path, tasks=["InfoSeek"], strict=True)
    assert task.qrels == {"q": {"8": 1}}
    assert [candidate.id for candidate in task.pools[""].read()] == ["8"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[]", "expected a JSON object, got list"),
        (b'{"data_id": "\xff"}', "not UTF-8"),
        ({**TENNIS, "data_id": "okvqa_1"}, "the id 'okvqa_1' is that of an earlier query, which counts"),
        ({**TENNIS, "data_id": None}, 'expected "data_id"'),
        ({**TENNIS, "data_id": 3, "question": None, "image_path": None}, "neither words nor a picture"),
        ({**TENNIS, "data_id": 3, "question": 4}, 'expected "question", a string or null, got 4'),
        ({**TENNIS, "data_id": 3, "image_path": "okvqa/gone.jpg"}, "image 'okvqa/gone.jpg' does not exist"),
        ({**TENNIS, "data_id": 3, "passage_id": [None]}, 'expected "passage_id"'),
        ({**TENNIS, "data_id": 3, "answer": [4]}, 'expected "answer", texts or objects of a "wikidata"'),
        ({**TENNIS, "data_id": 3, "answer": [{"range": 1}]}, 'expected "answer", texts or objects of'),
    ],
)
def test_a_query_that_cannot_be_used_is_left_out_and_named(tmp_path, pictures, line, message):
    write_ret_m2kr(tmp_path, "okvqa", [TENNIS, "", line], PASSAGES)
    (task,) = read_ret_m2kr(tmp_path)
    assert [query.id for query in task.queries] == ["okvqa_1"]
    (problem,) = task.problems
    assert problem.place == f"{tmp_path}/jsonl/m2kr/test/okvqa_test.jsonl:3"
    assert message in problem.message
    with pytest.raises(InputError, match=r"okvqa_test\.jsonl:3: "):
        read_ret_m2kr(tmp_path, strict=True)


def test_a_passage_whose_picture_is_missing_keeps_its_words(tmp_path, pictures):
    lacking = [ret_passage("a", "words", "wiki/gone.png"), ret_passage("b", None, "wiki/gone.png")]
    again = [ret_passage("p1", "something else"), ret_passage("a", "words", "wiki/gone.png")]
    write_ret_m2kr(tmp_path, "okvqa", [TENNIS], [*PASSAGES, *lacking, "no passage", *again])
    (task,) = read_ret_m2kr(tmp_path)
    pool = task.pools[""]
    assert pool.size == 5
    assert list(pool.read())[3:] == [Candidate("a", Side("words")), Candidate("b", Side())]
    file = f"{tmp_path}/jsonl/m2kr/passages/okvqa_passages_test.jsonl"
    gone = f"image 'wiki/gone.png' does not exist in '{tmp_path}/images'"
    told = [str(problem) for problem in pool.problems]
    assert told[:2] == [f"{file}:4: candidate 'a': {gone}", f"{file}:5: candidate 'b': {gone}"]
    assert told[2].startswith(f"{file}:6: not JSON")
    assert told[3] == f"{file}:8: candidate 'a': {gone}"
    assert told[4:] == [
        f"{file}:{line}: the id {name!r} is that of an earlier candidate, which counts"
        for line, name in ((7, "p1"), (8, "a"))
    ]
    assert pool.problems.total == 6
    with pytest.raises(
        InputError, match=r"okvqa_passages_test\.jsonl:4: candidate 'a': image 'wiki/gone\.png'"
    ):
        read_ret_m2kr(tmp_path, strict=True)


def test_a_thousand_problems_are_kept_and_all_are_counted(tmp_path):
    rows = [ret_passage(name, None) for name in range(1200)]
    write_ret_m2kr(tmp_path, "kvqa", [ret_query("k", "Who?", 3)], rows)
    pool = read_ret_m2kr(tmp_path)[0].pools[""]
    assert (len(pool.problems), pool.problems.total, pool.size) == (1000, 1200, 1200)


def test_a_pool_is_told_apart_by_its_files_and_by_the_pictures_that_are_missing(tmp_path, pictures):
    def mark():
        return read_ret_m2kr(tmp_path)[0].pools[""].fingerprint

    write_ret_m2kr(tmp_path, "okvqa", [TENNIS], PASSAGES)
    first = mark()
    assert mark() == first
    moved = tmp_path / "images" / "wiki" / "moved.png"
    (tmp_path / "images" / "wiki" / "abc.png").rename(moved)
    without = mark()
    assert without != first
    moved.rename(tmp_path / "images" / "wiki" / "abc.png")
    assert mark() == first
    write_ret_m2kr(tmp_path, "okvqa", [TENNIS], PASSAGES[:2])
    assert mark() not in (first, without)


def test_a_pool_whose_files_change_while_it_is_searched_says_so(tmp_path, pictures):
    write_ret_m2kr(tmp_path, "okvqa", [TENNIS], PASSAGES)
    stream = read_ret_m2kr(tmp_path)[0].pools[""].read
    begun = stream()
    next(begun)
    write_ret_m2kr(tmp_path, "okvqa", [TENNIS], PASSAGES[:1])
    for reading in (begun, stream()):
        with pytest.raises(InputError, match="changed since the candidates were counted"):
            list(reading)
    (tmp_path / "jsonl/m2kr/passages/okvqa_passages_test.jsonl").unlink()
    with pytest.raises(InputError, match="changed since the candidates were counted"):
        list(stream())


def test_missing_files_are_named_and_msmarco_is_no_task(tmp_path):
    with pytest.raises(MissingPathError, match="no such folder"):
        read_ret_m2kr(tmp_path / "nowhere")
    with pytest.raises(
        MissingPathError, match=r"jsonl/m2kr/test/wit_test\.jsonl: not there, nor the queries"
    ):
        read_ret_m2kr(tmp_path)
    write_lines(tmp_path / "jsonl/m2kr/test/evqa_test_m2kr.jsonl", [TENNIS])
    with pytest.raises(
        MissingPathError, match=r"evqa_passages_test\.jsonl: not there; the task evqa needs it"
    ):
        read_ret_m2kr(tmp_path)
    with pytest.raises(InputError, match="'msmarco'; expected some of wit"):
        read_ret_m2kr(tmp_path, tasks=["msmarco"])
    assert "msmarco" not in TASKS
    assert len(TASKS) == 8
