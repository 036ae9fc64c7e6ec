"""ReT-M2KR's lines and M2KR's Parquet, in their published forms."""

from __future__ import annotations

import os

import pyarrow
import pytest
from pyarrow import parquet

from plait.data.training.examples import BadRow, Example, Side
from plait.data.training.instructions import instructions_of
from plait.data.training.m2kr import M2krSource
from plait.data.training.ret_m2kr import RetM2krSource, joined
from plait.errors import InputError, MissingPathError

OKVQA = {
    "data_id": "okvqa_1",
    "instruction": "Using the provided image, obtain documents that address the subsequent question:",
    "question": "What sport is this?",
    "image_path": "red.png",
    "passage_id": ["p1", "p7"],
    "passage_text": ["Tennis is ...", "A racket ..."],
    "answer": ["tennis"],
}
ASKED = "Using the provided image, obtain documents that address the subsequent question: What sport is this?"
WIT = {
    "data_id": "wit_1",
    "instruction": "What document is represented by this image?:",
    "question": None,
    "image_path": "sub/blue.jpg",
    "passage_id": "w1",
    "passage_text": "title: Blue",
    "passage_image_path": None,
    "answer": None,
}
MBEIR = {
    "data_id": 12,
    "instruction": None,
    "question": "a red thing",
    "image_path": None,
    "passage_id": 9,
    "passage_text": None,
    "passage_image_path": "red.png",
    "answer": [{"wikidata": 3}],
}
PASSAGES = [
    {"passage_id": "p1", "passage_text": "Tennis is ...", "passage_image_path": "sub/blue.jpg"},
    {"passage_id": "p7", "passage_text": None, "passage_image_path": "red.png"},
    {"passage_id": 8, "passage_text": "eight", "passage_image_path": None},
]


def test_scalars_lists_and_nulls_are_read(lines, images, split):
    file = lines("m2kr_up_train.jsonl", OKVQA, WIT, MBEIR)
    examples, bad = split(RetM2krSource(file, images=images))
    red, blue = str(images / "red.png"), str(images / "sub" / "blue.jpg")
    assert bad == []
    assert examples[0].query == Side(ASKED, red)
    assert examples[0].documents in {(Side("Tennis is ..."),), (Side("A racket ..."),)}
    assert examples[1:] == [
        Example("wit_1", Side("What document is represented by this image?:", blue), (Side("title: Blue"),)),
        Example("12", Side("a red thing"), (Side("", red),)),
    ]


def test_passages_are_looked_up_where_rows_say_nothing_of_their_pictures(lines, images, split):
    without = {key: value for key, value in OKVQA.items() if key != "passage_text"}
    rows = [{**OKVQA, "passage_id": "p1", "passage_text": "ours"}, {**without, "passage_id": ["p7"]}]
    rows += [{**without, "passage_id": 8}, WIT, {**without, "passage_id": "p9"}]
    file = lines("rows.jsonl", *rows)
    passages = lines("passages.jsonl", *PASSAGES)
    examples, bad = split(RetM2krSource(file, images=images, passages=passages))
    red, blue = str(images / "red.png"), str(images / "sub" / "blue.jpg")
    assert [example.documents for example in examples] == [
        (Side("Tennis is ...", blue),),
        (Side("", red),),
        (Side("eight"),),
        (Side("title: Blue"),),  # its picture is null, not missing
    ]
    assert bad == [BadRow(f"{file}:5", "passage 'p9' is in none of the files of passages")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data_id": None}, 'expected "data_id"'),
        ({"passage_id": []}, 'expected "passage_id", an id or a list of them, got none'),
        ({"passage_id": None}, 'expected "passage_id", an id or a list of them, got none'),
        ({"passage_text": ["one"]}, '2 "passage_id", but 1 "passage_text": expected one each'),
        ({"passage_text": None}, "has neither text nor image here: look it up in `passages`"),
        ({"passage_image_path": ["red.png"]}, '2 "passage_id", but 1 "passage_image_path"'),
        ({"passage_image_path": ["gone.png", "gone.png"]}, "image 'gone.png' does not exist"),
        ({"image_path": "/etc/hostname"}, "leads out of the folder"),
        ({"image_path": None, "question": None, "instruction": ""}, "the query has neither text nor image"),
        ({"question": 3}, 'expected "question", a string or null, got 3'),
    ],
)
def test_a_damaged_row_of_ret_m2kr_says_where_and_why(lines, images, split, change, reason):
    file = lines("rows.jsonl", WIT, {**OKVQA, **change})
    examples, (bad,) = split(RetM2krSource(file, images=images))
    assert [example.id for example in examples] == ["wit_1"]
    assert bad.place == f"{file}:2"
    assert reason in bad.reason


