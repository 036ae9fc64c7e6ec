"""The durable store: one LanceDB table, a row a unit, ranked by our own exact scan.

LanceDB keeps the vectors and commits atomically; it does not rank. Its approximate search over
multi-vectors loses half of the exact top ten, while a scan of 10,000 units takes milliseconds.

What has been returned from `add` or `remove` survives the end of this process in any form. Whether it
survives a power failure is up to the file system: LanceDB does not ask for a flush to disk.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import lancedb
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock, Timeout

from plait.errors import LibraryError, LibraryFormatError, LibraryLockedError
from plait.index import rows
from plait.index.base import Entry, StoredDocument
from plait.index.snapshot import TableSnapshot
from plait.scoring.vectors import VectorField

_TABLE = "units"
_KEEP_SECONDS = 60  # a search asks for a new snapshot, so no reader uses an older version for long
_TIDY_AT = 256  # pieces; each commit adds one and rewrites the list of all


class LanceIndex:
    """A library's units in a folder. Safe to read from many processes and threads while one writes.

    Args:
        folder: where the table lies; made if missing.
        fields: the vector fields of the library's encoder.
        wait_seconds: how long a change waits for a change in another process.

    Raises:
        LibraryFormatError: the table there holds other columns.
        LibraryError: the table cannot be opened or made.
    """

    def __init__(
        self, folder: str | Path, fields: Sequence[VectorField], *, wait_seconds: float = 60
    ) -> None:
        self._fields = tuple(fields)
        self._folder = Path(folder)
        self._wait_seconds = wait_seconds
        with _explained(f"cannot open the index in {self._folder}"):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._database = lancedb.connect(self._folder)
            self._table = self._open_or_create()
        self._check_columns(self._table.schema)
        self._latest: TableSnapshot | None = None
        self._snapshotting = Lock()

    def add(self, entries: Sequence[Entry]) -> None:
        """Store documents in one commit; one with an id already stored replaces all of its units.

        Of two entries with one id, the later counts.

        Raises:
            ShapeError: vectors that do not fit; nothing is stored.
            LibraryLockedError: another process kept changing the table.
        """
        entries = list({entry.document.id: entry for entry in entries}.values())
        if not entries:
            return
        table = rows.to_table(entries, self._fields)
        ids = _among("document_id", pc.unique(table["document_id"]).to_pylist())
        with self._changing():
            if self._table.count_rows(ids):
                self._replace(table, ids)
            else:
                self._table.add(table)  # an append costs the same however large the table is
            if self._table.stats()["fragment_stats"]["num_fragments"] >= _TIDY_AT:
                self._tidy(keep_seconds=_KEEP_SECONDS)

    def remove(self, document_ids: Sequence[str]) -> int:
        """Remove documents in one commit; return how many were there.

        Raises:
            LibraryLockedError: another process kept changing the table.
        """
        if not document_ids:
            return 0
        wanted = _among("document_id", document_ids)
        with self._changing():
            there = int(self._table.count_rows(f"document IS NOT NULL AND {wanted}"))
            if there:
                self._table.delete(wanted)
        return there

    def documents(self) -> list[StoredDocument]:
        """Return what is stored, ordered by source, then id."""
        self._table.checkout_latest()
        with _explained(f"cannot read the index in {self._folder}"):
            cells = self._table.search().where("document IS NOT NULL").select(["document"]).to_arrow()
        stored = [rows.read_document(text) for text in cells["document"].to_pylist()]
        return sorted(stored, key=lambda document: (document.source, document.id))

    def snapshot(self) -> TableSnapshot:
        """Return a read view of this moment; the same one as before while nothing has changed.

        Ask for it anew for each search: that costs a millisecond. A view kept for more than a minute while
        the store changes may lose what it has not read yet; it then raises LibraryError.
        """
        with self._snapshotting, _explained(f"cannot read the index in {self._folder}"):
            table = self._database.open_table(_TABLE)
            if self._latest is None or self._latest.version != table.version:
                table.checkout(table.version)
                self._latest = TableSnapshot(_LanceRows(table, self._folder), self._fields, table.version)
            return self._latest

    def optimize(self, *, keep_seconds: float = _KEEP_SECONDS) -> None:
        """Merge small pieces and drop old versions; does nothing while another process is writing.

        Args:
            keep_seconds: versions younger than this stay, for readers that still use them.
        """
        with _explained(f"cannot optimize the index in {self._folder}"):
            try:
                with self._lock().acquire(timeout=0):
                    self._table.checkout_latest()
                    self._tidy(keep_seconds=keep_seconds)
            except Timeout:
                return

    def pictures(self) -> set[str]:
        """Return the sha256 of every picture that a stored unit refers to."""
        self._table.checkout_latest()
        with _explained(f"cannot read the index in {self._folder}"):
            cells = self._table.search().select(["pictures"]).to_arrow()["pictures"]
        return set(pc.unique(pc.list_flatten(cells)).to_pylist())

    def close(self) -> None:
        """Let go of what was read; snapshots already given out stay usable."""
        self._latest = None

    def _open_or_create(self) -> Any:
        try:
            return self._database.open_table(_TABLE)
        except ValueError:  # LanceDB's way to say that there is none
            return self._database.create_table(_TABLE, schema=rows.schema(self._fields), exist_ok=True)

    def _check_columns(self, seen: pa.Schema) -> None:
        expected = rows.schema(self._fields)
        differing = [
            f"{name} ({_type(seen, name)}, expected {_type(expected, name)})"
            for name in dict.fromkeys([*expected.names, *seen.names])
            if _type(seen, name) != _type(expected, name)
        ]
        if differing:
            raise LibraryFormatError(
                f"the index in {self._folder} has other columns than this model needs: "
                f"{', '.join(differing)}; open it with the model it was made with, "
                "or remove it and add the documents again"
            )

    def _replace(self, table: pa.Table, ids: str) -> None:
        merge = self._table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        merge.when_not_matched_by_source_delete(ids).execute(table)

    def _tidy(self, *, keep_seconds: float) -> None:
        with warnings.catch_warnings():  # LanceDB warns about a short time; the caller chose it
            warnings.simplefilter("ignore")
            self._table.optimize(cleanup_older_than=timedelta(seconds=keep_seconds))

    def _lock(self) -> FileLock:
        return FileLock(self._folder / f"{_TABLE}.lock")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the table for one change at a time: compaction racing a write can end in a conflict."""
        try:
            with (
                _explained(f"cannot change the index in {self._folder}"),
                self._lock().acquire(self._wait_seconds),
            ):
                self._table.checkout_latest()
                yield
        except Timeout as error:
            raise LibraryLockedError(
                f"another process has been changing {self._folder} for {self._wait_seconds:.0f} s: "
                "wait until it is done, then try again"
            ) from error


