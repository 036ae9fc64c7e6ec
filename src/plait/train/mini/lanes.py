"""What every lane says of every unit, for all questions about one manual: scored as the product does."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from plait.encode.base import Encoder
from plait.encode.pictures import open_picture
from plait.index.surroundings import SurroundedBm25
from plait.schema import Query, Unit
from plait.scoring.maxsim import maxsim
from plait.scoring.vectors import UnitVectors
from plait.train.mini.edits import QUERY_STYLE, edit
from plait.train.mini.manuals import pictures_of
from plait.train.mini.queries import Kind, Question

_MOST_PIXELS = 50_000_000
_SAME_PICTURE, _COPY_LEFT = 0.97, 0.9  # pooled cosines between unedited figures


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, scored against the N units of its manual.

    Attributes:
        lanes: lane name -> (N,) raw scores, NaN where a unit has none.
        answers: (N,) True at the units that answer it.
    """

    kind: Kind
    lanes: Mapping[str, NDArray[np.float32]]
    answers: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Posed:
    """One question as it is put to an encoder.

    Attributes:
        row: the unit that answers it.
        query: its words, and its picture, edited.
        original: the file of the figure that it shows; "" for none, and for one of another place.
    """

    kind: Kind
    row: int
    query: Query
    original: str


def pose(
    manual: Sequence[Unit], questions: Sequence[Question], unrelated: Sequence[Image.Image]
) -> list[Posed]:
    """Return the questions with their pictures edited; how depends on a question's number alone.

    Args:
        manual: the units as they were; their figures are what questions show.
        unrelated: pictures that the manual does not hold.
    """
    pictures = pictures_of(manual)
    posed = []
    for number, question in enumerate(questions):
        original = _picture(question, pictures, unrelated, number)
        rng = np.random.default_rng(number)
        images = (_png(edit(original, rng, QUERY_STYLE)),) if original is not None else ()
        query = Query((question.text,), images)
        posed.append(Posed(question.kind, question.row, query, pictures.get(question.picture, "")))
    return posed


def score_posed(encoder: Encoder, corpus: Sequence[Unit], posed: Sequence[Posed]) -> list[Asked]:
    """Return the lanes of every question; those whose removed figure still stands elsewhere are left out.

    Args:
        corpus: the units with what is asked for taken out.
    """
    vectors = encoder.encode_units(corpus)
    bm25 = SurroundedBm25.of(corpus)
    originals = {one.original for one in posed if one.original}
    likeness = {original: _likeness(encoder, original, vectors) for original in originals}
    asked = []
    for one in posed:
        lanes = lanes_of(encoder, one.query, vectors)
        if one.query.texts:
            lanes["bm25"] = bm25.scores(one.query.texts)
        answers = np.arange(len(corpus)) == one.row
        if one.original:
            copies = np.nan_to_num(likeness[one.original], nan=-1.0)
            if one.kind == "removed" and copies.max() > _COPY_LEFT:
                continue
            if one.kind in ("image", "vague"):
                answers |= copies > _SAME_PICTURE
        asked.append(Asked(one.kind, lanes, answers))
    return asked


def lanes_of(
    encoder: Encoder, query: Query, vectors: Sequence[UnitVectors]
) -> dict[str, NDArray[np.float32]]:
    """Return field name -> (N,) best item's MaxSim over the query's tokens, NaN for a unit without items."""
    encoded = encoder.encode_query(query)
    return {
        name: _best(part[:1], [unit.fields[name] for unit in vectors])
        for name, part in encoded.fields.items()
    }


def _best(query: NDArray[np.float32], units: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    counts = [len(items) for items in units]
    scores = maxsim(query, np.concatenate(units))[0] / query.shape[1]  # (items,)
    best = np.full(len(units), -np.inf, np.float32)
    np.maximum.at(best, np.repeat(np.arange(len(units)), counts), scores)
    return np.where(np.isneginf(best), np.nan, best).astype(np.float32)


def _likeness(encoder: Encoder, original: str, vectors: Sequence[UnitVectors]) -> NDArray[np.float32]:
    """Return (N,) how like the unedited figure each unit's best figure is; NaN for a unit without any."""
    return lanes_of(encoder, Query(images=(original,)), vectors)["image"]


def _picture(
    question: Question, pictures: Mapping[str, str], unrelated: Sequence[Image.Image], number: int
) -> Image.Image | None:
    if question.picture == "*":
        return unrelated[number % len(unrelated)]
    if question.picture:
        return open_picture(pictures[question.picture], max_pixels=_MOST_PIXELS)
    return None


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
