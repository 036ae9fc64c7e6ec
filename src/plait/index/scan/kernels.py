"""The two products a scan is made of: int8 stand-ins of all items, and float16 vectors of a few."""

from __future__ import annotations

from functools import cache
from time import thread_time
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.index.scan.lone_torch import lone_torch
from plait.index.threads import shared_out, workers_for
from plait.scoring.quantise import int8
from plait.scoring.vectors import Vectors

Planes = NDArray[np.int8]  # (P, n, d)
Items = slice | NDArray[np.int64]

_UNSHARED = 1 << 18  # see index.multi_vector
_AT_ONCE = 1 << 17  # products of a block: half a megabyte, twice, for the second-level cache
_IN_CACHE = 3 << 19  # bytes of codes that are read from memory together, and then multiplied
_LARGEST_CODE = 128
_FEW = 32  # vectors of a query


def rough(planes: Planes, scales: Vectors, query: Vectors, items: NDArray[np.int64] | None = None) -> Vectors:
    """Score items by a few int8 vectors each: about their MaxSim divided by the number of query tokens.

    The query is rounded to int8 too, with one scale a part. A query token of zeros adds nothing.

    Args:
        planes: (P, n, d), P >= 1: the first vector of each item, the second, ...; may be a read-only file.
        scales: (n,) what an item's numbers are multiplied with.
        query: (parts, tokens, d), finite.
        items: those to score; None: all.

    Returns:
        (parts, n) or (parts, len(items)).
    """
    parts, tokens, width = query.shape
    codes, query_scales = int8(query)
    asked = np.ascontiguousarray(codes.reshape(parts * tokens, width).T)  # (d, parts * tokens)
    count = planes.shape[1] if items is None else len(items)
    similarity = np.empty((parts, count), np.float32)
    by_integers = _integers_work()

    def scan(first: int, last: int) -> None:
        with lone_torch() as torch:
            multiply = (
                _Integers(torch, planes, asked, parts)
                if torch and by_integers
                else _Floats(planes, asked, parts)
            )
            starts = range(first, last, multiply.block)
            blocks = [slice(start, min(start + multiply.block, last)) for start in starts]
            sums = [multiply(block if items is None else items[block]) for block in blocks]
        if sums:
            whole = slice(first, last)
            np.concatenate(sums, axis=1, out=similarity[:, whole])
            similarity[:, whole] *= scales[whole if items is None else items[whole]]

    products = len(planes) * count * asked.size
    shared_out(scan, count, workers=workers_for(products // 4 if by_integers else products))
    similarity *= query_scales[:, None] / tokens
    return similarity


def prepare() -> None:
    """Find out, once in a process, how this machine multiplies bytes best; the first `rough` does so else."""
    _integers_work()


def exact(vectors: NDArray[np.float16], query: Vectors) -> Vectors:
    """Score items by all of their vectors, in float32.

    Args:
        vectors: (n, T, d), T >= 1.
        query: (parts, tokens, d).

    Returns:
        (parts, n) MaxSim divided by the number of query tokens.
    """
    parts, tokens, width = query.shape
    asked = np.ascontiguousarray(query.reshape(parts * tokens, width).T, np.float32)
    similarity = np.empty((parts, len(vectors)), np.float32)
    block = max(1, _AT_ONCE * 4 // (vectors.shape[1] * max(width, parts * tokens)))

    def scan(first: int, last: int) -> None:
        with lone_torch() as torch:
            for start in range(first, last, block):
                items = _as_float32(vectors[start : min(start + block, last)], torch)
                products = _products(items.reshape(-1, width), asked).reshape(*items.shape[:2], -1)
                best = _largest(products, torch).reshape(len(items), parts, tokens)
                np.mean(best, axis=2, out=similarity[:, start : start + len(items)].T)

    shared_out(scan, len(vectors), workers=workers_for(vectors.size * parts * tokens))
    return similarity


class _Integers:
    """Products of int8 in int32 by torch: 5 times as fast as in float32 where processors have VNNI."""

    def __init__(self, torch: ModuleType, planes: Planes, asked: NDArray[np.int8], parts: int) -> None:
        width, columns = asked.shape
        self._torch, self._asked, self._parts = torch, _tensor(torch, asked), parts
        self._planes, self._tensors = planes, [_tensor(torch, plane) for plane in planes]
        safe = width * (columns // parts) * _LARGEST_CODE**2 < 2**31
        self._sums_in = torch.int32 if safe else torch.int64
        self.block = max(512, min(_AT_ONCE // columns, _IN_CACHE // width))
        self._one_a_part = columns == parts
        # A column turned round has the strides of a row, for which `_int_mm` takes it: so no width of 1.
        self._turned = (
            _tensor(torch, asked.T) if self._one_a_part and 1 < columns <= _FEW and width > 1 else None
        )

    def __call__(self, items: Items) -> NDArray[Any]:
        """Return (parts, items), the sums over the query's tokens of the best plane."""
        best = self._products(0, items)  # (columns, items)
        for plane in range(1, len(self._planes)):
            self._torch.maximum(best, self._products(plane, items), out=best)
        if not self._one_a_part:
            best = best.reshape(self._parts, -1, best.shape[1]).sum(1, dtype=self._sums_in)
        sums: NDArray[Any] = best.numpy()
        return sums

    def _products(self, plane: int, items: Items) -> Any:
        if isinstance(items, slice):
            _fetch(self._planes[plane, items])
            codes = self._tensors[plane][items]
        else:
            codes = _tensor(self._torch, self._planes[plane, items])
        if self._turned is None:
            return self._torch._int_mm(codes, self._asked).t()
        return self._torch._int_mm(self._turned, codes.t())  # few vectors: twice as fast


def _fetch(codes: NDArray[np.int8]) -> None:
    """Bring codes from memory into the cache, by adding them up in the order they lie in.

    torch's product goes through many rows at once, which the processor does not foresee: reading codes as it
    multiplies takes twice as long as reading them first.
    """
    flat = codes.reshape(-1)
    flat[: len(flat) // 8 * 8].view(np.int64).sum()


class _Floats:
    """The same in float32 by NumPy, anywhere."""

    def __init__(self, planes: Planes, asked: NDArray[np.int8], parts: int) -> None:
        self._planes, self._asked, self._parts = planes, asked.astype(np.float32), parts
        self.block = max(512, _AT_ONCE // asked.shape[1])

    def __call__(self, items: Items) -> NDArray[Any]:
        """Return (parts, items), as `_Integers`."""
        best = _products(self._planes[0][items].astype(np.float32), self._asked)
        for plane in self._planes[1:]:
            np.maximum(best, _products(plane[items].astype(np.float32), self._asked), out=best)
        sums: NDArray[Any] = best.reshape(len(best), self._parts, -1).sum(axis=2).T
        return sums


def _products(vectors: Vectors, asked: Vectors) -> Vectors:
    """Return (n, c), the products of (n, d) and (d, c), in pieces that OpenBLAS computes on this thread."""
    if asked.shape[1] == 1:  # even a small matrix-vector product is shared among threads
        one_by_one: Vectors = np.einsum("nd,dc->nc", vectors, asked)
        return one_by_one
    rows = max(1, _UNSHARED // asked.size)
    whole = len(vectors) // rows * rows
    products = np.empty((len(vectors), asked.shape[1]), np.float32)
    pieces = products[:whole].reshape(-1, rows, asked.shape[1])
    np.matmul(vectors[:whole].reshape(-1, rows, len(asked)), asked, out=pieces)
    np.matmul(vectors[whole:], asked, out=products[whole:])
    return products


def _as_float32(halves: NDArray[np.float16], torch: ModuleType | None) -> Vectors:
    """Return the same numbers; by torch, where there is one, 15 times as fast as NumPy."""
    if torch is None:
        return halves.astype(np.float32)
    floats: Vectors = _tensor(torch, halves).float().numpy()
    return floats


def _largest(products: Vectors, torch: ModuleType | None) -> Vectors:
    """Return the largest along axis 1 of (n, T, c)."""
    if torch is None:
        largest: Vectors = products.max(axis=1)
    else:
        largest = torch.from_numpy(products).amax(1).numpy()
    return largest


def _tensor(torch: ModuleType, array: NDArray[Any]) -> Any:
    """Return the array as a tensor that is only read, with the strides torch would give it.

    torch warns of arrays that cannot be written to. A row that came about by transposing a column has strides
    NumPy does not mind, from which `_int_mm` takes it for the column.
    """
    return torch.from_numpy(np.asarray(_Lent(np.ascontiguousarray(array))))


class _Lent:
    """A contiguous array that says it is writable, and in which order its numbers lie."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array  # kept while it is borrowed

    @property
    def __array_interface__(self) -> dict[str, Any]:
        lent = dict(self._array.__array_interface__)
        return {**lent, "data": (lent["data"][0], False), "strides": None}


@cache
def _integers_work() -> bool:
    """Return whether torch's product of int8, a private function, is there, right and the faster one.

    Without VNNI some processors add pairs of products in 16 bits, which overflow: so the largest numbers are
    tried, and odd shapes. Where no library does the work for torch, its own loop is slower than floats.
    """
    with lone_torch() as torch:
        if torch is None or not hasattr(torch, "_int_mm"):
            return False
        try:
            return all(_right(torch, *shape) for shape in _ODD_SHAPES) and _faster(torch)
        except RuntimeError:
            return False


_ODD_SHAPES = ((1, 1, 1), (1, 128, 5), (3, 5, 7), (17, 128, 1), (33, 384, 5), (64, 1152, 32))


def _right(torch: ModuleType, rows: int, width: int, columns: int) -> bool:
    """Return whether products of such a shape are right, either way round where both are used."""
    for left in _extremes((rows, width)):
        for right in _extremes((width, columns)):
            one, other = torch.from_numpy(left), torch.from_numpy(right)
            expected = left.astype(np.int64) @ right.astype(np.int64)
            found = [torch._int_mm(one, other)]
            if columns > 1:
                found.append(torch._int_mm(other.t().contiguous(), one.t()).t())
            if not all(np.array_equal(products.numpy(), expected) for products in found):
                return False
    return True


def _extremes(shape: tuple[int, int]) -> list[NDArray[np.int8]]:
    lowest, highest = np.full(shape, -128, np.int8), np.full(shape, 127, np.int8)
    return [lowest, highest, np.random.default_rng(0).integers(-128, 128, shape, np.int8)]


def _faster(torch: ModuleType) -> bool:
    """Return whether bytes are multiplied faster, or nearly so: on a busy machine a measurement errs."""
    planes, asked = np.ones((1, 4096, 128), np.int8), np.ones((128, 32), np.int8)
    return _seconds(_Integers(torch, planes, asked, 1)) < 1.5 * _seconds(_Floats(planes, asked, 1))


def _seconds(multiply: _Integers | _Floats) -> float:
    """Return the least of some times of this thread alone, the first of which sets up what is then kept."""
    times = []
    for _ in range(8):
        start = thread_time()
        multiply(slice(None))
        times.append(thread_time() - start)
    return min(times)
