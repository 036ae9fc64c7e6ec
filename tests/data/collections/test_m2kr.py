"""M2KR's Parquet as published, read into tasks that were worked out by hand."""

from __future__ import annotations

import pytest
from tests.helpers.official_formats import m2kr_query, write_m2kr, write_parquet, write_picture

from plait.data.collections.m2kr import TASKS, read_m2kr
from plait.data.collections.pools import Candidate, PoolQuery
from plait.data.training.examples import Side
from plait.errors import InputError, MissingPathError

EGGS = m2kr_query(
    "EVQA_1",
    "How many eggs does it lay?",
    ["WikiWeb_a_1", "WikiWeb_a_2"],
    instruction="Using the provided image, obtain documents that address the subsequent question: ",
    picture="inat/val/bird.jpg",
    answers=["two", "2"],
)
PASSAGES = [
    ("WikiWeb_a_1", " It lays two eggs. "),
    ("WikiWeb_a_2", "Eggs are laid in May."),
    ("WikiWeb_b_1", "A mountain."),
]
ASKED = "Using the provided image, obtain documents that address the subsequent question: "
EVQA_MEASURES = (
    *("success@5", "pseudo-recall@5", "success@1", "pseudo-recall@1", "success@10", "pseudo-recall@10"),
    *("success@20", "pseudo-recall@20", "success@50", "pseudo-recall@50"),
    *("success@100", "pseudo-recall@100"),
)


@pytest.fixture
def bird(tmp_path):
    return str(write_picture(tmp_path / "images" / "inat" / "val" / "bird.jpg"))


def test_a_task_is_queries_judgements_and_a_pool_of_passages(tmp_path, bird):
    write_m2kr(tmp_path, "EVQA", [EGGS], PASSAGES, shards=2)
    (task,) = read_m2kr(tmp_path, strict=True)
    assert task.name == "evqa"
    assert task.queries == (
        PoolQuery(
            "EVQA_1",
            Side(f"{ASKED}How many eggs does it lay?", bird),
            "text+image",
            ("two", "2"),
            "How many eggs does it lay?",
        ),
    )
    assert task.qrels == {"EVQA_1": {"WikiWeb_a_1": 1, "WikiWeb_a_2": 1}}
    assert task.measures == EVQA_MEASURES
    assert list(task.pools) == [""]
    pool = task.pools[""]
    assert (pool.name, pool.size) == ("evqa", 3)
    expected = [
        Candidate(name, Side(text)) for name, text in PASSAGES
    ]  # of both files, the texts as they are
    assert list(pool.read()) == list(pool.read()) == expected


def test_nulls_and_numbers_are_read(tmp_path, bird):
    write_m2kr(
        tmp_path,
        "WIT",
        [
            m2kr_query(7, None, [12], instruction="What is this image of?", picture="inat/val/bird.jpg"),
            m2kr_query(8, "", [11, 12, 12], instruction=None, picture="inat/val/bird.jpg"),
        ],
        [(11, "title: Wren"), (12, "title: Robin")],
    )
    (task,) = read_m2kr(tmp_path, tasks=["WIT"], strict=True)
    assert task.queries == (
        PoolQuery("7", Side("What is this image of?:", bird), "image"),  # the script's colon
        PoolQuery("8", Side("", bird), "image"),
    )
    assert task.qrels == {"7": {"12": 1}, "8": {"11": 1, "12": 1}}
    assert [candidate.id for candidate in task.pools[""].read()] == ["11", "12"]
    assert task.measures == ("success@10", "success@1", "success@5", *(f"success@{k}" for k in (20, 50, 100)))


def test_words_alone_need_no_pictures(tmp_path):
    query = m2kr_query("q", "what is rain", ["p"], instruction="Retrieve the answer.")
    write_m2kr(tmp_path, "MSMARCO", [query], [("p", "Water.")])
    (task,) = read_m2kr(tmp_path, strict=True)
    expected = PoolQuery("q", Side("Retrieve the answer.: what is rain"), "text", bare="what is rain")
    assert task.queries == (expected,)
    assert task.measures[0] == "success@5"