def test_repeated_rows_draw_anew_and_a_seed_draws_the_same(lines, images):
    rows = [{**OKVQA, "image_path": None}] * 40
    first = lines("first.jsonl", *rows)
    moved = lines("elsewhere/moved.jsonl", *rows)
    drawn = [example.documents[0].text for example in RetM2krSource(first, images=images)]
    assert 8 < drawn.count("Tennis is ...") < 32
    assert [example.documents[0].text for example in RetM2krSource(moved, images=images)] == drawn
    assert [e.documents[0].text for e in RetM2krSource(first, images=images, seed=1)] != drawn


def test_a_passages_file_tells_its_own_problems(lines, images, split):
    passages = lines(
        "passages.jsonl",
        *PASSAGES,
        "broken",
        {"passage_text": "no id"},
        PASSAGES[0],  # the same again is none
        {"passage_id": "p7", "passage_text": "another"},
    )
    file = lines("rows.jsonl", {**WIT, "passage_id": "p7"})
    row = {key: value for key, value in WIT.items() if key != "passage_image_path"} | {"passage_id": "p7"}
    file = lines("rows.jsonl", row)
    ((example,), bad) = split(RetM2krSource(file, images=images, passages=passages))
    assert example.documents == (Side("", str(images / "red.png")),)  # the first one
    start = sum(map(len, passages.read_bytes().splitlines(keepends=True)[:6]))
    assert [problem.place for problem in bad] == [
        f"{passages}:4",
        f"{passages}:5",
        f"{passages}:byte {start}",
    ]
    assert bad[2].reason == "the id 'p7' is that of an earlier, different row, which counts"


def test_instruction_and_question_are_joined_by_one_space():
    assert joined("Find: ", " what? ") == "Find: what?"
    assert (joined("Find:", ""), joined("", "what?"), joined(" ", "")) == ("Find:", "what?", "")


# --- Parquet ---

LIST = pyarrow.list_(pyarrow.string())
DATA = pyarrow.schema(
    [(name, pyarrow.string()) for name in ("question_id", "question", "instruction", "img_path")]
    + [(name, LIST) for name in ("pos_item_ids", "pos_item_contents", "answers")]
)
EVQA = {
    "question_id": "EVQA_1",
    "question": "How many eggs does it lay?",
    "instruction": "Using the provided image, obtain documents that address the subsequent question: ",
    "img_path": "sub/blue.jpg",
    "pos_item_ids": ["WikiWeb_a_1"],
    "pos_item_contents": ["It lays two eggs."],
    "answers": ["two"],
}


@pytest.fixture
def table(tmp_path):
    def write(name, rows, schema=DATA, **options):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), file, **options)
        return file

    return write


def test_parquet_rows_are_read_by_their_published_names(table, images, split):
    text_only = {**EVQA, "question_id": "MSMARCO_2", "img_path": None, "instruction": None, "answers": None}
    picture_only = {**EVQA, "question_id": "WIT_3", "question": None, "instruction": "What is this?:"}
    source = M2krSource(table("EVQA_data/train-0.parquet", [EVQA, text_only, picture_only]), images=images)
    examples, bad = split(source)
    blue = str(images / "sub" / "blue.jpg")
    assert bad == []
    assert [example.query for example in examples] == [
        Side(
            "Using the provided image, obtain documents that address the subsequent question: How many eggs "
            "does it lay?",
            blue,
        ),
        Side("How many eggs does it lay?"),
        Side("What is this?:", blue),
    ]
    assert {example.documents for example in examples} == {(Side("It lays two eggs."),)}
    assert source.name == "EVQA_data"
    assert split(source) == (examples, bad)


