"""Hugging Face datasets of every kind become examples, their pictures files."""

from __future__ import annotations

import io
import os

import datasets
import pytest
from PIL import Image

from plait.data.training.examples import Example, Side
from plait.data.training.hugging_face import Columns, HuggingFaceSource, named, saved
from plait.errors import InputError, MissingPathError

TEXTS = Columns(query_text="question", document_text="passage")


@pytest.fixture
def png():
    def make(colour):
        buffer = io.BytesIO()
        Image.new("RGB", (4, 4), colour).save(buffer, "PNG")
        return buffer.getvalue()

    return make


@pytest.fixture
def illustrated(png):
    """Return a data set whose columns hold pictures in all the ways that there are."""
    picture, side = datasets.Image(), {"text": datasets.Value("string"), "image": datasets.Image()}
    features = datasets.Features(
        {
            "question": datasets.Value("string"),
            "shown": picture,
            "passage": datasets.Value("string"),
            "figure": datasets.Value("binary"),
            "wrong": datasets.List(side),
            "wrong_figures": datasets.List(picture),
            "wrong_text": datasets.Value("string"),
            "kind": datasets.ClassLabel(names=["a", "b"]),
            "scores": datasets.List(datasets.Value("float32")),
            "key": datasets.Value("int64"),
            "unused": picture,
        }
    )
    rows = [
        {
            "question": "red?",
            "shown": {"bytes": png("red"), "path": None},
            "passage": "it is red",
            "figure": png("blue"),
            "wrong": [
                {"text": "green", "image": {"bytes": png("green"), "path": "green.png"}},
                {"text": "words", "image": None},
            ],
            "wrong_figures": [{"bytes": png("grey"), "path": None}],
            "wrong_text": "black",
            "kind": 1,
            "scores": [1.0, 0.5, 0.25, 0.0, -1.0],
            "key": 70,
            "unused": {"bytes": b"not a picture", "path": None},
        },
        {"question": None, "shown": {"bytes": png("red"), "path": None}, "passage": None,
         "figure": png("blue"), "wrong": [], "wrong_figures": None, "wrong_text": None,
         "kind": None, "scores": None, "key": None, "unused": None},
    ]  # fmt: skip
    return datasets.Dataset.from_list(rows, features=features)


ALL = Columns(
    query_text="question",
    query_image="shown",
    document_text="passage",
    document_image="figure",
    negatives=("wrong", "wrong_figures", "wrong_text"),
    label="kind",
    scores="scores",
    id="key",
)


def check_illustrated(source, png):
    first, second = list(source)
    assert (first.id, first.label, first.teacher) == ("70", "1", (1.0, 0.5, 0.25, 0.0, -1.0))
    assert (second.id, second.label, second.teacher) == ("1", "", ())
    sides = [(first.query, "red"), (first.documents[0], "blue"), (first.documents[1], "green")]
    sides += [(first.documents[3], "grey"), (second.query, "red"), (second.documents[0], "blue")]
    for side, colour in sides:
        with open(side.image, "rb") as file:
            assert file.read() == png(colour)
    assert [side.text for side in first.documents] == ["it is red", "green", "words", "", "black"]
    assert (first.documents[2].image, first.documents[4].image, len(second.documents)) == ("", "", 1)
    assert second.query.image == first.query.image  # one file a content


def test_pictures_in_every_form_become_files(illustrated, png, tmp_path):
    source = HuggingFaceSource(illustrated, ALL, store=tmp_path / "store")
    check_illustrated(source, png)
    assert list(source) == list(source)
    assert sum(len(files) for _, _, files in os.walk(tmp_path / "store")) == 4  # the unused one is not read


def test_a_saved_data_set_is_read_again(illustrated, png, tmp_path):
    illustrated.save_to_disk(str(tmp_path / "saved"))
    source = HuggingFaceSource(saved(tmp_path / "saved"), ALL, store=tmp_path / "store")
    check_illustrated(source, png)
    assert (
        source.fingerprint()
        == HuggingFaceSource(saved(tmp_path / "saved"), ALL, store=tmp_path / "store").fingerprint()
    )
    datasets.DatasetDict({"train": illustrated}).save_to_disk(str(tmp_path / "splits"))
    check_illustrated(
        HuggingFaceSource(saved(tmp_path / "splits", split="train"), ALL, store=tmp_path / "store"), png
    )
    with pytest.raises(InputError, match="split None; expected one of train"):
        saved(tmp_path / "splits")


