"""Rows that can be read but are not what was stored: their vectors, made again from words and pictures.

A row is mended only when its checksum fits afterwards, which proves every cell of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plait.encode.base import Encoder
from plait.errors import PlaitError
from plait.index import rows
from plait.schema import Picture, Unit
from plait.scoring.vectors import VectorField

_ALIKE = 2e-3  # two float16 roundings of one number of a unit vector lie nearer than this


def mended(
    row: pa.Table, fields: Sequence[VectorField], encoder: Callable[[], Encoder], folder: Path
) -> pa.Table | None:
    """Return a row as it was stored; None if it cannot be made again, or more than its vectors is hurt.

    Args:
        row: one row, all columns.
        folder: the library folder, to which the unit's picture paths are relative.
    """
    if "digest" not in row.schema.names:
        return None
    try:
        unit = _absolute(rows.read_unit(row["unit"][0].as_py()), folder)
        vectors = encoder().encode_units([unit])[0].fields
    except (PlaitError, ValueError, KeyError, TypeError, OSError):
        return None  # the words or the pictures are hurt too
    wanted = row["digest"][0].as_py()
    made = {field: vectors[field.name].astype(np.float16) for field in fields if field.name in vectors}
    for candidate in _candidates(row, made):
        if int(rows.digests(candidate, fields)[0]) == wanted:
            return candidate
    return None


def _candidates(row: pa.Table, made: dict[VectorField, NDArray[np.float16]]) -> Iterator[pa.Table]:
    """Yield the row with the vectors of one field made again, then with those of all.

    Numbers that agree with the new ones but for rounding are kept: they depend on what was encoded together.
    """
    every = row
    for field, new in made.items():
        new = _merged(row, field, new)
        yield _with(row, field, new)
        every = _with(every, field, new)
    yield every


def _merged(row: pa.Table, field: VectorField, new: NDArray[np.float16]) -> NDArray[np.float16]:
    old, _ = rows.vectors(row[rows.column(field.name)].combine_chunks(), field)
    if old.shape != new.shape:
        return new
    with np.errstate(invalid="ignore", over="ignore"):
        alike = np.abs(old.astype(np.float32) - new.astype(np.float32)) < _ALIKE  # False for NaN
    return np.where(alike & (old != new), old, new)  # -0 equals 0, but has other bytes


def _with(row: pa.Table, field: VectorField, items: NDArray[np.float16]) -> pa.Table:
    name = rows.column(field.name)
    place = row.schema.get_field_index(name)
    inner = pa.FixedSizeListArray.from_arrays(pa.array(items.reshape(-1), pa.float16()), field.width)
    cells = pa.ListArray.from_arrays(pa.array([0, len(items) * field.tokens], pa.int32()), inner)
    return row.set_column(place, row.schema.field(place), cells)


def _absolute(unit: Unit, folder: Path) -> Unit:
    def there(picture: Picture) -> Picture:
        return replace(picture, path=str(folder / picture.path))

    return unit.with_pictures(there)
