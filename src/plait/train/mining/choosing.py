"""Which of the candidates found for a row become its hard negatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.data.training.drawing import generator
from plait.train.mining.options import MiningOptions
from plait.train.mining.searching import Found


@dataclass(frozen=True, slots=True)
class Chosen:
    """The hard negatives of a row.

    Attributes:
        negatives, wrong_modality: numbers of documents, best first.
        likely_relevant: how many candidates between the ranks were left out, for they scored too near the
            relevant document or above it.
    """

    negatives: tuple[int, ...]
    wrong_modality: tuple[int, ...]
    likely_relevant: int


def choose(
    found: Found,
    row: int,
    *,
    options: MiningOptions,
    name: str,
    contents: NDArray[np.uint64],
    never: NDArray[np.uint64],
) -> Chosen:
    """Return the hard negatives of one row; none where its relevant document has no score.

    Args:
        row: its place in `found`.
        name: of the row, by which it draws.
        contents: (N,) a hash of each document's content.
        never: contents that cannot be negatives: what answers the row, and what it has already.
    """
    relevant = float(found.relevant[row])
    if np.isnan(relevant):
        return Chosen((), (), 0)
    ranks = slice(options.from_rank - 1, options.to_rank)
    places, scores = found.places[row, ranks], found.scores[row, ranks]
    usable = _usable(places, scores, contents, never)
    low = scores <= options.ceiling(relevant)
    negatives = _taken(places[usable & low], options.negatives, options, f"{name} negatives")
    wrong = np.zeros(0, dtype=np.int64)
    if options.wrong_modality:
        wrong = found.wrong_places[row]
        wrong = wrong[_usable(wrong, found.wrong_scores[row], contents, never)]
    return Chosen(
        negatives,
        _taken(wrong, options.wrong_modality, options, f"{name} wrong modality"),
        int(np.count_nonzero(usable & ~low)),
    )


def _usable(
    places: NDArray[np.int64],
    scores: NDArray[np.float32],
    contents: NDArray[np.uint64],
    never: NDArray[np.uint64],
) -> NDArray[np.bool_]:
    """Return which candidates are there, may be negatives, and are the first of their content."""
    there = np.isfinite(scores)
    of_each = contents[places]
    first = np.zeros(len(places), dtype=np.bool_)
    first[np.unique(of_each, return_index=True)[1]] = True
    return there & first & ~np.isin(of_each, never)


def _taken(
    places: Sequence[int] | NDArray[np.int64], count: int, options: MiningOptions, purpose: str
) -> tuple[int, ...]:
    """Return so many of the places, in their order."""
    listed = [int(place) for place in places]
    if options.choose == "random" and len(listed) > count:
        kept = set(generator(options.seed, purpose).sample(listed, count))
        return tuple(place for place in listed if place in kept)
    return tuple(listed[:count])
