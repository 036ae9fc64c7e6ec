"""How the vectors of a library are kept: the rungs of a ladder from exact to small."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.scoring.quantise import int8, pooled
from plait.scoring.vectors import POOLED_TOKENS, Rung, Vectors


def kept(vectors: Vectors | NDArray[np.float16], rung: Rung) -> NDArray[Any]:
    """Return vectors as a rung keeps them; 32 of 128 numbers take 8 KB, 4 KB, 1 KB or half a kilobyte.

    "float16" keeps each number in half precision. "int8" keeps each vector's direction, in steps of its
    largest number / 127. "pooled" is int8 of up to 8 vectors an item, around which its own gather. "binary"
    is the sign of each number. All but the first keep no length, so vectors must be of unit length, or zeros.

    Args:
        vectors: (n, tokens, width).

    Returns:
        (n, tokens, width) float16 or int8 ("pooled": up to 8 tokens), or (n, tokens, width / 8 rounded up)
        uint8. What `restored` gives of it is kept again as the very same codes.
    """
    match rung:
        case "float16":
            return np.asarray(vectors, np.float16)
        case "binary":
            return np.packbits(vectors > 0, axis=2)
        case "pooled":
            vectors = pooled(np.asarray(vectors), POOLED_TOKENS)
    items, tokens, width = vectors.shape
    codes, _ = int8(np.asarray(vectors, np.float32).reshape(items * tokens, 1, width))
    return codes.reshape(vectors.shape)


def restored(codes: NDArray[Any], rung: Rung, width: int) -> NDArray[np.float16]:
    """Return (n, tokens, width) what is left of vectors; of unit length, or as they were in float16.

    Args:
        codes: as `kept` returned them.
    """
    if rung == "float16":
        return np.asarray(codes, np.float16)
    if rung == "binary":
        signs = np.unpackbits(codes, axis=2, count=width).astype(np.float16)
        signs = 2 * signs - 1
        signs *= np.float16(1 / np.sqrt(width))
        return signs
    values = codes.astype(np.float32)
    lengths = np.sqrt(np.einsum("ntd,ntd->nt", values, values))[..., None]
    np.divide(values, lengths, out=values, where=lengths > 0)
    return values.astype(np.float16)


def numbers_kept(rung: Rung, width: int) -> tuple[int, np.dtype[Any]]:
    """Return how many numbers a rung keeps of a vector, and of what type."""
    match rung:
        case "float16":
            return width, np.dtype("<f2")
        case "binary":
            return -(-width // 8), np.dtype("u1")
        case _:
            return width, np.dtype("i1")
