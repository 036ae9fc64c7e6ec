"""A library's documents in three parts, so that nothing is judged by what it was fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from plait.errors import InputError
from plait.schema import Unit

Part = Literal["learn", "choose", "judge"]
_SHARES: tuple[tuple[Part, float], ...] = (("learn", 0.35), ("choose", 0.3), ("judge", 0.35))
_FEWEST_DOCUMENTS = 6


def parts_of(units: Sequence[Unit], *, seed: int = 0) -> dict[str, Part]:
    """Return document id -> its part; a document is never divided.

    Whole documents, because sections of one page share words and pictures. The same units in any order
    and the same seed give the same parts.

    Raises:
        InputError: too few documents to hold some back.
    """
    documents = sorted({unit.document_id for unit in units})
    if len(documents) < _FEWEST_DOCUMENTS:
        raise InputError(
            f"adapting needs at least {_FEWEST_DOCUMENTS} documents, as some are held back to judge by: "
            f"the library has {len(documents)}; add more, or keep the model as it is"
        )
    shuffled = np.random.default_rng(seed).permutation(len(documents))
    edges = np.cumsum([round(share * len(documents)) for _, share in _SHARES[:-1]])
    groups = np.split(shuffled, edges)
    return {documents[i]: name for (name, _), group in zip(_SHARES, groups, strict=True) for i in group}


def affordable(units: Sequence[Unit], *, cpu_seconds: float, seed: int = 0) -> list[Unit]:
    """Return the units of as many documents as can be read in a time, drawn at random; at least six.

    Args:
        units: those of one document are neighbours.
        cpu_seconds: what encoding them may cost, by estimate.
    """
    costs: dict[str, float] = {}
    for unit in units:
        costs[unit.document_id] = costs.get(unit.document_id, 0.0) + _cpu_seconds(unit)
    names = sorted(costs)
    shuffled = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    count = int(np.searchsorted(np.cumsum([costs[name] for name in shuffled]), cpu_seconds, side="right"))
    taken = set(shuffled[: max(count, _FEWEST_DOCUMENTS)])
    return [unit for unit in units if unit.document_id in taken]


def _cpu_seconds(unit: Unit) -> float:
    """Return about what a core of 2020 needs for a unit: half a millisecond a word, 30 a figure."""
    words = sum(len(passage.text.split()) for passage in unit.passages)
    return 0.02 + 0.0005 * words + 0.03 * len(unit.figures)
