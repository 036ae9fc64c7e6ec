"""Fewer and smaller vectors that score nearly as the ones they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from plait.errors import InputError
from plait.scoring.vectors import Rung, Vectors

_POOLED = 8  # vectors an item on the rung of that name
_ROUNDS = 5  # more change no ranking
_AT_ONCE = 1000  # items; what they need stays in a processor's cache


def pooled(vectors: Vectors, count: int) -> Vectors:
    """Return (n, min(count, T), d) unit vectors, around which each item's T vectors gather.

    Spherical k-means within each item, from its most central vector and then those farthest from the ones
    before. An item's result depends on nothing but the item. Under MaxSim the centres of 32 vectors rank
    better at unit length than as means, and 4 of them lead exact rescoring as well as 8.

    Args:
        vectors: (n, T, d), float16 or float32, unit length; those of T <= count are returned as they are.
        count: at least 1.
    """
    if vectors.shape[1] <= count:
        return np.asarray(vectors, np.float32)
    centres = np.empty((len(vectors), count, vectors.shape[2]), np.float32)
    for first in range(0, len(vectors), _AT_ONCE):
        items = np.asarray(vectors[first : first + _AT_ONCE], np.float32)
        centres[first : first + _AT_ONCE] = _gathered(items, _spread(items, count))
    return centres


def int8(vectors: Vectors) -> tuple[NDArray[np.int8], Vectors]:
    """Return codes (n, P, d) in [-127, 127] and scales (n,), such that codes * scale are nearly the vectors.

    The error of a number is at most half its item's scale, which is the item's largest number / 127. An item
    of zeros, or without vectors, has scale 0.

    Args:
        vectors: (n, P, d), finite.
    """
    largest = np.abs(vectors).max(axis=(1, 2), initial=0).astype(np.float32)
    steps = np.divide(127, largest, out=np.zeros_like(largest), where=largest > 0)
    codes = np.rint(vectors * steps[:, None, None]).astype(np.int8)
    return codes, largest / np.float32(127)


@dataclass(frozen=True, slots=True)
class Coded:
    """The vectors of n items as one rung of the compression ladder keeps them.

    Attributes:
        codes: (n, vectors, ...): float16, int8, or 8 signs a uint8.
        scales: (n,) what int8 codes are multiplied with; without meaning on other rungs.
        width: d.
    """

    rung: Rung
    codes: NDArray[Any]
    scales: Vectors
    width: int

    @property
    def bytes_an_item(self) -> float:
        """Bytes that an item's codes take, and its scale where there is one."""
        scales = self.scales.nbytes if self.codes.dtype == np.int8 else 0
        return (self.codes.nbytes + scales) / max(1, len(self.codes))


def encode(vectors: Vectors, rung: Rung) -> Coded:
    """Return vectors as a rung keeps them; 32 of 128 numbers take 8 KB, 4 KB, 1 KB or half a kilobyte.

    Args:
        vectors: (n, T, d), unit length.
        rung: "float16"; "int8" with one scale an item; "pooled", which is 8 pooled vectors in int8; "binary",
            which is the sign of each number.

    Raises:
        InputError: an unknown rung.
    """
    width = vectors.shape[2]
    no_scales = np.ones(len(vectors), np.float32)
    match rung:
        case "float16":
            return Coded(rung, np.asarray(vectors, np.float16), no_scales, width)
        case "int8":
            return Coded(rung, *int8(vectors), width)
        case "pooled":
            return Coded(rung, *int8(pooled(vectors, _POOLED)), width)
        case "binary":
            return Coded(rung, np.packbits(vectors > 0, axis=2), no_scales, width)
    raise InputError(f"unknown rung {rung!r}: expected one of {', '.join(get_args(Rung))}")


def decode(coded: Coded) -> Vectors:
    """Return (n, vectors, d) what is left of the vectors; of unit length, nearly or, from signs, exactly."""
    if coded.rung == "binary":
        signs = np.unpackbits(coded.codes, axis=2, count=coded.width).astype(np.float32)
        return (2 * signs - 1) / np.float32(np.sqrt(coded.width))
    return coded.codes.astype(np.float32) * coded.scales[:, None, None]


def _spread(items: Vectors, count: int) -> Vectors:
    """Return (n, count, d) of each item's vectors: the most central, then those least like the chosen."""
    every = np.arange(len(items))
    likeness = _products(items, items.mean(axis=1))
    chosen = [items[every, likeness.argmax(axis=1)]]
    best = np.full_like(likeness, -np.inf)
    for _ in range(count - 1):
        best = np.maximum(best, _products(items, chosen[-1]))
        chosen.append(items[every, best.argmin(axis=1)])
    return np.stack(chosen, axis=1)


def _gathered(items: Vectors, centres: Vectors) -> Vectors:
    """Return the centres after rounds of k-means; one that no vector is nearest to stays where it was."""
    for _ in range(_ROUNDS):
        nearest = (items @ centres.transpose(0, 2, 1)).argmax(axis=2)  # (n, T)
        belongs = (nearest[:, None] == np.arange(centres.shape[1])[:, None]).astype(np.float32)  # (n, P, T)
        sums = belongs @ items
        lengths = np.linalg.norm(sums, axis=2, keepdims=True)
        centres = np.divide(sums, lengths, out=centres.copy(), where=lengths > 0)
    return centres


def _products(items: Vectors, with_vector: Vectors) -> Vectors:
    """Return (n, T) inner products of each item's vectors (n, T, d) with one of its own (n, d)."""
    products: Vectors = np.einsum("ntd,nd->nt", items, with_vector)
    return products
