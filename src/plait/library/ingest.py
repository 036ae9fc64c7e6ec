"""Adding files: read -> units -> vectors -> stored, a batch of documents at a time.

A batch is durable once it is stored; what an interruption loses is the batch under way, and adding
again goes on from there. Memory holds one batch, whatever the size of the corpus.
"""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from plait.data.readers.base import ReadLimits, document_id
from plait.data.readers.sandbox import ReaderPool
from plait.data.segmenting import units as units_of
from plait.encode.base import Encoder
from plait.errors import ReadError
from plait.index.base import Entry, Index, StoredDocument
from plait.library.folder import LibraryFolder
from plait.library.gather import Found, sha256_of
from plait.library.reports import AddReport, Failure, Progress, ProgressCallback
from plait.schema import Document, Unit
from plait.scoring.vectors import UnitVectors
from plait.settings import Settings

# A batch is closed when it holds this many units, so that one long document among short ones
# does not make it large. One document is never split: it is stored whole or not at all.
_BATCH_UNITS = 256


@dataclass(frozen=True, slots=True)
class Read:
    """One file read and cut into units, ready to encode.

    Attributes:
        spool: the folder of its pictures, deleted once it is stored; None when they are the caller's.
    """

    document: Document
    units: tuple[Unit, ...]
    content_sha256: str
    spool: Path | None = None