def test_published_instructions_are_drawn_by_seed(table, images):
    rows = [{**EVQA, "question_id": f"EVQA_{k}", "img_path": None} for k in range(800)]
    file = table("data.parquet", rows, row_group_size=100)

    def texts(seed):
        return [e.query.text for e in M2krSource(file, images=images, instructions_as="E-VQA", seed=seed)]

    found = texts(0)
    assert texts(0) == found != texts(1)
    published = instructions_of("evqa")
    counts = [sum(text.startswith(one) for text in found) for one in published]
    assert sum(counts[k] for k in range(8) if k != 3) == 800  # the fourth and the last are the same
    assert 150 < counts[7] < 250
    assert all(60 < count < 140 for k, count in enumerate(counts) if k not in (3, 7))
    with pytest.raises(
        InputError, match=r"no instructions are published for 'MSMARCO': expected one of evqa, "
    ):
        M2krSource(file, images=images, instructions_as="MSMARCO")


def test_contents_that_lack_are_looked_up_in_the_passages(table, images, split, tmp_path):
    rows = [EVQA, {**EVQA, "pos_item_contents": None}, {**EVQA, "pos_item_contents": [None]}]
    rows += [{**EVQA, "pos_item_ids": ["gone"], "pos_item_contents": None}]
    file = table("data.parquet", rows)
    schema = pyarrow.schema([("passage_id", pyarrow.string()), ("passage_content", pyarrow.string())])
    stored = [{"passage_id": f"WikiWeb_a_{k}", "passage_content": f"passage {k}"} for k in range(3)]
    passages = table("passages.parquet", stored, schema)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    source = M2krSource(file, images=images, passages=passages, scratch=scratch)
    examples, bad = split(source)
    assert [e.documents[0].text for e in examples] == ["It lays two eggs.", "passage 1", "passage 1"]
    assert bad == [BadRow(f"{file}:row 4", "passage 'gone' is in none of the files of passages")]
    assert len(list(scratch.iterdir())) == 1
    del source
    assert list(scratch.iterdir()) == []
    _, bad = split(M2krSource(file, images=images))
    assert [row.place for row in bad] == [f"{file}:row {k}" for k in (2, 3, 4)]
    assert "has no text here: look it up in `passages`" in bad[0].reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"question_id": None}, 'expected "question_id"'),
        ({"pos_item_ids": []}, 'expected "pos_item_ids", a list of ids, got none'),
        ({"pos_item_contents": ["a", "b"]}, '1 "pos_item_ids", but 2 "pos_item_contents"'),
        ({"img_path": "gone.jpg"}, "does not exist"),
        ({"img_path": None, "question": " ", "instruction": None}, "the query has neither text nor image"),
    ],
)
def test_a_damaged_row_of_parquet_says_where_and_why(table, images, split, change, reason):
    file = table("data.parquet", [EVQA, EVQA, {**EVQA, **change}], row_group_size=1)
    examples, (bad,) = split(M2krSource(file, images=images))
    assert len(examples) == 2
    assert bad.place == f"{file}:row 3"
    assert reason in bad.reason


def test_a_file_that_is_no_parquet_or_lacks_columns_is_one_bad_row(table, images, split, lines):
    good = table("a.parquet", [EVQA])
    broken = table("b.parquet", [EVQA] * 3)
    os.truncate(broken, broken.stat().st_size - 10)
    other = table("c.parquet", [{"id": "1"}], pyarrow.schema([("id", pyarrow.string())]))
    examples, bad = split(M2krSource([broken, other, good], images=images))
    assert len(examples) == 1
    assert [row.place for row in bad] == [str(broken), str(other)]
    assert bad[0].reason.startswith("cannot be read as Parquet (")
    assert bad[1].reason == (
        "no column question_id, question, pos_item_ids: expected question_id, question, pos_item_ids; "
        "it has id"
    )
    with pytest.raises(MissingPathError, match=r"M2KR rows \(Parquet\)"):
        M2krSource(good.parent / "none-*.parquet", images=images)


def test_rows_lost_in_a_damaged_file_are_counted_one_by_one(table, images, split):
    rows = [{**EVQA, "question_id": f"EVQA_{k}", "img_path": None} for k in range(6)]
    file = table("data.parquet", rows, row_group_size=2)
    start = parquet.ParquetFile(file).metadata.row_group(1).column(0).dictionary_page_offset
    with file.open("rb+") as stream:
        stream.seek(start)
        stream.write(b"\xff" * 40)
    examples, bad = split(M2krSource(file, images=images))
    assert [example.id for example in examples] == ["EVQA_0", "EVQA_1", "EVQA_4", "EVQA_5"]
    assert [row.place for row in bad] == [f"{file}:row 3", f"{file}:row 4"]
    assert bad[0].reason.startswith("damaged Parquet (")
