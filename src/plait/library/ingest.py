"""Adding files: read -> units -> vectors -> stored, a batch of documents at a time.

A batch is durable once it is stored; what an interruption loses is the batch under way, and adding
again goes on from there. Memory holds one batch, whatever the size of the corpus.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from plait.data.readers.sandbox.pool import ReaderPool
from plait.encode.base import Encoder
from plait.errors import ReadError
from plait.index.base import Entry, Index, StoredDocument
from plait.library.folder import LibraryFolder
from plait.library.gather import Files, Found
from plait.library.meter import Meter
from plait.library.reading import Read, Reading, drop, limits_of
from plait.library.reports import DocumentCallback, ProgressCallback
from plait.library.sources import INSIDE
from plait.library.tally import Tally
from plait.schema import Unit
from plait.scoring.vectors import UnitVectors
from plait.settings import Settings

# A batch is closed when it holds this many units, so that one long document among short ones
# does not make it large. One document is never split: it is stored whole or not at all.
_BATCH_UNITS = 256
_UNITS_AT_ONCE = 64  # are encoded between two tellings of progress
_MOST_ROOTS = 200  # that a reading process is confined to; where there are more, to the folder of all


class Ingest:
    """One `add` under way. The caller holds the writers' lock."""

    def __init__(
        self,
        *,
        folder: LibraryFolder,
        index: Index,
        encoder: Callable[[], Encoder],
        settings: Settings,
        progress: ProgressCallback | None = None,
        on_document: DocumentCallback | None = None,
    ) -> None:
        self._folder = folder
        self._index = index
        self._encoder = encoder
        self._settings = settings
        self._progress = progress
        self._on_document = on_document
        self._meter = Meter()
        self._told = 0  # bytes of the batch under way that progress was told of
        self._stored = {document.source: document for document in index.documents()}
        self._known = {document.id for document in self._stored.values()}
        self._held: dict[str, dict[str, str]] = {}  # archive -> source of what it holds -> id
        for source, document in self._stored.items():
            if INSIDE in source:
                self._held.setdefault(source.partition(INSIDE)[0], {})[source] = document.id
        self._pictures = index.pictures()
        self.tally = Tally()

    def files(
        self,
        documents: Sequence[Found],
        pictures: Sequence[Found] = (),
        *,
        bytes_total: int = 0,
        force: bool = False,
    ) -> None:
        """Read and store files; unchanged ones are skipped unless `force`.

        Args:
            pictures: read last: those that a document shows are not stored on their own.
            bytes_total: the size of all together, for progress; 0 tells it by their number.
        """
        self._meter = Meter(self._progress, total=len(documents) + len(pictures), bytes_total=bytes_total)
        reading = Reading(
            stored=self._stored,
            pictures=self._pictures,
            tally=self.tally,
            meter=self._meter,
            on_left=self._left,
        )
        roots = _roots(documents, pictures)
        pool = ReaderPool(self._settings.read_workers, limits_of(self._settings), roots)
        with self._folder.spool() as spool, pool:
            for group in (documents, pictures):
                for batch in batches(reading.read(group, pool, spool, force=force), self._settings):
                    self.store(batch)

    def store(self, batch: Sequence[Read]) -> None:
        """Encode a batch and make it durable, all of it or none."""
        size, self._told = sum(read.size for read in batch), 0
        files = sum(read.files for read in batch)
        last = batch[-1].document.source
        batch, flat, vectors = self._encoded(batch, size)
        entries = []
        for read in batch:
            of_document = tuple(next(vectors) for _ in read.units)
            units = tuple(self._kept(unit) for unit in read.units)
            entries.append(Entry(_stored(read, len(units)), units, of_document))
        self._index.add(entries)
        for read, entry in zip(batch, entries, strict=True):
            drop(read.spool)
            if self._on_document is not None:
                self._on_document(entry.document, self._stored.get(entry.document.source))
            self._forget(read)
            known = read.document.id in self._known
            self.tally.updated += known
            self.tally.added += not known
            self._known.add(read.document.id)
            self.tally.warnings += [f"{read.document.source}: {w}" for w in read.document.warnings]
        self.tally.units += len(flat)
        self.tally.figures += sum(len(unit.figures) for unit in flat)
        self.tally.tables += sum(len(unit.tables) for unit in flat)
        pages = sum(len(read.document.pages) for read in batch)
        self.tally.pages += pages
        self._meter.advance(last, files=files, size=max(0, size - self._told), pages=pages)

    def _encoded(
        self, batch: Sequence[Read], size: int
    ) -> tuple[Sequence[Read], list[Unit], Iterator[UnitVectors]]:
        """Return the documents that could be encoded, their units, and those units' vectors."""
        flat = [unit for read in batch for unit in read.units]
        try:
            return batch, flat, iter(self._vectors(flat, batch[-1].document.source, size))
        except ReadError as error:
            if len(batch) == 1:
                self.tally.fail(ReadError(batch[0].document.source, error.reason, error.remedy))
                self._left(batch[0].document.source)
                return [], [], iter(())
        parts = [self._encoded([read], 0) for read in batch]  # one at a time, to leave out the one at fault
        return (
            [read for reads, _, _ in parts for read in reads],
            [unit for _, units, _ in parts for unit in units],
            itertools.chain.from_iterable(vectors for _, _, vectors in parts),
        )

    def _vectors(self, units: Sequence[Unit], source: str, size: int) -> list[UnitVectors]:
        """Return the units' vectors; count the windows made, and the texts cut, of those that have some.

        Args:
            size: of the files that the units are of; progress is told as if all units weighed the same.
        """
        encoder = self._encoder()
        windows, truncated = encoder.windows, encoder.truncated
        vectors: list[UnitVectors] = []
        for begin in range(0, len(units), _UNITS_AT_ONCE):
            some = units[begin : begin + _UNITS_AT_ONCE]
            vectors += encoder.encode_units(some)
            part = min(size * len(some) // len(units), size - self._told)
            self._told += part
            self._meter.advance(source, size=part)
        self.tally.windows += encoder.windows - windows
        self.tally.truncated += encoder.truncated - truncated
        return vectors

    def _forget(self, read: Read) -> None:
        """Remove what an archive or message held when it was stored before, and holds no more."""
        before = self._held.pop(read.document.source, {})
        gone = [id for source, id in before.items() if source not in (read.held or ())]
        if gone:
            self.tally.removed += self._index.remove(gone)

    def _left(self, source: str) -> None:
        """Tell of a file, and of what it holds, that are stored as they were."""
        if self._on_document is not None:
            for one in (source, *self._held.get(source, ())):
                if (document := self._stored.get(one)) is not None:
                    self._on_document(document, document)

    def _kept(self, unit: Unit) -> Unit:
        """Return the unit with its pictures moved out of the spool into the library."""
        return unit.with_pictures(self._folder.keep_picture)


def _roots(*groups: Sequence[Found]) -> list[Path]:
    """Return what reading some files may open: the folders of their pictures, and what links lead to."""
    found: set[Path] = set()
    for group in groups:
        found |= group.roots if isinstance(group, Files) else {file.root for file in group}
    return sorted(found) if len(found) <= _MOST_ROOTS else [Path(os.path.commonpath(found))]


def _stored(read: Read, units: int) -> StoredDocument:
    document = read.document
    return StoredDocument(
        id=document.id,
        title=document.title,
        source=document.source,
        metadata=document.metadata,
        content_sha256=read.content_sha256,
        warnings=document.warnings,
        units=units,
        figures=sum(len(unit.figures) for unit in read.units),
    )


def batches(reads: Iterable[Read], settings: Settings) -> Iterator[list[Read]]:
    """Group read documents, closing a group at `batch_documents` documents or `_BATCH_UNITS` units.

    No group holds two documents of one id: the later is to replace the earlier.
    """
    batch: list[Read] = []
    for read in reads:
        if any(read.document.id == earlier.document.id for earlier in batch):
            yield batch
            batch = []
        batch.append(read)
        if len(batch) >= settings.batch_documents or sum(len(r.units) for r in batch) >= _BATCH_UNITS:
            yield batch
            batch = []
    if batch:
        yield batch
