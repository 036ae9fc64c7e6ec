"""A library and the questions about it, as the frozen towers see them: computed once, scored many times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from plait.encode.items import heading_of, texts_of
from plait.encode.mini_towers import Towers
from plait.encode.pictures import open_picture
from plait.errors import QueryError
from plait.index.surroundings import SurroundedBm25
from plait.model.mini.modeling_mini import PictureHeads
from plait.schema import Unit
from plait.scoring.maxsim import maxsim
from plait.scoring.vectors import Vectors
from plait.train.mini.edits import QUERY_STYLE, edit
from plait.train.mini.manuals import pictures_of
from plait.train.mini.queries import Question

_MOST_PIXELS = 50_000_000
_LONGEST_SIDE_PX = 1600
_SAME_PICTURE, _COPY_LEFT = 0.97, 0.9  # pooled cosines between unedited figures
_PICTURE_BATCH = 4


@dataclass(frozen=True, slots=True)
class Observed:
    """N units, Q questions, A pictures that they show.

    Attributes:
        questions: those asked, in order.
        passages: (P, d) of passages under their headings, unit length.
        owners: (P,) the unit of each.
        headings: (N, d) of titles and headings alone.
        words: (Q, d) of the questions' words; zeros where a question has none.
        bm25: (Q, N).
        cells: (F, cells, c), what the vision tower sees in each distinct figure.
        shown: (G, 2) which unit shows which of them.
        asked_cells: (A, cells, c) of the edited pictures asked with.
        asked_of: (Q,) which of those a question shows; -1 for none.
        originals: (A,) the figure that each was made from.
    """

    questions: tuple[Question, ...]
    passages: Vectors
    owners: NDArray[np.intp]
    headings: Vectors
    words: Vectors
    bm25: NDArray[np.float32]
    cells: Tensor
    shown: NDArray[np.intp]
    asked_cells: Tensor
    asked_of: NDArray[np.intp]
    originals: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.headings)


def observe(
    manual: Sequence[Unit], corpus: Sequence[Unit], questions: Sequence[Question], towers: Towers
) -> Observed:
    """Return what the towers see.

    A figure whose file cannot be opened counts as not there, nor is it asked for.

    Args:
        manual: the units as they are.
        corpus: the units with what is asked for taken out, row by row.
        questions: about those rows.
    """
    places, cells = _figures(manual, towers)
    asked = [one for one in questions if not one.picture or one.picture in places]
    headings = [heading_of(unit) for unit in corpus]
    texts = [texts_of(unit) for unit in corpus]
    read = [f"{head}\n{text}" for head, of_unit in zip(headings, texts, strict=True) for text in of_unit]
    vectors = towers.vectors([*read, *headings, *(question.text for question in asked)])
    passages, of_headings, words = np.split(vectors, [len(read), len(read) + len(corpus)])
    words[[not question.text for question in asked]] = 0
    bm25 = SurroundedBm25.of(corpus)
    pictures = list(dict.fromkeys(question.picture for question in asked if question.picture))
    return Observed(
        tuple(asked),
        passages,
        np.repeat(np.arange(len(corpus)), [len(of_unit) for of_unit in texts]),
        of_headings,
        words,
        np.array([bm25.scores([question.text] if question.text else []) for question in asked], np.float32),
        cells,
        _shown(corpus, places),
        _edited(pictures, pictures_of(manual), towers),
        np.array([pictures.index(one.picture) if one.picture else -1 for one in asked], np.intp),
        np.array([places[picture] for picture in pictures], np.intp),
    )


def image_lanes(observed: Observed, heads: PictureHeads) -> list[dict[str, NDArray[np.float32]]]:
    """Return, for each picture asked with, the image lanes: name -> (N,), NaN for a unit without figures."""
    if not len(observed.asked_cells):
        return []
    with torch.inference_mode():
        tokens, pooled = (part.numpy() for part in heads(observed.cells.float()))
        asked_tokens, asked_pooled = (part.numpy() for part in heads(observed.asked_cells.float()))
    return [
        {
            "image_tokens": _of_units(observed, maxsim(one[None], tokens)[0] / len(one)),
            "image": _of_units(observed, pooled @ vector),
        }
        for one, vector in zip(asked_tokens, asked_pooled, strict=True)
    ]


def text_lane(observed: Observed, heading_weight: float) -> NDArray[np.float32]:
    """Return (Q, N), the best passage's cosine, passages mixed with their headings as the encoder does."""
    mixed = observed.passages + heading_weight * observed.headings[observed.owners]
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    cosines = observed.words @ mixed.T  # (Q, P)
    begins = np.flatnonzero(np.diff(observed.owners, prepend=-1))  # every unit has a passage at least
    best: NDArray[np.float32] = np.maximum.reduceat(cosines, begins, axis=1)
    return best