def test_a_streamed_data_set_is_read_as_it_comes(illustrated, png, tmp_path):
    streamed = illustrated.to_iterable_dataset()
    source = HuggingFaceSource(streamed, ALL, store=tmp_path / "store")
    check_illustrated(source, png)
    check_illustrated(source, png)
    assert source.fingerprint() is None


@pytest.mark.parametrize("streaming", [False, True])
def test_a_data_set_of_files_is_loaded_by_name(illustrated, png, tmp_path, streaming):
    (tmp_path / "repository").mkdir()
    illustrated.to_parquet(str(tmp_path / "repository" / "train.parquet"))
    found = named(
        str(tmp_path / "repository"), split="train", streaming=streaming, cache_folder=tmp_path / "cache"
    )
    check_illustrated(HuggingFaceSource(found, ALL, store=tmp_path / "store"), png)


def test_paths_need_a_folder_and_stay_inside_it(images, tmp_path, split):
    rows = datasets.Dataset.from_dict(
        {"question": ["q"] * 3, "figure": ["red.png", "../outside.png", str(images / "red.png")]}
    )
    columns = Columns(query_text="question", document_image="figure")
    (a, b), (bad,) = split(HuggingFaceSource(rows, columns, store=tmp_path, images=images, name="photos"))
    assert a.documents == b.documents == (Side("", str(images / "red.png")),)
    assert bad.place == "photos:row 1"
    assert "leads out of the folder" in bad.reason
    _, bad = split(HuggingFaceSource(rows, columns, store=tmp_path))
    assert {row.reason.partition("the path")[2].split(":")[-1] for row in bad} == {
        " say in which folder pictures are"
    }


def test_rows_that_cannot_be_used_are_told(tmp_path, split):
    rows = datasets.Dataset.from_dict(
        {
            "question": ["a", " ", "c", "d"],
            "passage": ["b", "b", None, "e"],
            "score": [0.5, 1.0, 1.0, float("nan")],
        }
    )
    source = HuggingFaceSource(
        rows, Columns(query_text="question", document_text="passage", scores="score"), store=tmp_path
    )
    examples, bad = split(source)
    assert examples == [Example("0", Side("a"), (Side("b"),), teacher=(0.5,))]
    assert [(row.place, row.reason[:44]) for row in bad] == [
        ("hugging face:row 1", "the query has neither text nor image"),
        ("hugging face:row 2", "a document has neither text nor image, or th"),
        ("hugging face:row 3", 'expected "score", a list of finite numbers o'),
    ]
    numbers = datasets.Dataset.from_dict({"question": [1, 2], "passage": ["b", "c"]})
    _, bad = split(HuggingFaceSource(numbers, TEXTS, store=tmp_path))
    assert bad[1].reason == 'expected "question", a string or null, got 2'


def test_columns_that_are_not_there_are_an_error_at_once(tmp_path):
    rows = datasets.Dataset.from_dict({"question": ["a"], "text": ["b"]})
    with pytest.raises(InputError, match="no column passage; the data set has question, text"):
        HuggingFaceSource(rows, TEXTS, store=tmp_path)
    with pytest.raises(
        InputError, match="no column for the document: give document_text, document_image or both"
    ):
        HuggingFaceSource(rows, Columns(query_text="question"), store=tmp_path)


def test_the_fingerprint_follows_rows_and_columns(tmp_path):
    rows = datasets.Dataset.from_dict({"question": ["a", "b"], "passage": ["b", "c"]})

    def of(given, columns=TEXTS):
        return HuggingFaceSource(given, columns, store=tmp_path).fingerprint()

    swapped = Columns(query_text="passage", document_text="question")
    assert of(rows) == of(rows)
    assert len({of(rows), of(rows.select([0])), of(rows, swapped)}) == 3


def test_what_is_not_there_says_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(MissingPathError, match="holds no data set that save_to_disk wrote"):
        saved(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        InputError, match=r"'nobody/nothing' \(default, train\) cannot be loaded .*save_to_disk it"
    ):
        named("nobody/nothing", split="train", cache_folder=tmp_path)


def test_a_damaged_data_set_is_told(tmp_path):
    rows = datasets.Dataset.from_dict({"question": ["a"] * 50, "passage": ["b"] * 50})
    rows.save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "saved" / "state.json").write_text("{")
    with pytest.raises(InputError, match="the data set in it cannot be read"):
        saved(tmp_path / "saved")
