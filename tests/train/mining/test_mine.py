"""Mining from rows to rows, with tiny models: what is written, what is refused, and what trains on it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from datasets import Dataset, Features, Value
from datasets import Image as ImageFeature
from PIL import Image
from tests.helpers.sentence_models import save_bert, save_clip
from tests.helpers.tiny_ret import WORDS, save_tiny_checkpoint
from tests.train.runs import write_rows

from plait.data.locking import locked
from plait.data.training.hugging_face import Columns, HuggingFaceSource
from plait.data.training.jsonl import JsonlSource
from plait.encode.st import RetMultiVectorEncoder
from plait.errors import InputError, MissingPathError, ModelError, PlaitError, TrainError
from plait.train.data import to_dataset
from plait.train.mining.mine import mine
from plait.train.mining.options import MiningOptions


@pytest.fixture(scope="module")
def ret(tmp_path_factory):
    return str(save_tiny_checkpoint(tmp_path_factory.mktemp("models") / "ret"))


@pytest.fixture
def rows(tmp_path):
    """Return a file of 20 rows, of every kind, with pictures below it."""
    write_rows(tmp_path / "rows.jsonl", rows=20)
    return tmp_path / "rows.jsonl"


def mined(file, model, *, output=None, more=None, **options):
    """Mine for a file of rows; return what was written, and the report."""
    output = output or file.parent / "mined.jsonl"
    given = {} if more is None else more
    report = mine(
        [JsonlSource(file)],
        model=model,
        output=output,
        options=MiningOptions(**options),
        device="cpu",
        **given,
    )
    return [json.loads(line) for line in output.read_text().splitlines()], report


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def as_side(given):
    """Return a side of a line as (text, image)."""
    given = {"text": given} if isinstance(given, str) else given
    return (given.get("text", ""), given.get("image", ""))


def write(file, *some):
    file.write_text("".join(json.dumps(row) + "\n" for row in some))
    return file


# --- what is written ---


def test_rows_stay_as_they_are_and_new_negatives_follow_those_that_are_there(rows, ret):
    found, report = mined(rows, ret, negatives=3, margin=math.inf)
    before = lines(rows)
    assert len(found) == len(before) == report.rows == 20
    documents = {as_side(side) for row in before for side in (row["positive"], *row["negatives"])}
    for row, was in zip(found, before, strict=True):
        assert (row["id"], row["label"]) == (was["id"], was["label"])
        for name in ("query", "positive"):
            assert as_side(row[name]) == as_side(was[name])
        kept, new = row["negatives"][:2], row["negatives"][2:]
        assert list(map(as_side, kept)) == list(map(as_side, was["negatives"]))
        assert len({as_side(side) for side in new}) == 3
        assert not {as_side(side) for side in (was["positive"], *kept)} & {as_side(side) for side in new}
        assert {as_side(side) for side in new} <= documents
    assert report.negatives == {"mined": 60, "wrong_modality": 0, "stripped": 0}
    assert (report.candidates, report.rows_without, report.images) == (len(documents), 0, None)
    assert not (rows.parent / "mined.jsonl.work").exists()


def test_they_are_those_that_the_model_ranks_highest_below_the_margin(rows, ret):
    found, report = mined(rows, ret, negatives=4, to_rank=30, margin=0.99)
    model = RetMultiVectorEncoder(ret, device="cpu")
    before = lines(rows)
    documents = list({as_side(side) for row in before for side in (row["positive"], *row["negatives"])})

    def inputs(sides):
        named = ({"text": text, "image": image and str(rows.parent / image)} for text, image in sides)
        return [{name: value for name, value in one.items() if value} for one in named]

    stored = [one.half().float() for one in model.encode_document(inputs(documents), convert_to_numpy=False)]
    ranks = []
    for row, was in zip(found, before, strict=True):
        (query,) = model.encode_query(inputs([as_side(was["query"])]), convert_to_numpy=False)
        scores = [float((query.half().float() @ one.T).amax(1).sum()) for one in stored]
        relevant = scores[documents.index(as_side(was["positive"]))]
        others = [k for k in range(len(documents)) if documents[k] != as_side(was["positive"])]
        others.sort(key=lambda k: -scores[k])
        ranks.append(1 + sum(scores[k] > relevant for k in others))
        there = {as_side(side) for side in was["negatives"]}
        ceiling = relevant - 0.01 * abs(relevant)
        low = [k for k in others[:30] if scores[k] <= ceiling and documents[k] not in there]
        new = [as_side(side) for side in row["negatives"][2:]]
        assert new == [documents[k] for k in low[:4]]
    assert report.median_rank == np.median(ranks)
    assert report.likely_relevant > 0


def test_what_is_written_is_read_as_training_data(rows, ret):
    mined(rows, ret, wrong_modality=2, stripped=True, margin=math.inf)
    dataset, report = to_dataset(
        [JsonlSource(rows.parent / "mined.jsonl")], rows.parent / "cache", progress=False
    )
    assert (report.rows, report.bad) == (20, 0)
    assert all(len(row["documents"]) > 3 for row in dataset)
    assert dataset[1]["query"]["image"] == str(rows.parent / "pictures" / "1.png")


def test_grades_and_labels_are_kept(tmp_path, ret):
    file = write(
        tmp_path / "rows.jsonl",
        {
            "query": "red",
            "documents": ["red circle", "blue", "red square"],
            "grades": [0.5, 0, 2],
            "label": "r",
        },
        {"query": "green", "positive": "green paper"},
        {"query": "grey", "positive": "grey paper", "label": "r"},
    )
    found, _ = mined(file, ret, margin=math.inf)
    assert found[0]["documents"] == ["red circle", "blue", "red square", "green paper"]
    assert found[0]["grades"] == [0.5, 0, 2, 0]
    assert [row.get("label") for row in found] == ["r", None, "r"]
    assert sorted(found[1]["negatives"]) == ["blue", "grey paper", "red circle", "red square"]
    assert sorted(found[2]["negatives"]) == ["blue", "green paper"]  # what answers the label r does not


def test_wrong_modalities_rank_before_the_relevant_document(rows, ret):
    found, report = mined(rows, ret, negatives=2, wrong_modality=3, margin=0.5)
    assert report.negatives["wrong_modality"] > 0

    def kind(side):
        text, image = as_side(side)
        return bool(text), bool(image)

    wrong = 0
    for row, was in zip(found, lines(rows), strict=True):
        new = row["negatives"][len(was["negatives"]) :]
        others = [kind(side) != kind(was["positive"]) for side in new]
        assert others == sorted(others)  # those of the right modality first
        assert sum(others) <= 3
        wrong += sum(others)
    assert wrong == report.negatives["wrong_modality"]


def test_only_a_whole_of_words_and_picture_is_stripped(rows, ret):
    found, report = mined(rows, ret, negatives=0, stripped=True)
    for k, (row, was) in enumerate(zip(found, lines(rows), strict=True)):
        new = [as_side(side) for side in row["negatives"][2:]]
        if k % 2:
            assert new == []
        else:
            text, image = as_side(was["positive"])
            assert new == [(text, ""), ("", image)]
    assert report.negatives["stripped"] == 20
    assert report.rows_without == 10


def test_a_half_that_answers_the_query_too_is_no_stripped_negative(tmp_path, ret):
    Image.new("RGB", (20, 20), "red").save(tmp_path / "red.png")
    both = {"text": "red square", "image": "red.png"}
    file = write(
        tmp_path / "rows.jsonl",
        {"query": "red", "positive": both, "label": "r"},
        {"query": "square", "positive": "red square", "label": "r"},
        {"query": "blue", "positive": "blue"},
    )
    found, _ = mined(file, ret, negatives=0, stripped=True)
    assert found[0]["negatives"] == [{"image": "red.png"}]


def test_the_same_picture_under_another_name_is_never_a_negative(tmp_path, ret):
    for name in ("one", "copy", "other"):
        color = "blue" if name == "other" else "red"
        Image.new("RGB", (20, 20), color).save(tmp_path / f"{name}.png")
    file = write(
        tmp_path / "rows.jsonl",
        {"query": "red", "positive": {"image": "one.png"}},
        {"query": "blue", "positive": {"image": "other.png"}},
        {"query": "square", "positive": {"image": "copy.png"}},
    )
    found, _ = mined(file, ret, margin=math.inf)
    assert [row["negatives"] for row in found] == [
        [{"image": "other.png"}],
        [{"image": found[1]["negatives"][0]["image"]}],  # one of both copies
        [{"image": "other.png"}],
    ]


def test_a_teacher_gives_the_models_scores_of_all_documents(tmp_path, ret):
    file = write(
        tmp_path / "rows.jsonl",
        {"query": "red", "positive": "red circle", "negatives": ["blue"], "scores": [3, 1]},
        {"query": "green", "positive": "green paper"},
    )
    with pytest.raises(InputError, match="1 rows have a teacher's scores, which new negatives would lack"):
        mined(file, ret)
    found, _ = mined(file, ret, teacher=True, margin=math.inf)
    model = RetMultiVectorEncoder(ret, device="cpu")
    for row in found:
        documents = [row["positive"], *row["negatives"]]
        expected = model.similarity(model.encode_query([row["query"]]), model.encode_document(documents))[0]
        assert len(row["scores"]) == len(documents) >= 3
        torch.testing.assert_close(torch.tensor(row["scores"]), expected, atol=5e-3, rtol=0)


def test_more_candidates_are_searched_too(tmp_path, ret):
    file = write(
        tmp_path / "rows.jsonl",
        {"query": "red", "positive": "red circle"},
        {"query": "green", "positive": "green paper"},
    )
    more = write(tmp_path / "more.jsonl", *({"text": f"{word} square"} for word in WORDS[2:6]), {"txt": "a"})
    found, report = mined(file, ret, margin=math.inf, more={"candidates": more})
    assert (report.candidates, report.bad_candidates) == (6, 1)
    assert len(found[0]["negatives"]) == 5
    with pytest.raises(MissingPathError, match="no such file of candidates"):
        mined(file, ret, output=tmp_path / "other.jsonl", more={"candidates": tmp_path / "gone.jsonl"})


def test_ids_name_their_source_where_there_are_several(tmp_path, ret):
    sources = []
    for name in ("one", "two"):
        row = {"id": "7", "query": f"red {name}", "positive": f"the {name} circle"}
        sources.append(JsonlSource(write(tmp_path / f"{name}.jsonl", row)))
    mine(sources, model=ret, output=tmp_path / "mined.jsonl", device="cpu")
    assert [row["id"] for row in lines(tmp_path / "mined.jsonl")] == ["one/7", "two/7"]


# --- pictures ---


def test_pictures_elsewhere_are_named_from_the_folder_that_holds_them_all(rows, ret):
    output = rows.parent / "out" / "mined.jsonl"
    output.parent.mkdir()
    found, report = mined(rows, ret, output=output)
    assert report.images == rows.parent / "pictures"
    assert found[1]["query"] == {"image": "1.png"}
    assert f"images: {report.images}" in str(report)
    again, report = mined(rows, ret, output=output, more={"images": rows.parent, "force": True})
    assert report.images == rows.parent
    assert again[1]["query"] == {"image": "pictures/1.png"}
    read, _ = to_dataset([JsonlSource(output, images=report.images)], rows.parent / "cache", progress=False)
    assert len(read) == 20
    with pytest.raises(InputError, match=r"not all in .*out: give a folder that holds them all"):
        mined(rows, ret, output=output, more={"images": output.parent, "force": True})


def test_pictures_that_came_as_bytes_are_named_too(tmp_path, ret):
    colors = ["red", "blue", "green"]
    shown = [Image.new("RGB", (20, 20), color) for color in colors]
    features = Features({"name": Value("string"), "photo": ImageFeature()})
    photos = Dataset.from_dict({"name": colors, "photo": shown}, features=features)
    columns = Columns(query_text="name", document_image="photo")
    source = HuggingFaceSource(photos, columns, store=tmp_path / "pictures", name="photos")
    output = tmp_path / "mined.jsonl"
    mine([source], model=ret, output=output, options=MiningOptions(margin=math.inf), device="cpu")
    read, _ = to_dataset([JsonlSource(output)], tmp_path / "cache", progress=False)
    assert [len(row["documents"]) for row in read] == [3, 3, 3]


def test_unreadable_pictures_are_counted_and_never_become_negatives(rows, ret):
    (rows.parent / "pictures" / "0.png").write_bytes(b"no picture")
    found, report = mined(rows, ret, margin=math.inf, negatives=20)
    broken = {"image": "pictures/0.png"}
    without = []
    for row, was in zip(found, lines(rows), strict=True):
        new = row["negatives"][len(was["negatives"]) :]
        assert not any(isinstance(side, dict) and side["image"] == broken["image"] for side in new)
        if any(
            isinstance(one, dict) and one.get("image") == broken["image"]
            for one in (row["query"], row["positive"])
        ):
            assert new == []
            without.append(row["id"])
    assert without == ["row0", "row7", "row14"]
    assert report.rows_without == 3
    assert report.unreadable == 4  # the queries of rows 7 and 14 show it, the answers of 0 and 14 too
    assert "4 queries or documents could not be read" in str(report)


# --- models ---


def test_models_of_one_vector_and_of_words_alone_mine_too(tmp_path):
    rows = [
        {"query": one, "positive": f"{one} {other}"}
        for one, other in zip(WORDS[2:10], WORDS[5:], strict=False)
    ]
    file = write(tmp_path / "rows.jsonl", *rows)
    found, report = mined(file, str(save_bert(tmp_path / "bert")), negatives=2, margin=math.inf)
    assert report.negatives["mined"] == 2 * len(rows)
    assert all(len(row["negatives"]) == 2 for row in found)


def test_sides_that_the_model_does_not_read_are_refused(rows, tmp_path):
    with pytest.raises(InputError, match=r"queries are of a picture, which .*bert does not read"):
        mined(rows, str(save_bert(tmp_path / "bert")))
    with pytest.raises(
        InputError, match=r"queries are of words and a picture, which .*clip does not read in"
    ):
        mined(rows, str(save_clip(tmp_path / "clip")))


def test_models_that_cannot_mine_are_named(rows):
    with pytest.raises(ModelError, match="plait-mini scores by several lanes"):
        mined(rows, "plait-mini")
    with pytest.raises(ModelError, match="no-such-model"):
        mined(rows, "no-such-model")
    assert not (rows.parent / "mined.jsonl.work").exists()


# --- what is refused, and going on ---


def test_an_output_that_is_there_is_kept_unless_forced(rows, ret):
    output = rows.parent / "mined.jsonl"
    output.write_text("mine\n")
    with pytest.raises(InputError, match=r"mined\.jsonl is there already"):
        mined(rows, ret)
    assert output.read_text() == "mine\n"
    assert len(mined(rows, ret, more={"force": True})[0]) == 20


def test_vectors_that_are_kept_serve_other_options_and_no_other_model_or_rows(rows, ret, tmp_path):
    output, work = rows.parent / "mined.jsonl", rows.parent / "mined.jsonl.work"
    first, _ = mined(rows, ret, more={"keep": True})
    stored = (work / "document.vectors").stat()
    said = []
    other, _ = mined(
        rows, ret, negatives=1, margin=math.inf, more={"keep": True, "force": True, "say": said.append}
    )
    assert (work / "document.vectors").stat().st_mtime_ns == stored.st_mtime_ns
    assert first != other
    assert not any("anew" in one for one in said)
    output.unlink()
    another = str(save_tiny_checkpoint(tmp_path / "another", seed=1))
    with pytest.raises(InputError, match=r"was begun with another model: go back, .*begin anew with force"):
        mined(rows, another)
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(
        InputError, match="was begun with another model and another rows, or other candidates"
    ):
        mined(rows, another)
    assert (work / "document.vectors").stat().st_mtime_ns == stored.st_mtime_ns
    anew, _ = mined(rows, another, more={"force": True, "say": said.append})
    assert any("begun anew" in one for one in said)
    assert len(anew) == 19
    assert anew == mined(rows, another, output=rows.parent / "plain.jsonl")[0]


def test_two_do_not_mine_into_one_output(rows, ret):
    work = rows.parent / "mined.jsonl.work"
    work.mkdir()
    with (
        locked(work, doing="mining into", instead="another output"),
        pytest.raises(TrainError, match="another process is mining into"),
    ):
        mined(rows, ret)


@pytest.mark.parametrize("device", ["cuda", "tpu"])
def test_a_device_that_is_not_there_is_an_error(rows, ret, device):
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(InputError, match=r"torch sees no GPU|expected auto, cpu or cuda"):
        mine([JsonlSource(rows)], model=ret, output=rows.parent / "mined.jsonl", device=device)


def test_what_the_disk_refuses_says_what_to_do(rows, ret):
    folder = rows.parent / "file"
    folder.write_text("")
    with pytest.raises(PlaitError, match=r"could not be read or written .*the same command then goes on"):
        mined(rows, ret, output=folder / "mined.jsonl")


def test_a_full_disk_loses_nothing_of_what_was_done(rows, ret):
    plain, _ = mined(rows, ret, output=rows.parent / "plain.jsonl")
    work = rows.parent / "mined.jsonl.work"
    work.mkdir()
    (work / "document.vectors").symlink_to("/dev/full")
    with pytest.raises(PlaitError, match=r"\(No space left on device\): see that the disk has room"):
        mined(rows, ret)
    assert not (rows.parent / "mined.jsonl").exists()
    (work / "document.vectors").unlink()
    assert mined(rows, ret)[0] == plain


def test_rows_that_cannot_be_used_are_told_and_none_is_an_error(tmp_path, ret):
    file = write(tmp_path / "rows.jsonl", {"query": "q", "positives": "a"})
    with pytest.raises(InputError, match="no row can be used"):
        mined(file, ret)


def test_progress_ends_with_all(rows, ret):
    seen = []
    mined(rows, ret, more={"progress": lambda *event: seen.append(event)})
    assert [event for event in seen if event[1] and event[1] == event[2]] == [
        ("encoding queries", 20, 20),
        ("encoding documents", 33, 33),
        ("searching", 20, 20),
    ]
