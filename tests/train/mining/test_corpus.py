"""Rows become distinct queries and documents, each known by number, and what answers what."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from plait.data.training.examples import Side
from plait.data.training.jsonl import JsonlSource
from plait.encode.side_vectors import BOTH, IMAGE, TEXT
from plait.errors import MissingPathError
from plait.train.data import to_dataset
from plait.train.mining.candidates import Candidates
from plait.train.mining.corpus import read_corpus, side_of


@pytest.fixture
def read(tmp_path):
    """Return what reads rows as a corpus; red.png lies in one folder, blue.png in another."""
    for name in ("red", "blue"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (4, 4), name).save(tmp_path / name / f"{name}.png")
    (tmp_path / "work").mkdir()

    def corpus(*rows, more=()):
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        dataset, _ = to_dataset([JsonlSource(tmp_path / "rows.jsonl")], tmp_path / "cache", progress=False)
        return read_corpus(dataset, more, tmp_path / "work")

    return corpus


RED, BLUE = {"image": "red/red.png"}, {"text": "sky", "image": "blue/blue.png"}
ROWS = (
    {"query": "q", "positive": "a", "negatives": [RED, "b"], "label": "x"},
    {"query": BLUE, "positive": "b", "negatives": ["a"]},
    {"query": "q", "documents": ["c", BLUE, "a"], "grades": [0.5, 2, 0], "label": "y"},
    {"query": "r", "positive": "d", "label": "x"},
)


def test_each_side_is_there_once_in_the_order_in_which_it_comes(read, tmp_path):
    corpus = read(*ROWS)
    texts = [(side["text"], side["image"][-8:]) for side in corpus.documents]
    assert texts == [("a", ""), ("", "/red.png"), ("b", ""), ("c", ""), ("sky", "blue.png"), ("d", "")]
    assert [side["text"] for side in corpus.queries] == ["q", "sky", "r"]
    assert corpus.query.tolist() == [0, 1, 0, 2]
    assert [corpus.own(row).tolist() for row in range(4)] == [[0, 1, 2], [2, 0], [3, 4, 0], [5]]
    assert corpus.best.tolist() == [0, 2, 4, 5]
    assert corpus.kinds.tolist() == [TEXT, IMAGE, TEXT, TEXT, BOTH, TEXT]
    assert corpus.query_kinds.tolist() == [TEXT, BOTH, TEXT]
    assert corpus.pictures == str(tmp_path)


def test_a_row_is_answered_by_its_own_documents_those_of_its_label_and_of_its_query(read):
    corpus = read(*ROWS)
    assert corpus.answers(0).tolist() == [0, 3, 4, 5]  # a; c and BLUE of the query q; d of the label x
    assert corpus.answers(1).tolist() == [2]  # rows without a label have none in common
    assert corpus.answers(2).tolist() == [0, 3, 4]
    assert corpus.answers(3).tolist() == [0, 5]


def test_more_candidates_come_after_those_of_rows(read, tmp_path):
    blue = str(tmp_path / "blue" / "blue.png")
    corpus = read(*ROWS, more=[Side("b"), Side("new"), Side("sky", blue)])
    assert len(corpus.documents) == 7
    assert side_of(corpus.documents[6]) == Side("new")
    assert corpus.digest != read(*ROWS).digest


def test_another_row_another_label_and_another_grade_are_other_rows(read):
    first = read(*ROWS).digest
    assert read(*ROWS).digest == first
    for change in (
        {"label": "z"}, {"query": "p"}, {"positive": "b"}, {"id": "7"}, {"scores": [1, 2, 3]}
    ):  # fmt: skip
        assert read(ROWS[0] | change, *ROWS[1:]).digest != first


def test_rows_without_pictures_have_no_folder_of_them(read):
    assert read({"query": "q", "positive": "a"}, {"query": "r", "positive": "b"}).pictures == ""


def test_candidates_that_cannot_be_used_are_counted_and_told(tmp_path):
    Image.new("RGB", (4, 4), "red").save(tmp_path / "red.png")
    lines = ['{"text": "a"}', '{"image": "red.png", "text": null}', '{"txt": "a"}', "[]", '{"text": " "}']
    lines += ['{"image": "gone.png"}', "", '{"text": "b"}']
    (tmp_path / "more.jsonl").write_text("\n".join(lines))
    candidates = Candidates(tmp_path / "more.jsonl")
    for _ in range(2):
        assert list(candidates) == [Side("a"), Side("", str(tmp_path / "red.png")), Side("b")]
        assert candidates.bad == 4
    assert "more.jsonl:3: unknown field 'txt'" in candidates.first_bad
    with pytest.raises(MissingPathError, match=r"gone\.jsonl: no such file of candidates"):
        Candidates(tmp_path / "gone.jsonl")
