"""Which rows to encode together: those of one kind and of like length, so that little is padding."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

from plait.errors import InputError

_T = TypeVar("_T")


def length_batches(
    lengths: Sequence[int],
    *,
    kinds: Sequence[Hashable] | None = None,
    batch_size: int | None = None,
    max_tokens: int | None = None,
    max_padding: float = 1.0,
) -> list[list[int]]:
    """Return the rows in batches, each row in one, the longest first within a kind.

    Longest first, because shorter batches then fit into memory that longer ones had.

    Args:
        lengths: tokens of each row.
        kinds: rows of unlike kinds never share a batch (text only, with an image, ...); None: all alike.
        batch_size: rows a batch has at most; None: any number.
        max_tokens: tokens a batch has at most, padding counted; a longer row is alone. None: any number.
        max_padding: share of a batch that may be padding, in [0, 1]; 1 lets it be any.

    Raises:
        InputError: kinds and lengths unequally many, a negative length, or a limit out of range.
    """
    _check(lengths, kinds, batch_size, max_tokens, max_padding)
    of_kind: dict[Hashable, list[int]] = {}
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        of_kind.setdefault(None if kinds is None else kinds[row], []).append(row)
    batches: list[list[int]] = []
    for rows in of_kind.values():
        open_batch: list[int] = []
        words = 0
        for row in rows:
            padded = (len(open_batch) + 1) * lengths[open_batch[0]] if open_batch else lengths[row]
            full = len(open_batch) == batch_size or (max_tokens is not None and padded > max_tokens)
            if not open_batch or full or padded - words - lengths[row] > max_padding * padded:
                open_batch, words = [], 0
                batches.append(open_batch)
            open_batch.append(row)
            words += lengths[row]
    return batches


def in_order(batches: Sequence[Sequence[int]], found: Sequence[Sequence[_T]]) -> list[_T]:
    """Return what was found for each row, in the order of the rows.

    Args:
        batches: rows, as of `length_batches`.
        found: for each batch, one thing a row.

    Raises:
        InputError: batches and findings do not fit each other.
    """
    wanted, seen = [len(rows) for rows in batches], [len(of_batch) for of_batch in found]
    if wanted != seen:
        raise InputError(f"batches of {wanted} rows, but findings of {seen}")
    placed = {
        row: one
        for rows, part in zip(batches, found, strict=True)
        for row, one in zip(rows, part, strict=True)
    }
    return [placed[row] for row in range(len(placed))]


def _check(
    lengths: Sequence[int],
    kinds: Sequence[Hashable] | None,
    batch_size: int | None,
    max_tokens: int | None,
    max_padding: float,
) -> None:
    if kinds is not None and len(kinds) != len(lengths):
        raise InputError(f"{len(lengths)} lengths but {len(kinds)} kinds: give one of each for every row")
    if lengths and min(lengths) < 0:
        raise InputError(f"a length is {min(lengths)}, expected 0 or more tokens")
    for name, limit in (("batch_size", batch_size), ("max_tokens", max_tokens)):
        if limit is not None and limit < 1:
            raise InputError(f"{name} is {limit}, expected 1 or more, or None")
    if not 0 <= max_padding <= 1:
        raise InputError(f"max_padding is {max_padding}, expected a share in [0, 1]")