def answerable(observed: Observed, heads: PictureHeads) -> list[NDArray[np.bool_] | None]:
    """Return (N,) the answers to each question; None where it cannot be asked fairly.

    Where only a picture asks, or with vague words, every unit that shows the same picture answers. A figure
    that was removed but stands elsewhere too has not gone, so its question is left out.

    Args:
        heads: the same for every model that is compared.
    """
    copies = _copies(observed, heads)
    found: list[NDArray[np.bool_] | None] = []
    for question, picture in zip(observed.questions, observed.asked_of.tolist(), strict=True):
        answers = np.arange(len(observed)) == question.row
        if question.kind in ("image", "vague"):
            answers |= copies[picture] > _SAME_PICTURE
        stays = question.kind == "removed" and copies[picture].max() > _COPY_LEFT
        found.append(None if stays else answers)
    return found


def _copies(observed: Observed, heads: PictureHeads) -> NDArray[np.float32]:
    """Return (A, N), how like the unedited figure each unit's best figure is; -1 for one without figures."""
    if not len(observed.originals):
        return np.empty((0, len(observed)), np.float32)
    with torch.inference_mode():
        pooled = heads(observed.cells.float())[1].numpy()
    found = [_of_units(observed, pooled @ pooled[figure]) for figure in observed.originals]
    return np.nan_to_num(np.stack(found), nan=-1.0)


def _of_units(observed: Observed, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (N,) the best score of each unit's figures, NaN for a unit without figures."""
    best = np.full(len(observed), -np.inf, np.float32)
    units, figures = observed.shown.T
    np.maximum.at(best, units, scores[figures])
    return np.where(np.isneginf(best), np.nan, best).astype(np.float32)


def _figures(manual: Sequence[Unit], towers: Towers) -> tuple[dict[str, int], Tensor]:
    """Return sha256 -> place, and (F, cells, c) float16 of each distinct figure that can be opened."""
    places: dict[str, int] = {}
    squeezed: list[Tensor] = []
    for sha256, path in pictures_of(manual).items():
        try:
            squeezed.append(towers.squeezed(open_picture(path, max_pixels=_MOST_PIXELS)))
        except QueryError:
            continue
        places[sha256] = len(places)
    return places, _seen(squeezed, towers)


def _seen(squeezed: Sequence[Tensor], towers: Towers) -> Tensor:
    """Return (B, cells, c) float16; (0, 1, 1) of no pictures."""
    batches = [squeezed[at : at + _PICTURE_BATCH] for at in range(0, len(squeezed), _PICTURE_BATCH)]
    return torch.cat([towers.cells(batch).half() for batch in batches]) if batches else torch.zeros(0, 1, 1)


def _edited(pictures: Sequence[str], paths: Mapping[str, str], towers: Towers) -> Tensor:
    """Return (A, cells, c) of edits of some pictures; each has one edit, which depends on it alone."""
    shown = []
    for sha256 in pictures:
        picture = open_picture(paths[sha256], max_pixels=_MOST_PIXELS)
        picture.thumbnail((_LONGEST_SIDE_PX, _LONGEST_SIDE_PX))
        rng = np.random.default_rng(int(sha256[:15], 16))
        shown.append(towers.squeezed(edit(picture, rng, QUERY_STYLE)))
    return _seen(shown, towers)


def _shown(corpus: Sequence[Unit], places: Mapping[str, int]) -> NDArray[np.intp]:
    pairs = [
        (row, places[f.picture.sha256])
        for row, unit in enumerate(corpus)
        for f in unit.figures
        if f.picture and f.picture.sha256 in places
    ]
    return np.array(pairs, np.intp).reshape(-1, 2)
