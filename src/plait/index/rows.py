"""How documents become rows of one Arrow table: a row a unit, with everything every lane needs.

Because one row holds all of a unit, one commit makes a document visible in every lane or in none.

    id            "<document id>:<ordinal>"
    document_id, source
    ordinal       position in the document; -1 for the one row of a document without units
    page          1-based; 0 where there is none
    section       headings, outermost first
    pictures      sha256 of every picture the unit refers to
    unit          the Unit as JSON; null where ordinal is -1
    document      the StoredDocument as JSON, on the row of its lowest ordinal; null elsewhere
    terms, counts, words          the lexical lane: `lexical.term_counts` of the unit's text
    <field>_vectors               a vector field: items x tokens vectors, items first, as it is kept
    <field>_items                 how many items those are
    digest        a checksum of all other cells, which also names what is derived from them

Format 1 had neither items nor digest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plait.errors import InputError, ShapeError
from plait.index.base import Entry, StoredDocument
from plait.index.lexical import term_counts
from plait.schema import Unit, compact, unit_from_dict
from plait.scoring.keeping import kept, numbers_kept, restored
from plait.scoring.vectors import UnitVectors, VectorField, Vectors


def schema(fields: Sequence[VectorField]) -> pa.Schema:
    """Return the columns of a library whose encoder fills these vector fields."""
    added = [pa.field(items_column(f.name), pa.int32()) for f in fields]
    return pa.schema([*schema_of_format_1(fields), *added, pa.field("digest", pa.uint64())])


def schema_of_format_1(fields: Sequence[VectorField]) -> pa.Schema:
    """Return the columns of format 1, before rows had digests."""
    return pa.schema(
        [
            pa.field("id", pa.string()),
            pa.field("document_id", pa.string()),
            pa.field("source", pa.string()),
            pa.field("ordinal", pa.int32()),
            pa.field("page", pa.int32()),
            pa.field("section", pa.list_(pa.string())),
            pa.field("pictures", pa.list_(pa.string())),
            pa.field("unit", pa.string()),
            pa.field("document", pa.string()),
            pa.field("terms", pa.list_(pa.uint64())),
            pa.field("counts", pa.list_(pa.uint16())),
            pa.field("words", pa.uint32()),
            *(pa.field(column(f.name), _vector_type(f)) for f in fields),
        ]
    )


def column(field: str) -> str:
    """Return the name of the column that holds a vector field."""
    return f"{field}_vectors"


def items_column(field: str) -> str:
    """Return the name of the column that counts a vector field's items."""
    return f"{field}_items"


def check(entries: Sequence[Entry], fields: Sequence[VectorField]) -> None:
    """Refuse documents that cannot be stored.

    Raises:
        InputError: a document comes twice.
        ShapeError: units and vectors do not fit each other or the fields, or a vector is not finite.
    """
    seen: set[str] = set()
    for entry in entries:
        if entry.document.id in seen:
            raise InputError(
                f"document {entry.document.id} comes twice in one batch: give each document once"
            )
        seen.add(entry.document.id)
        _check(entry, fields)


def to_table(entries: Sequence[Entry], fields: Sequence[VectorField], language: str) -> pa.Table:
    """Return the rows of some documents that passed `check`; language: see `lexical.words`."""
    rows = [row for entry in entries for row in _rows(entry, language)]
    vectors = [_padded(entry) for entry in entries]
    columns = [pa.array([row[f.name] for row in rows], f.type) for f in schema_of_format_1(())]
    columns += [_vector_column(field, [v for group in vectors for v in group]) for field in fields]
    return upgraded(pa.Table.from_arrays(columns, schema=schema_of_format_1(fields)), fields)


