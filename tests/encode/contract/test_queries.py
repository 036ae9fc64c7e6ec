"""What every encoder promises of the vectors of queries."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.encode.contract.conftest import figure, long_text, unit
from tests.helpers.encoders import BLIND, SEEING, Case, only

from plait.encode import Encoder
from plait.encode.pictures import open_picture
from plait.errors import PlaitError, QueryError, ReadError
from plait.index.multi_vector import MultiVectors
from plait.schema import Box, Query, Unit
from plait.scoring.vectors import QueryVectors, Vectors

TEXT = "a red square with the blue circle"


def scores(encoder: Encoder, found: QueryVectors, units: list[Unit]) -> dict[str, Vectors]:
    """Return what each field asked says of each unit, as an index computes it."""
    encoded = encoder.encode_units(units)
    lanes = {}
    for field in encoder.fields:
        if field.name in found.fields:
            stored = [vectors.fields[field.name] for vectors in encoded]
            index = MultiVectors.of(stored, tokens=field.tokens, width=field.width)
            lanes[field.name] = index.scores(found.fields[field.name], found.weights[field.name])
    return lanes


def images_of(case: Case, pictures: dict[str, str], *colours: str) -> tuple[str, ...]:
    return tuple(pictures[colour] for colour in colours) if case.reads_pictures else ()


def check(encoder: Encoder, query: Query) -> QueryVectors:
    """Return the query's vectors, checked against the fields."""
    found = encoder.encode_query(query)
    sides = {"text": bool(query.texts), "image": bool(query.images), "joint": True}
    assert found.fields.keys() == {field.name for field in encoder.fields if sides[field.asks]}
    assert found.weights.keys() == found.fields.keys()
    for field in encoder.fields:
        if field.name not in found.fields:
            continue
        vectors, weights = found.fields[field.name], found.weights[field.name]
        assert vectors.dtype == weights.dtype == np.float32
        assert vectors.ndim == 3
        assert vectors.shape[2] == field.width
        assert weights.shape == vectors.shape[:1]
        assert (weights > 0).all()
        assert weights.sum() == pytest.approx(1, abs=1e-5)
        lengths = np.linalg.norm(vectors, axis=-1)  # 1, or where parts are filled up with zeros, 1 on average
        np.testing.assert_allclose(lengths.mean(axis=1), 1, atol=1e-4)
        assert all(len(np.unique(of_part[of_part > 0].round(3))) == 1 for of_part in lengths)
    return found


def test_a_text_an_image_and_both_fill_the_fields_that_they_ask(
    case: Case, encoder: Encoder, pictures: dict[str, str]
) -> None:
    check(encoder, Query(texts=(TEXT,)))
    if case.reads_pictures:
        check(encoder, Query(images=(pictures["red"],)))
        check(encoder, Query(texts=(TEXT,), images=(pictures["red"],)))


def test_several_texts_and_images_of_different_weight_share_the_whole(
    case: Case, encoder: Encoder, pictures: dict[str, str]
) -> None:
    images = images_of(case, pictures, "red", "blue", "green")
    check(encoder, Query(("red", TEXT), images, (3.0, 1.0), (5.0, 2.0, 1.0)[: len(images)]))


def test_a_query_scores_as_its_parts_by_their_weights(
    case: Case, encoder: Encoder, pictures: dict[str, str], units: dict[str, Unit]
) -> None:
    given = [units["usual"], units["without words"], units["without figures"]]
    if case.reads_pictures:
        both = Query(images=images_of(case, pictures, "red", "blue"), image_weights=(3.0, 1.0))
        alone = [Query(images=images_of(case, pictures, colour)) for colour in ("red", "blue")]
    else:
        both = Query(texts=("red", TEXT), text_weights=(3.0, 1.0))
        alone = [Query(texts=(text,)) for text in ("red", TEXT)]
    first, second = (scores(encoder, encoder.encode_query(query), given) for query in alone)
    for name, found in scores(encoder, encoder.encode_query(both), given).items():
        np.testing.assert_allclose(found, 0.75 * first[name] + 0.25 * second[name], atol=1e-5)


def test_asking_the_same_twice_scores_as_asking_once(
    case: Case, encoder: Encoder, pictures: dict[str, str], units: dict[str, Unit]
) -> None:
    images = images_of(case, pictures, "red")
    once = Query(images=images) if images else Query(texts=(TEXT,))
    twice = Query(images=images * 2) if images else Query(texts=(TEXT, TEXT))
    given = list(units.values())
    expected = scores(encoder, encoder.encode_query(once), given)
    for name, found in scores(encoder, encoder.encode_query(twice), given).items():
        np.testing.assert_allclose(found, expected[name], atol=1e-5)


def test_the_same_query_gives_the_same_vectors(
    case: Case, encoder: Encoder, pictures: dict[str, str]
) -> None:
    query = Query(texts=(TEXT,), images=images_of(case, pictures, "red"))
    one, other = encoder.encode_query(query), encoder.encode_query(query)
    assert all(np.array_equal(vectors, other.fields[name]) for name, vectors in one.fields.items())


def test_queries_from_several_threads_are_answered_as_from_one(encoder: Encoder) -> None:
    queries = [Query(texts=("red " * count,)) for count in (1, 40, 3, 2, 60, 5) * 5]
    expected = [encoder.encode_query(query).fields for query in queries]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(encoder.encode_query, queries))
    for one, other in zip(found, expected, strict=True):
        assert one.fields.keys() == other.keys()
        assert all(np.allclose(vectors, other[name], atol=1e-5) for name, vectors in one.fields.items())