@pytest.mark.parametrize(
    ("name", "first"),
    [
        *(("wit", 10), ("iglue", 1), ("kvqa", 5), ("msmarco", 5), ("oven", 5), ("llava", 1)),
        *(("okvqa", 5), ("infoseek", 5), ("evqa", 5)),
    ],
)
def test_each_data_set_has_the_first_measures_of_the_paper(tmp_path, name, first):
    write_m2kr(tmp_path, name.upper(), [m2kr_query("q", "why", ["p"], answers=["so"])], [("p", "So.")])
    (task,) = read_m2kr(tmp_path, strict=True)
    told = (f"success@{first}", f"pseudo-recall@{first}")
    assert task.measures[:2] == told if name in ("okvqa", "infoseek", "evqa") else task.measures[0] == told[0]
    assert any("pseudo" in measure for measure in task.measures) == (name in ("okvqa", "infoseek", "evqa"))


def test_names_are_found_whatever_their_case_and_dashes(tmp_path, bird):
    query = m2kr_query("q", "why", ["p"], answers=["so"])
    for name in ("E-VQA", "LLaVA", "CC"):  # CC is for training only
        write_m2kr(tmp_path, name, [query], [("p", "So.")])
    assert [task.name for task in read_m2kr(tmp_path)] == ["llava", "evqa"]
    assert [task.name for task in read_m2kr(tmp_path, tasks=["evqa", "LLAVA", "e-vqa"])] == ["llava", "evqa"]
    with pytest.raises(InputError, match="'CC'; expected some of wit, iglue"):
        read_m2kr(tmp_path, tasks=["CC"])
    with pytest.raises(InputError, match="tasks: none; expected some of"):
        read_m2kr(tmp_path, tasks=[])


def test_pictures_are_looked_for_where_they_may_be(tmp_path):
    query = m2kr_query("q", "why", ["p"], picture="a.png", answers=["so"])
    data = tmp_path / "data"
    write_m2kr(data, "EVQA", [query], [("p", "So.")])

    def found(**options):
        return read_m2kr(data, strict=True, **options)[0].queries[0].side.image

    with pytest.raises(InputError, match=r"no picture such as 'a.png' here: name the folder"):
        found()
    for place in (
        "a.png",
        "../M2KR_Images/a.png",
        "images/a.png",
        "images/E-VQA/a.png",
    ):  # each before the last
        expected = str(write_picture(data / place).resolve())
        assert found() == expected
    assert found(images=data) == str(data / "a.png")
    assert found(images=tmp_path / "M2KR_Images") == str(tmp_path / "M2KR_Images" / "a.png")
    with pytest.raises(MissingPathError, match="no such folder"):
        found(images=tmp_path / "nowhere")


BAD_QUERIES = [
    (m2kr_query("EVQA_1", "again?", ["WikiWeb_a_1"]), "the id 'EVQA_1' is that of an earlier query"),
    (m2kr_query(" ", "who?", ["WikiWeb_a_1"]), 'expected "question_id"'),
    (m2kr_query("b", None, ["WikiWeb_a_1"]), "the query has neither words nor a picture"),
    (m2kr_query("c", "who?", ["WikiWeb_a_1"], picture="gone.jpg"), "image 'gone.jpg' does not exist"),
    (m2kr_query("d", "who?", ["WikiWeb_a_1"], picture="../x.jpg"), "leads out of the folder"),
]


@pytest.mark.parametrize(("row", "message"), BAD_QUERIES)
def test_a_query_that_cannot_be_used_is_left_out_and_named(tmp_path, bird, row, message):
    write_m2kr(tmp_path, "EVQA", [EGGS, row], PASSAGES)
    (task,) = read_m2kr(tmp_path)
    assert [query.id for query in task.queries] == ["EVQA_1"] == list(task.qrels)
    (problem,) = task.problems
    assert problem.place == f"{tmp_path}/EVQA_data/test-00000-of-00001.parquet:row 2"
    assert message in problem.message
    with pytest.raises(InputError, match=r"EVQA_data/test-.*\.parquet:row 2: "):
        read_m2kr(tmp_path, strict=True)


JUDGED_BADLY = [
    (
        m2kr_query("b", "who?", ["nowhere"], answers=["x"]),
        "candidate 'nowhere', relevant to query 'b', is not",
    ),
    (m2kr_query("b", "who?", [], answers=["x"]), "no passage is relevant to the query: it counts as 0"),
]