@dataclass(slots=True)
class Tally:
    """What has happened so far; becomes the report."""

    started: float = field(default_factory=time.monotonic)
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    shown: int = 0
    units: int = 0
    figures: int = 0
    windows: int = 0
    truncated: int = 0
    failed: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def fail(self, error: ReadError) -> None:
        self.failed.append(Failure(error.source, error.reason, error.remedy))

    def report(self) -> AddReport:
        return AddReport(
            added=self.added,
            updated=self.updated,
            unchanged=self.unchanged,
            shown=self.shown,
            failed=tuple(self.failed),
            warnings=tuple(self.warnings),
            units=self.units,
            figures=self.figures,
            windows=self.windows,
            truncated=self.truncated,
            seconds=time.monotonic() - self.started,
        )


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
    ) -> None:
        self._folder = folder
        self._index = index
        self._encoder = encoder
        self._settings = settings
        self._progress = progress
        self._stored = {document.source: document for document in index.documents()}
        self._known = {document.id for document in self._stored.values()}
        self._pictures = index.pictures()
        self.tally = Tally()

    def files(self, found: Sequence[Found], *, force: bool = False) -> None:
        """Read and store files; unchanged ones are skipped unless `force`."""
        limits = ReadLimits(
            memory_mb=self._settings.read_memory_mb,
            cpu_seconds=self._settings.read_cpu_seconds,
            wall_seconds=self._settings.read_wall_seconds,
            max_pixels=self._settings.max_pixels,
            max_file_mb=self._settings.max_file_mb,
            max_pages=self._settings.max_pages,
            max_unpacked_mb=self._settings.max_unpacked_mb,
            max_attachments=self._settings.max_attachments,
            page_dpi=self._settings.page_dpi,
            figure_dpi=self._settings.figure_dpi,
            ocr=self._settings.ocr,
            ocr_memory_mb=self._settings.ocr_memory_mb,
        )
        with self._folder.spool() as spool, ReaderPool(self._settings.read_workers, limits) as pool:
            documents = [file for file in found if not file.is_picture]
            loose = [file for file in found if file.is_picture]
            done = 0
            for group in (documents, loose):
                wanted = self._changed(group, force=force)
                for batch in _batches(self._read(wanted, pool, spool, len(found), done), self._settings):
                    self.store(batch)
                done += len(group)

    def store(self, batch: Sequence[Read]) -> None:
        """Encode a batch and make it durable, all of it or none."""
        batch, flat, vectors = self._encoded(batch)
        entries = []
        for read in batch:
            of_document = tuple(next(vectors) for _ in read.units)
            units = tuple(self._kept(unit) for unit in read.units)
            entries.append(Entry(_stored(read, len(units)), units, of_document))
        self._index.add(entries)
        for read in batch:
            _drop(read.spool)
            known = read.document.id in self._known
            self.tally.updated += known
            self.tally.added += not known
            self._known.add(read.document.id)
            self.tally.warnings += [f"{read.document.source}: {w}" for w in read.document.warnings]
        self.tally.units += len(flat)
        self.tally.figures += sum(len(unit.figures) for unit in flat)
        self._pictures |= {p.sha256 for unit in flat for p in unit.pictures}

    def _encoded(self, batch: Sequence[Read]) -> tuple[Sequence[Read], list[Unit], Iterator[UnitVectors]]:
        """Return the documents that could be encoded, their units, and those units' vectors."""
        flat = [unit for read in batch for unit in read.units]
        try:
            return batch, flat, iter(self._vectors(flat))
        except ReadError as error:
            if len(batch) == 1:
                self.tally.fail(ReadError(batch[0].document.source, error.reason, error.remedy))
                return [], [], iter(())
        parts = [self._encoded([read]) for read in batch]  # one at a time, to leave out the one at fault
        return (
            [read for reads, _, _ in parts for read in reads],
            [unit for _, units, _ in parts for unit in units],
            itertools.chain.from_iterable(vectors for _, _, vectors in parts),
        )

    def _vectors(self, units: Sequence[Unit]) -> list[UnitVectors]:
        """Return the units' vectors; count the windows made, and the texts cut, of those that have some."""
        encoder = self._encoder()
        windows, truncated = encoder.windows, encoder.truncated
        vectors = encoder.encode_units(units)
        self.tally.windows += encoder.windows - windows
        self.tally.truncated += encoder.truncated - truncated
        return vectors

    def _changed(self, group: Sequence[Found], *, force: bool) -> Iterator[tuple[Found, str]]:
        """Give the files to read, each with its digest; count the others."""
        for file in group:
            try:
                digest = sha256_of(file.path)
            except OSError as error:
                reason = f"cannot be read ({error.strerror or error})"
                self.tally.fail(ReadError(file.source, reason, "check its permissions, then add it again"))
                continue
            before = self._stored.get(file.source)
            if before is not None and before.content_sha256 == digest and not force:
                self.tally.unchanged += 1
            elif file.is_picture and before is None and digest in self._pictures:
                self.tally.shown += 1
            else:
                yield file, digest

    def _read(
        self, wanted: Iterator[tuple[Found, str]], pool: ReaderPool, spool: Path, total: int, done: int
    ) -> Iterator[Read]:
        """Read files in their order; a file that fails is tallied and left out."""
        digests: dict[str, str] = {}

        def items() -> Iterator[Found]:
            for file, digest in wanted:
                digests[file.source] = digest
                yield file

        skipped_before = self.tally.unchanged + self.tally.shown
        for count, (file, outcome) in enumerate(pool.read_many(items(), spool=spool), start=1):
            digest, pictures = digests.pop(file.source), spool / document_id(file.source)
            if isinstance(outcome, Document) and (units := units_of(outcome)):
                yield Read(outcome, units, digest, pictures)
            else:
                self.tally.fail(outcome if isinstance(outcome, ReadError) else _empty(file.source))
                _drop(pictures)
            if self._progress is not None:
                skipped = self.tally.unchanged + self.tally.shown - skipped_before
                self._progress(Progress(done + count + skipped, total, file.source))

    def _kept(self, unit: Unit) -> Unit:
        """Return the unit with its pictures moved out of the spool into the library."""
        keep = self._folder.keep_picture
        return replace(
            unit,
            figures=tuple(replace(f, picture=keep(f.picture)) if f.picture else f for f in unit.figures),
            page_picture=keep(unit.page_picture) if unit.page_picture else None,
        )


def _empty(source: str) -> ReadError:
    return ReadError(source, "holds no text and no pictures", "nothing to search in it; leave it out")


def _drop(spool: Path | None) -> None:
    if spool is not None:
        shutil.rmtree(spool, ignore_errors=True)


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


def _batches(reads: Iterable[Read], settings: Settings) -> Iterator[list[Read]]:
    """Group read documents, closing a group at `batch_documents` documents or `_BATCH_UNITS` units."""
    batch: list[Read] = []
    for read in reads:
        batch.append(read)
        if len(batch) >= settings.batch_documents or sum(len(r.units) for r in batch) >= _BATCH_UNITS:
            yield batch
            batch = []
    if batch:
        yield batch