def upgraded(rows: pa.Table | pa.RecordBatch, fields: Sequence[VectorField]) -> Any:
    """Return rows of format 1 (a table or a batch) with the columns that format 2 adds."""
    for field in fields:
        items = [vectors(cells, field)[1] for cells in _chunks(rows[column(field.name)])]
        counts = np.concatenate([np.empty(0, np.int64), *items])
        rows = rows.append_column(items_column(field.name), pa.array(counts, pa.int32()))
    rows = rows.append_column("digest", pa.array(digests(rows, fields), pa.uint64()))
    return type(rows).from_arrays(rows.columns, schema=schema(fields))


def digests(rows: pa.Table | pa.RecordBatch, fields: Sequence[VectorField]) -> NDArray[np.uint64]:
    """Return (rows,) a checksum of each row: BLAKE2b, cut to 64 bits, of all of its other cells.

    Args:
        rows: every column of `schema`; a "digest" column is not looked at, nor are columns unknown to it.
    """
    names = [f.name for f in schema(fields) if f.name != "digest"]
    parts = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
    made = [_digests_of(batch, names) for batch in parts.select(names).combine_chunks().to_batches()]
    return np.concatenate([np.empty(0, np.uint64), *made])


def read_unit(text: str) -> Unit:
    """Return the unit that a "unit" cell holds."""
    return unit_from_dict(json.loads(text))


def read_document(text: str) -> StoredDocument:
    """Return the document that a "document" cell holds."""
    values = json.loads(text)
    return StoredDocument(**{**values, "warnings": tuple(values["warnings"])})


def lists(cells: pa.ListArray) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the numbers of a column of lists one after the other, and how many each row holds."""
    sizes = cells.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return cells.flatten().to_numpy(zero_copy_only=False), sizes


def vectors(cells: pa.ListArray, field: VectorField) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """Return (items, tokens kept, width) the vectors of a column, and how many items each row holds."""
    sizes = cells.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    flat = cells.flatten().flatten().to_numpy(zero_copy_only=False)
    numbers, _ = numbers_kept(field.kept, field.width)
    codes = flat.reshape(-1, field.tokens_kept, numbers)
    return restored(codes, field.kept, field.width), sizes // field.tokens_kept


def _chunks(cells: Any) -> list[Any]:
    return cells.chunks if isinstance(cells, pa.ChunkedArray) else [cells]


def _digests_of(batch: pa.RecordBatch, names: Sequence[str]) -> NDArray[np.uint64]:
    columns = [_bytes_of(batch[name]) for name in names]
    made = np.empty(len(batch), np.uint64)
    for row in range(len(batch)):
        hashed = blake2b(digest_size=8)
        for data, edges in columns:
            first, last = edges[row], edges[row + 1]
            hashed.update((last - first).to_bytes(8, "little"))  # so that no two cells run together
            hashed.update(data[first:last])
        made[row] = int.from_bytes(hashed.digest(), "little")
    return made


def _bytes_of(cells: pa.Array) -> tuple[memoryview, list[int]]:
    """Return the bytes of a column's cells one after the other, and where each begins and the last ends.

    A missing cell has no bytes, as an empty one.
    """
    if pa.types.is_string(cells.type):
        texts = [b"" if text is None else text.encode() for text in cells.to_pylist()]
        return memoryview(b"".join(texts)), np.cumsum([0, *map(len, texts)]).tolist()
    if not pa.types.is_list(cells.type):
        data = np.ascontiguousarray(cells.to_numpy(zero_copy_only=False))
        return data.view(np.uint8).data, (np.arange(len(cells) + 1) * data.itemsize).tolist()
    sizes = cells.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    inner = cells.flatten()
    if pa.types.is_string(inner.type):
        texts = [text.encode() + b"\0" for text in inner.to_pylist()]
        starts = np.cumsum([0, *map(len, texts)])
        return memoryview(b"".join(texts)), starts[np.cumsum([0, *sizes])].tolist()
    if pa.types.is_fixed_size_list(inner.type):
        sizes = sizes * inner.type.list_size
        inner = inner.flatten()
    data = np.ascontiguousarray(inner.to_numpy(zero_copy_only=False))
    edges = np.cumsum([0, *sizes]) * data.itemsize
    return data.view(np.uint8).data, edges.tolist()


def _rows(entry: Entry, language: str) -> Iterator[dict[str, Any]]:
    document = replace(entry.document, units=len(entry.units))
    texts: list[Unit | None] = list(entry.units) or [None]
    lowest = min((unit.ordinal for unit in entry.units), default=-1)
    for unit in texts:
        terms, counts, words = term_counts(unit.text if unit else "", language=language)
        yield {
            "id": _clean(unit.id if unit else f"{document.id}:-1"),
            "document_id": _clean(document.id),
            "source": _clean(document.source),
            "ordinal": unit.ordinal if unit else -1,
            "page": (unit.page or 0) if unit else 0,
            "section": [_clean(heading) for heading in unit.section] if unit else [],
            "pictures": _pictures(unit) if unit else [],
            "unit": _json(compact(unit)) if unit else None,
            "document": _json(asdict(document)) if unit is None or unit.ordinal == lowest else None,
            "terms": terms,
            "counts": counts,
            "words": words,
        }


def _pictures(unit: Unit) -> list[str]:
    return list(dict.fromkeys(picture.sha256 for picture in unit.pictures))


def _json(value: Mapping[str, Any]) -> str:
    return _clean(json.dumps(value, ensure_ascii=False))


def _clean(text: str) -> str:
    """Return the text without lone surrogates, which some PDFs hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _padded(entry: Entry) -> list[UnitVectors]:
    return list(entry.vectors) or [UnitVectors({})]


