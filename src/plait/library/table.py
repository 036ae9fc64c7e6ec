"""What is done to a library's table as a whole: written anew in one commit, and rid of all that is old."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import lancedb
import pyarrow as pa
from filelock import FileLock, Timeout

from plait.errors import LibraryError, LibraryFormatError, LibraryLockedError
from plait.index import rows
from plait.index.backends.lancedb import TABLE
from plait.scoring.vectors import VectorField

_WAIT_SECONDS = 60.0


def overwrite(store: Path, fields: Sequence[VectorField], tables: Iterable[pa.Table]) -> None:
    """Make these rows all that the table holds, in one commit; who reads goes on with what there was.

    Rows are written as they come, so memory is that of one table. When `tables` raises, nothing has changed.

    Raises:
        LibraryError: the store cannot be written.
        LibraryLockedError: another process kept changing it.
    """
    schema = rows.schema(fields)
    batches = (batch for table in tables for batch in _fitted(table, fields, schema).to_batches())
    with changing(store):
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        mode = "overwrite" if (store / f"{TABLE}.lance").exists() else "create"
        lancedb.connect(store).create_table(TABLE, data=reader, schema=schema, mode=mode)


def drop_old_versions(store: Path) -> None:
    """Delete every file that the newest version does not need, also what a stopped writer left.

    Who still reads an older version must ask for a new snapshot.

    Raises:
        LibraryError: the store cannot be written.
        LibraryLockedError: another process kept changing it.
    """
    with changing(store), warnings.catch_warnings():  # LanceDB warns about the short time
        warnings.simplefilter("ignore")
        table = lancedb.connect(store).open_table(TABLE)
        table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)


def every_row(store: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the rows of the newest version, some hundred at a time."""
    table = lancedb.connect(store).open_table(TABLE)
    table.checkout(table.version)
    for batch in table.search().select(list(columns or table.schema.names)).to_batches(batch_size=512):
        yield pa.Table.from_batches([batch])


def checked(tables: Iterable[pa.Table], fields: Sequence[VectorField]) -> Iterator[pa.Table]:
    """Yield rows in today's format, each compared with its digest.

    Raises:
        LibraryFormatError: a row is not what was stored.
    """
    schema = rows.schema(fields)
    for table in tables:
        fitted = _fitted(table, fields, schema)
        if (fitted["digest"].to_numpy() != rows.digests(fitted, fields)).any():
            raise LibraryFormatError("a row is damaged: it does not fit its checksum; run  plait doctor")
        yield fitted


@contextmanager
def changing(store: Path) -> Iterator[None]:
    """Hold the store's lock, which every change of the table takes.

    Raises:
        LibraryLockedError: another process kept changing it.
        LibraryError: what is done meanwhile fails.
    """
    store.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(store / f"{TABLE}.lock").acquire(_WAIT_SECONDS):
            yield
    except Timeout as error:
        raise LibraryLockedError(
            f"another process has been changing {store} for {_WAIT_SECONDS:.0f} s: wait until it is done"
        ) from error
    except (OSError, RuntimeError, ValueError, pa.ArrowException) as error:
        if isinstance(error, LibraryError):
            raise
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise LibraryError(f"cannot write {store}: {reason}; check the disk, then try again") from error


def _fitted(table: pa.Table, fields: Sequence[VectorField], schema: pa.Schema) -> pa.Table:
    if "digest" not in table.schema.names:
        table = rows.upgraded(table.select(rows.schema_of_format_1(fields).names).combine_chunks(), fields)
    return table.select(schema.names).cast(schema)
