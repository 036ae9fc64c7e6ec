"""The durable store: one LanceDB table, a row a unit, ranked by our own scan.

LanceDB keeps the vectors and commits atomically; it does not rank. Its approximate search over
multi-vectors loses half of the exact top ten, while a scan of 10,000 units takes milliseconds. Beside the
table lie scan files: small codes of vector fields too large to hold in memory, derived from the table and
made anew where they are missing (`index.scan`).

What has been returned from `add` or `remove` survives the end of this process in any form. Whether it
survives a power failure is up to the file system: LanceDB does not ask for a flush to disk.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Lock
from time import time_ns
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from plait.errors import LibraryError, LibraryFormatError, LibraryLockedError
from plait.index import rows
from plait.index.base import Entry, StoredDocument
from plait.index.following import Following
from plait.index.languages import language_named
from plait.index.ordering import vectors_of
from plait.index.scan.scan_lookup import located
from plait.index.scan.segments import Segments
from plait.index.snapshot import EXACT_BYTES, TableSnapshot
from plait.scoring.vectors import VectorField

TABLE = "units"  # its name in the store's folder
_SCAN = "scan"
_KEEP_SECONDS = 60  # a search asks for a new snapshot, so no reader uses an older version for long
_TIDY_AT = 256  # pieces; each commit adds one and rewrites the list of all
_SMALL_BYTES = 32 << 20  # a table of so many bytes is merged in a moment, whatever is in it
_LOOSE = 0.25  # share of rows, deleted or outside of the largest piece, that is worth a rewrite of all
_TICK_NS = 100_000_000
_UNSCANNED = 4096  # rows in no scan file; each search holds them in memory


class LanceIndex:
    """A library's units in a folder. Safe to read from many processes and threads while one writes.

    Args:
        folder: where the table lies; made if missing.
        fields: the vector fields of the library's encoder.
        wait_seconds: how long a change waits for a change in another process.
        language: whose stems the words of units and queries are reduced to; see `languages`.
        exact_bytes: fields that take more as float32 are scanned by small codes, then exactly.

    Raises:
        InputError: no stemmer is known for the language.
        LibraryFormatError: the table there holds other columns.
        LibraryError: the table cannot be opened or made.
    """

    def __init__(
        self,
        folder: str | Path,
        fields: Sequence[VectorField],
        *,
        wait_seconds: float = 60,
        language: str = "english",
        exact_bytes: int = EXACT_BYTES,
    ) -> None:
        self._fields = tuple(fields)
        self._folder = Path(folder)
        self._wait_seconds = wait_seconds
        self._language = language_named(language)
        self._exact_bytes = exact_bytes
        self._unscanned = 0
        with _explained(f"cannot open the index in {self._folder}"):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._database = lancedb.connect(self._folder)
            self._table = self._open_or_create()
        self._check_columns(self._table.schema)
        self._segments = {
            field.name: Segments(self._folder / _SCAN / field.name, field) for field in self._fields
        }
        self._latest: TableSnapshot | None = None
        self._snapshotting = Lock()
        self._following: Following[TableSnapshot] | None = None
        self._seen_ns = 0
        self._writes = self._writes_seen = 0

    def add(self, entries: Sequence[Entry]) -> None:
        """Store documents in one commit; one with an id already stored replaces all of its units.

        Raises:
            InputError: a document comes twice; nothing is stored.
            ShapeError: vectors that do not fit; nothing is stored.
            LibraryLockedError: another process kept changing the table.
        """
        rows.check(entries, self._fields)
        if not entries:
            return
        ids = _among("document_id", [entry.document.id for entry in entries])
        with self._changing():
            versions = self._versions(ids)
            table = rows.to_table([_next(entry, versions) for entry in entries], self._fields, self._language)
            if versions:
                self._replace(table, ids)
            else:
                self._table.add(table)  # an append costs the same however large the table is
            self._unscanned += len(table)
            if self._table.stats()["fragment_stats"]["num_fragments"] >= _TIDY_AT:
                self._merge(keep_seconds=_KEEP_SECONDS)
            if self._unscanned >= _UNSCANNED:
                with suppress(LibraryError):  # the documents are stored; `optimize` tries again, and says why
                    self._scan_files(purge=False)

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
        following, writes = self._following, self._writes
        if following is not None:
            if self._writes_seen == writes:
                return following.latest()
            renewed = following.renew()
            self._writes_seen = writes
            return renewed
        with self._snapshotting:
            self._latest = self._newest(self._latest)
            return self._latest

    def follow(self) -> None:
        """From now on, let `snapshot` return the newest that is loaded, and load newer ones beside.

        For services of large libraries: no search waits while much is read. What other processes write is
        seen within seconds; what this object writes, as soon as the call returns.
        """
        if self._following is None:
            self._following = Following(self._loaded, self._may_have_changed)

    def renew(self) -> None:
        """Let `snapshot` return nothing older than this call; it always does, unless it follows."""
        if self._following is not None:
            self._following.renew()

    def optimize(self, *, keep_seconds: float = _KEEP_SECONDS) -> None:
        """Merge small pieces and drop old versions; does nothing while another process is writing.

        Large tables are rewritten only when a quarter of their rows is new or deleted, so that what a
        change costs does not grow with the library.

        Args:
            keep_seconds: versions younger than this stay, for readers that still use them. 0 also rewrites
                scan files that hold anything removed; `Library.compact` leaves no byte of it in the table.
        """
        with _explained(f"cannot optimize the index in {self._folder}"):
            try:
                with self._lock().acquire(timeout=0):
                    self._table.checkout_latest()
                    self._upgrade()
                    if keep_seconds == 0 or self._is_loose():
                        self._merge(keep_seconds=keep_seconds)
                    self._scan_files(purge=keep_seconds == 0)
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
        self._latest = self._following = None

    def _newest(self, before: TableSnapshot | None) -> TableSnapshot:
        """Return a snapshot of this moment; the one before if nothing has changed."""
        with _explained(f"cannot read the index in {self._folder}"):
            table = self._database.open_table(TABLE)
            if before is not None and before.version == table.version:
                return before
            table.checkout(table.version)
            return TableSnapshot(
                _LanceRows(table, self._folder),
                self._fields,
                table.version,
                segments=self._segments,
                language=self._language,
                exact_bytes=self._exact_bytes,
                earlier=before,
            )

    def _loaded(self, before: TableSnapshot | None) -> TableSnapshot:
        """Return what `_newest` does, with all read that searches need."""
        changed_ns = self._changed_ns()
        newest = self._newest(before)
        if newest is not before:
            with _explained(f"cannot read the index in {self._folder}"):
                newest.load()
        # Clocks of file systems tick a few times in a hundredth of a second: a change in the same tick as the
        # last would not show.
        self._seen_ns = changed_ns if time_ns() - changed_ns > _TICK_NS else 0
        return newest

    def _may_have_changed(self) -> bool:
        return self._changed_ns() != self._seen_ns

    def _changed_ns(self) -> int:
        """Return when a version was last committed: each is a new file of one folder."""
        try:
            return (self._folder / f"{TABLE}.lance" / "_versions").stat().st_mtime_ns
        except OSError:
            return 0  # the table is looked at itself, which says what is wrong

    def _open_or_create(self) -> Any:
        try:
            return self._database.open_table(TABLE)
        except ValueError:  # LanceDB's way to say that there is none
            return self._database.create_table(TABLE, schema=rows.schema(self._fields), exist_ok=True)

    def _check_columns(self, seen: pa.Schema) -> None:
        if not _differing(seen, rows.schema_of_format_1(self._fields)):
            return
        differing = _differing(seen, rows.schema(self._fields))
        if differing:
            raise LibraryFormatError(
                f"the index in {self._folder} has other columns than this model needs: "
                f"{', '.join(differing)}; open it with the model it was made with, "
                "or remove it and add the documents again"
            )

    def _upgrade(self) -> None:
        """Rewrite a table of format 1, in one commit, with the columns that format 2 adds."""
        if "digest" in self._table.schema.names:
            return
        whole = self._table.search().to_batches(batch_size=1024)
        batches = (rows.upgraded(batch, self._fields) for batch in whole)
        schema = rows.schema(self._fields)
        upgraded = pa.RecordBatchReader.from_batches(schema, batches)
        self._table = self._database.create_table(TABLE, data=upgraded, schema=schema, mode="overwrite")

    def _versions(self, ids: str) -> dict[str, int]:
        """Return the version of each document that is stored already."""
        wanted = self._table.search().where(f"document IS NOT NULL AND {ids}").select(["document"])
        stored = [rows.read_document(text) for text in wanted.to_arrow()["document"].to_pylist()]
        return {document.id: document.version for document in stored}

    def _replace(self, table: pa.Table, ids: str) -> None:
        merge = self._table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        merge.when_not_matched_by_source_delete(ids).execute(table)

    def _is_loose(self) -> bool:
        stats = self._table.stats()
        pieces = stats["fragment_stats"]
        written = pieces["num_fragments"] * pieces["lengths"]["mean"]
        deleted, outside = written - stats["num_rows"], written - pieces["lengths"]["max"]
        return stats["total_bytes"] <= _SMALL_BYTES or bool(deleted + outside > _LOOSE * written)

    def _merge(self, *, keep_seconds: float) -> None:
        with warnings.catch_warnings():  # LanceDB warns about a short time; the caller chose it
            warnings.simplefilter("ignore")
            # Unverified files are those of a writer that was killed: under the lock, no other is at work.
            self._table.optimize(cleanup_older_than=timedelta(seconds=keep_seconds), delete_unverified=True)
        table = self._folder / f"{TABLE}.lance"
        for unfinished in (*table.glob("*/.tmp*"), *table.glob("_versions/*#*")):  # which LanceDB leaves
            unfinished.unlink(missing_ok=True)

    def _scan_files(self, *, purge: bool) -> None:
        """Bring the scan files of large fields in step with the table; those of small fields go."""
        counts = {field.name: rows.items_column(field.name) for field in self._fields}
        wanted = ["digest", *counts.values()]
        read = self._table.search().select(wanted).with_row_id(True).to_arrow()
        digests, row_ids = read["digest"].to_numpy(), read["_rowid"].to_numpy()
        for field in self._fields:
            segments, items = self._segments[field.name], read[counts[field.name]].to_numpy()
            is_large = field.float32_bytes(int(items.sum(dtype=np.int64))) > self._exact_bytes
            there = np.flatnonzero(items) if is_large else np.empty(0, np.intp)
            segments.tidy(digests[there], purge=purge)  # first, as it drops damaged files
            missing = there[located(digests[there], segments.opened()).nowhere]
            if len(missing):
                source = _LanceRows(self._table, self._folder)
                segments.write(vectors_of(source, row_ids[missing], field))
        self._unscanned = 0

    def _lock(self) -> FileLock:
        return FileLock(self._folder / f"{TABLE}.lock")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the table for one change at a time: compaction racing a write can end in a conflict."""
        try:
            with (
                _explained(f"cannot change the index in {self._folder}"),
                self._lock().acquire(self._wait_seconds),
            ):
                self._table.checkout_latest()
                self._upgrade()
                try:
                    yield
                finally:
                    self._writes += 1
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

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns there are."""
        return list(self._table.schema.names)

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

    def take_batch(self, row_ids: NDArray[np.uint64], columns: Sequence[str]) -> pa.RecordBatch:
        """Return some columns of some rows, with "_rowid", in any order."""
        with _explained(f"cannot read the index in {self._folder}"):
            taken = self._table.take_row_ids(row_ids.tolist()).select([*columns, "_rowid"]).to_arrow()
        return pa.RecordBatch.from_arrays(
            [column.combine_chunks() for column in taken.columns], schema=taken.schema
        )


def _next(entry: Entry, versions: Mapping[str, int]) -> Entry:
    """Return the entry with its document's next version."""
    return replace(entry, document=replace(entry.document, version=versions.get(entry.document.id, 0) + 1))


def _among(name: str, values: Sequence[str]) -> str:
    quoted = ("'" + value.encode("utf-8", "replace").decode().replace("'", "''") + "'" for value in values)
    return f"{name} IN ({', '.join(quoted)})"


def _differing(seen: pa.Schema, expected: pa.Schema) -> list[str]:
    return [
        f"{name} ({_type(seen, name)}, expected {_type(expected, name)})"
        for name in dict.fromkeys([*expected.names, *seen.names])
        if _type(seen, name) != _type(expected, name)
    ]


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
        reason = _OF_RUST.sub("", str(error).splitlines()[0])[:200] if str(error) else type(error).__name__
        is_full = "No space left" in reason
        step = "make room on the disk" if is_full else "check that the folder can be read and written"
        raise LibraryError(f"{what}: {reason}; {step}, then try again") from error
    except BaseException as error:
        if type(error).__name__ not in ("PanicException", "RustPanic"):
            raise
        raise LibraryError(f"{what}: LanceDB met damaged bytes; run  plait doctor --repair") from error


_OF_RUST = re.compile(r"lance error: |LanceError\(IO\): |, /\S+\.rs:\d+:\d+")  # for LanceDB's own people