def test_the_last_word_of_a_very_long_text_counts(encoder: Encoder) -> None:
    one, other = (encoder.encode_query(Query(texts=(long_text(last),))).fields for last in ("red", "square"))
    assert one.keys() == other.keys()
    assert all(np.abs(one[name] - other[name]).max() > 1e-4 for name in one)


def test_a_text_that_looks_like_a_picture_is_read_as_words(
    encoder: Encoder, pictures: dict[str, str]
) -> None:
    for text in (pictures["red"], "http://localhost/red.png"):
        check(encoder, Query(texts=(text,)))
        check_words(encoder, text)


def check_words(encoder: Encoder, text: str) -> None:
    """A path and its upper case are the same words for all encoders here, and no picture's path."""
    one, other = (encoder.encode_query(Query(texts=(words,))).fields for words in (text, text.upper()))
    assert all(np.allclose(vectors, other[name], atol=1e-5) for name, vectors in one.items())


@only(BLIND)
def test_an_encoder_of_words_says_what_to_do_with_an_image(
    encoder: Encoder, pictures: dict[str, str]
) -> None:
    for query in (Query(images=(pictures["red"],)), Query(texts=(TEXT,), images=(pictures["red"],))):
        with pytest.raises(QueryError, match=r"reads no pictures, and the query holds 1: ask in words only"):
            encoder.encode_query(query)


# --- pictures of every kind ---


def cmyk(path: Path) -> None:
    Image.radial_gradient("L").resize((40, 30)).convert("RGB").convert("CMYK").save(path.with_suffix(".jpg"))


def sixteen_bits(path: Path) -> None:
    values = np.linspace(0, 65535, 1200).reshape(30, 40).astype(np.uint16)
    Image.fromarray(values).save(path.with_suffix(".png"))


def animated(path: Path) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    frames[0].save(path.with_suffix(".gif"), save_all=True, append_images=frames[1:], duration=100)


def transparent_palette(path: Path) -> None:
    picture = Image.new("P", (40, 30), 1)
    picture.putpalette([255, 0, 0, 0, 0, 255, *[0] * 762])
    picture.paste(0, (5, 5, 20, 20))
    picture.save(path.with_suffix(".png"), transparency=1)


def one_pixel(path: Path) -> None:
    Image.new("RGB", (1, 1), "red").save(path.with_suffix(".png"))


def a_line(path: Path) -> None:
    Image.new("RGB", (3000, 1), "red").save(path.with_suffix(".png"))


@only(SEEING)
@pytest.mark.parametrize(
    "draw",
    [cmyk, sixteen_bits, animated, transparent_palette, one_pixel, a_line],
    ids=lambda draw: draw.__name__,
)
def test_every_kind_of_picture_is_what_a_reader_sees(
    encoder: Encoder, tmp_path: Path, draw: Callable[[Path], None]
) -> None:
    draw(tmp_path / "drawn")
    (path,) = map(str, tmp_path.glob("drawn.*"))
    open_picture(path, max_pixels=10_000).save(tmp_path / "seen.png")
    seen = str(tmp_path / "seen.png")
    found = check(encoder, Query(images=(path,)))
    content = check(encoder, Query(images=(Path(path).read_bytes(),)))
    for name, expected in check(encoder, Query(images=(seen,))).fields.items():
        np.testing.assert_allclose(found.fields[name], expected, atol=1e-5)
        np.testing.assert_allclose(content.fields[name], expected, atol=1e-5)
    one, other = encoder.encode_units([unit(k, figures=[figure(p)]) for k, p in enumerate((path, seen))])
    for name, expected in other.fields.items():
        np.testing.assert_allclose(one.fields[name], expected, atol=1e-5)


@only(SEEING)
def test_a_box_of_an_image_is_asked_as_that_part_of_it_alone(encoder: Encoder, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    values[10:30, 15:45] = (200, 30, 30)
    whole, part = tmp_path / "whole.png", tmp_path / "part.png"
    Image.fromarray(values).save(whole)
    Image.fromarray(values[10:30, 15:45]).save(part)
    box = Box(0.25, 0.25, 0.75, 0.75)
    boxed = check(encoder, Query(images=(str(whole), str(whole)), image_boxes=(box, None)))
    apart = check(encoder, Query(images=(str(part), str(whole))))
    content = check(encoder, Query(images=(whole.read_bytes(), str(whole)), image_boxes=(box, None)))
    for name, expected in apart.fields.items():
        np.testing.assert_allclose(boxed.fields[name], expected, atol=1e-6)
        np.testing.assert_allclose(content.fields[name], expected, atol=1e-6)
    every = check(encoder, Query(images=(str(whole), str(whole))))
    assert any(np.abs(every.fields[name] - there).max() > 1e-3 for name, there in apart.fields.items())


@pytest.mark.parametrize("what", ["missing", "a folder", "no picture", "no pixels", "cut off"])
def test_an_image_that_cannot_be_opened_is_named_with_a_remedy(
    case: Case, encoder: Encoder, pictures: dict[str, str], tmp_path: Path, what: str
) -> None:
    bad = tmp_path / "bad.gif"
    content = {
        "no picture": b"words",
        "no pixels": b"GIF89a\0\0\0\0\0\0\0,\0\0\0\0\0\0\0\0\0\x02\0;",
        "cut off": Path(pictures["red"]).read_bytes()[:80],
    }
    if what == "a folder":
        bad.mkdir()
    elif what in content:
        bad.write_bytes(content[what])
    with pytest.raises(QueryError, match=r"bad\.gif|reads no pictures") as error:
        encoder.encode_query(Query(texts=(TEXT,), images=(str(bad),)))
    assert isinstance(error.value, PlaitError)
    assert not isinstance(error.value, ReadError)
