"""Our own format, field by field, and what is said of rows that are not in it."""

from __future__ import annotations

import pytest

from plait.data.training.examples import Example, Side
from plait.data.training.jsonl import JsonlSource
from plait.errors import MissingPathError


def test_every_field_is_read(lines, images, split):
    red, blue = str(images / "red.png"), str(images / "sub" / "blue.jpg")
    file = lines(
        "rows.jsonl",
        {"query": "words", "positive": "answer"},
        {
            "id": 7,
            "query": {"text": "which?", "image": "red.png"},
            "positive": {"text": None, "image": "sub/blue.jpg"},
            "negatives": ["no", {"text": "nor this", "image": None}],
            "label": "blue things",
            "scores": [0.9, 0.1, -3],
            "grades": None,
        },
        {
            "id": "x",
            "query": {"image": "red.png"},
            "documents": ["a", "b", {"text": "c", "image": "red.png"}],
            "grades": [0, 2, 1],
            "label": 3,
        },
        {"query": "q", "documents": ["first", "second"], "negatives": None},
    )
    examples, bad = split(JsonlSource(file, images=images))
    assert bad == []
    assert examples == [
        Example(f"{file}:1", Side("words"), (Side("answer"),)),
        Example(
            "7",
            Side("which?", red),
            (Side("", blue), Side("no"), Side("nor this")),
            label="blue things",
            teacher=(0.9, 0.1, -3.0),
        ),
        Example(
            "x",
            Side("", red),
            (Side("a"), Side("b"), Side("c", red)),
            label="3",
            grades=(0.0, 2.0, 1.0),
        ),
        Example(f"{file}:4", Side("q"), (Side("first"), Side("second"))),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            {"query": "q"},
            'expected "positive" with or without "negatives", or "documents" alone; got none of them',
        ),
        ({"query": "q", "negatives": ["n"]}, 'or "documents" alone; got negatives'),
        ({"query": "q", "positive": "p", "documents": ["d"]}, "got documents, positive"),
        ({"query": "q", "documents": ["d"], "negatives": ["n"]}, "got documents, negatives"),
        ({"query": "q", "documents": []}, "a document has neither text nor image, or there is none"),
        ({"positive": "p"}, 'expected "query", words or an object of "text" and "image", got None'),
        ({"query": " ", "positive": "p"}, '"query" has neither text nor image'),
        ({"query": {"text": None, "image": None}, "positive": "p"}, '"query" has neither text nor image'),
        ({"query": {"words": "q"}, "positive": "p"}, "unknown field 'words': expected text, image"),
        ({"query": "q", "positive": ["p"]}, 'expected "positive", words or an object'),
        ({"query": "q", "positive": "p", "negatives": "n"}, "expected \"negatives\", a list, got 'n'"),
        (
            {"query": "q", "positive": "p", "negatives": ["n", 3]},
            'expected "negatives[1]", words or an object',
        ),
        (
            {"query": "q", "positive": "p", "negative": ["n"]},
            "unknown field 'negative': expected query, positive",
        ),
        (
            {"query": "q", "positive": "p", "label": 0.5},
            'expected "label", a string that is not empty or a whole',
        ),
        ({"query": "q", "positive": "p", "id": ""}, 'expected "id", a string that is not empty'),
        ({"query": "q", "positive": "p", "scores": [1, 2]}, "2 teacher scores for 1 documents"),
        ({"query": "q", "documents": ["a", "b"], "grades": [1]}, "1 grades for 2 documents"),
        (
            {"query": "q", "documents": ["a", "b"], "grades": [0, 0]},
            "grades (0.0, 0.0): expected 0 or more each",
        ),
        (
            {"query": "q", "documents": ["a", "b"], "grades": [-1, 1]},
            "grades (-1.0, 1.0): expected 0 or more",
        ),
        ({"query": "q", "positive": {"image": "gone.png"}}, "image 'gone.png' does not exist"),
        ({"query": "q", "positive": {"image": "../outside.png"}}, "leads out of the folder"),
        ({"query": "q", "positive": {"image": 3}}, 'expected "image", a string or null, got 3'),
    ],
)
def test_a_row_that_cannot_be_used_says_where_and_why(lines, images, split, row, reason):
    file = lines("rows.jsonl", {"query": "a", "positive": "b"}, "", row, {"query": "c", "positive": "d"})
    examples, bad = split(JsonlSource(file, images=images))
    assert [example.query.text for example in examples] == ["a", "c"]
    (problem,) = bad
    assert problem.place == f"{file}:3"
    assert reason in problem.reason


def test_shards_are_one_source_that_can_be_read_again(lines, split):
    for number in (2, 0, 1):
        lines(f"part-{number}.jsonl", {"query": f"q{number}", "positive": "p"}, "broken")
    source = JsonlSource(f"{lines('x', {}).parent}/part-*.jsonl")
    examples, bad = split(source)
    assert [example.query.text for example in examples] == ["q0", "q1", "q2"]
    assert len(bad) == 3
    assert split(source) == (examples, bad)
    assert source.name == "part-0"


def test_pictures_lie_beside_the_file_unless_said_otherwise(lines, images, split):
    file = lines("rows.jsonl", {"query": {"image": "images/red.png"}, "positive": "p"})
    ((example,), _) = split(JsonlSource(file))
    assert example.query.image == str(images / "red.png")


def test_the_fingerprint_tells_settings_and_files_apart(lines, images):
    file = lines("rows.jsonl", {"query": "a", "positive": "b"})
    prints = {
        JsonlSource(file).fingerprint(),
        JsonlSource(file, name="other").fingerprint(),
        JsonlSource(file, images=images).fingerprint(),
        JsonlSource(file, check_headers=True).fingerprint(),
    }
    assert len(prints) == 4
    assert JsonlSource(file).fingerprint() in prints
    lines("rows.jsonl", {"query": "a", "positive": "changed"})
    assert JsonlSource(file).fingerprint() not in prints


def test_no_file_is_an_error_at_once(tmp_path):
    with pytest.raises(MissingPathError, match=r"no such file of training rows \(JSON Lines\)"):
        JsonlSource(tmp_path / "gone.jsonl")