class _LanceRows:
    """The rows of one version of a table, as a snapshot reads them."""

    def __init__(self, table: Any, folder: Path) -> None:
        self._table = table
        self._folder = folder

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns of all rows, with "_rowid", a few thousand rows at a time."""
        with _explained(f"cannot read the index in {self._folder}"):
            yield from (
                self._table.search().select(list(columns)).with_row_id(True).to_batches(batch_size=2048)
            )

    def take(self, row_ids: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Return some columns of some rows, in the order asked."""
        with _explained(f"cannot read the index in {self._folder}"):
            taken = self._table.take_row_ids(list(dict.fromkeys(row_ids))).select([*columns, "_rowid"])
            found = {row["_rowid"]: row for row in taken.to_arrow().to_pylist()}
        return [found[row_id] for row_id in row_ids]


def _among(name: str, values: Sequence[str]) -> str:
    quoted = ("'" + value.encode("utf-8", "replace").decode().replace("'", "''") + "'" for value in values)
    return f"{name} IN ({', '.join(quoted)})"


def _type(columns: pa.Schema, name: str) -> str:
    return str(columns.field(name).type) if name in columns.names else "absent"


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn whatever the store raises into one line that names the folder and the next step."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, pa.ArrowException) as error:
        if isinstance(error, (LibraryError, Timeout)):
            raise
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise LibraryError(
            f"{what}: {reason}; check that the folder can be read and written, then try again"
        ) from error