@pytest.mark.parametrize(("row", "message"), JUDGED_BADLY)
def test_a_query_without_a_relevant_passage_is_asked_and_counts_nothing(tmp_path, bird, row, message):
    write_m2kr(tmp_path, "EVQA", [EGGS, row], PASSAGES)
    (task,) = read_m2kr(tmp_path)
    assert [query.id for query in task.queries] == ["EVQA_1", "b"]
    assert task.qrels == {"EVQA_1": {"WikiWeb_a_1": 1, "WikiWeb_a_2": 1}, "b": {}}
    (problem,) = task.problems
    assert problem.place.endswith("test-00000-of-00001.parquet:row 2")
    assert message in problem.message


def test_answers_that_lack_or_say_nothing_are_named(tmp_path, bird):
    blank = m2kr_query("b", "who?", ["WikiWeb_a_1"], answers=[" "])
    lacking = m2kr_query("c", "who?", ["WikiWeb_a_1"])
    write_m2kr(tmp_path, "EVQA", [EGGS, blank, lacking], PASSAGES)
    (task,) = read_m2kr(tmp_path)
    assert [query.answers for query in task.queries] == [("two", "2"), (" ",), ()]
    assert [problem.message for problem in task.problems] == [
        "an answer is blank: as in the official script, it is in every passage",
        "the query has no answers: it counts as 0 in pseudo-recall",
    ]
    write_m2kr(tmp_path, "EVQA", [lacking], PASSAGES)
    (task,) = read_m2kr(tmp_path)
    assert task.measures[:2] == ("success@5", "success@1")
    assert [problem.message for problem in task.problems] == [
        'no "answers" in any row: pseudo-recall is not measured'
    ]


def test_a_passage_that_cannot_be_used_is_named_by_its_pool(tmp_path, bird):
    bad = [(None, "no id"), ("WikiWeb_a_1", "again"), ("e", None)]
    write_m2kr(tmp_path, "EVQA", [EGGS], [*PASSAGES, *bad])
    (task,) = read_m2kr(tmp_path)
    pool = task.pools[""]
    names = ["WikiWeb_a_1", "WikiWeb_a_2", "WikiWeb_b_1", "e"]
    assert [candidate.id for candidate in pool.read()] == names
    assert pool.size == 4
    file = f"{tmp_path}/EVQA_passages/test_passages-00000-of-00001.parquet"
    assert [str(problem) for problem in pool.problems] == [
        f'{file}:row 4: expected "passage_id", a string that is not empty or a whole number, got None',
        f"{file}:row 6: candidate 'e' has neither words nor a picture: it is never found",
        f"{file}:row 5: the id 'WikiWeb_a_1' is that of an earlier candidate, which counts",
    ]
    assert list(task.problems) == []
    with pytest.raises(InputError, match="parquet:row 4: "):
        read_m2kr(tmp_path, strict=True)


def test_files_that_are_missing_or_no_parquet_are_named(tmp_path):
    with pytest.raises(MissingPathError, match="no such folder"):
        read_m2kr(tmp_path / "nowhere")
    with pytest.raises(MissingPathError, match=r"WIT_data/test-\*.parquet: not there, nor the queries of"):
        read_m2kr(tmp_path)
    with pytest.raises(
        MissingPathError, match=r"EVQA_data/test-\*.parquet: not there; the task evqa needs it"
    ):
        read_m2kr(tmp_path, tasks=["evqa"])
    write_parquet(tmp_path / "EVQA_data" / "test-00000-of-00001.parquet", [EGGS])
    with pytest.raises(MissingPathError, match=r"EVQA_passages/test_passages-\*.parquet: not there"):
        read_m2kr(tmp_path)
    write_parquet(tmp_path / "EVQA_passages" / "test_passages-00000-of-00001.parquet", [{"passage_id": "a"}])
    write_picture(tmp_path / "inat" / "val" / "bird.jpg")
    with pytest.raises(
        InputError, match=r"no candidate that can be used \(the first problem: .*no column passa"
    ):
        read_m2kr(tmp_path)
    (tmp_path / "EVQA_data" / "test-00000-of-00001.parquet").write_bytes(b"no parquet")
    with pytest.raises(
        InputError, match=r"no query that can be used \(the first problem: .*cannot be read as P"
    ):
        read_m2kr(tmp_path)


def test_every_data_set_is_a_task():
    assert TASKS == ("wit", "iglue", "kvqa", "msmarco", "oven", "llava", "okvqa", "infoseek", "evqa")