def _vector_type(field: VectorField) -> pa.DataType:
    numbers, dtype = numbers_kept(field.kept, field.width)
    return pa.list_(pa.list_(pa.from_numpy_dtype(dtype), numbers))


def _vector_column(field: VectorField, units: Sequence[UnitVectors]) -> pa.ListArray:
    empty = np.empty((0, field.tokens, field.width), np.float32)
    items: list[Vectors] = [unit.fields.get(field.name, empty) for unit in units]
    codes = kept(np.concatenate([empty, *items]), field.kept)
    offsets = np.cumsum([0, *(len(one) * field.tokens_kept for one in items)])
    inner = pa.FixedSizeListArray.from_arrays(pa.array(codes.reshape(-1)), codes.shape[2])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), inner)


def _check(entry: Entry, fields: Sequence[VectorField]) -> None:
    name = entry.document.id
    if len(entry.units) != len(entry.vectors):
        raise ShapeError(f"document {name}: {len(entry.units)} units but vectors for {len(entry.vectors)}")
    if any(unit.document_id != name for unit in entry.units):
        raise ShapeError(f"document {name}: one of its units belongs to another document")
    if len({unit.id for unit in entry.units}) < len(entry.units):
        raise ShapeError(f"document {name}: two of its units share one id")
    known = {field.name: field for field in fields}
    for unit, of_unit in zip(entry.units, entry.vectors, strict=True):
        for field_name, values in of_unit.fields.items():
            _check_vectors(unit.id, field_name, values, known.get(field_name))


def _check_vectors(unit: str, name: str, values: Vectors, field: VectorField | None) -> None:
    if field is None:
        raise ShapeError(f"unit {unit}: no vector field is called {name!r} in this library")
    if values.ndim != 3 or values.shape[1:] != (field.tokens, field.width):
        raise ShapeError(
            f"unit {unit}: field {name!r} needs (items, {field.tokens}, {field.width}), got {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ShapeError(f"unit {unit}: a vector of field {name!r} holds NaN or infinity")
    if values.size and np.abs(values).max() > _LARGEST:
        raise ShapeError(
            f"unit {unit}: a vector of field {name!r} holds {np.abs(values).max():g}, and half precision "
            f"{_LARGEST:,.0f} at most: give vectors of unit length"
        )


_LARGEST = float(np.finfo(np.float16).max)
