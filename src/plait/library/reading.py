"""Files to what is read of them: unchanged ones skipped, the others read by a pool, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plait.data.readers.base import IMAGE_SUFFIXES, ReadLimits
from plait.data.readers.sandbox.pool import Outcome, ReaderPool
from plait.data.segmenting import units as units_of
from plait.errors import ReadError
from plait.index.base import StoredDocument
from plait.library.folder import delete_folder
from plait.library.gather import Found, sha256_of
from plait.library.meter import Meter
from plait.library.tally import Tally
from plait.schema import Document, Unit
from plait.settings import Settings


@dataclass(frozen=True, slots=True)
class Read:
    """One file read and cut into units, ready to encode.

    Attributes:
        spool: the folder of its pictures, deleted once it is stored; None when they are the caller's.
        held: sources of all that an archive or message holds; None for what holds nothing.
        files, size: what it counts for in the progress of an `add`: nothing, for what an archive holds.
    """

    document: Document
    units: tuple[Unit, ...]
    content_sha256: str
    spool: Path | None = None
    held: frozenset[str] | None = None
    files: int = 0
    size: int = 0


class Reading:
    """The files of one `add`.

    Args:
        stored: what the library holds, by source.
        pictures: sha256 of every picture it shows; those of what is read are added.
        tally: counts what is skipped and what fails.
        meter: told of what is skipped and what fails; the caller tells it of what is given.
        on_left: told of each source whose stored document, if there is one, is not replaced.
    """

    def __init__(
        self,
        *,
        stored: Mapping[str, StoredDocument],
        pictures: set[str],
        tally: Tally,
        meter: Meter,
        on_left: Callable[[str], None],
    ) -> None:
        self._stored = stored
        self._pictures = pictures
        self._tally = tally
        self._meter = meter
        self._on_left = on_left

    def read(
        self, files: Sequence[Found], pool: ReaderPool, spool: Path, *, force: bool = False
    ) -> Iterator[Read]:
        """Give what is read of some files, what an archive holds before the archive itself.

        A file that fails is tallied and left out. Unchanged files are skipped unless `force`.
        """
        digests: dict[str, str] = {}
        held: set[str] = set()
        for outcome in pool.read_many(self._wanted(files, digests, force), spool=spool):
            if outcome.is_last:
                read = self._file(outcome, digests.pop(outcome.source), held)
                held = set()
            else:
                held.add(outcome.source)
                read = self._held(outcome, force=force)
            if read is None:
                drop(outcome.spool)
                self._on_left(outcome.source)
                size = outcome.item.bytes if outcome.is_last else 0
                self._meter.advance(outcome.source, files=int(outcome.is_last), size=size)
            else:
                self._pictures |= {p.sha256 for unit in read.units for p in unit.pictures}
                yield read

    def _wanted(self, files: Sequence[Found], digests: dict[str, str], force: bool) -> Iterator[Found]:
        """Give the files to read, noting their digests; count the others."""
        for file in files:
            try:
                digest = sha256_of(file.path)
            except OSError as error:
                reason = f"cannot be read ({error.strerror or error})"
                self._tally.fail(ReadError(file.source, reason, "check its permissions, then add it again"))
                self._pass(file)
                continue
            if self._is_unchanged(file.source, digest, force):
                self._tally.unchanged += 1
                self._pass(file)
            elif file.is_picture and self._is_shown(file.source, digest):
                self._tally.shown += 1
                self._pass(file)
            else:
                digests[file.source] = digest
                yield file

    def _file(self, outcome: Outcome[Found], digest: str, held: set[str]) -> Read | None:
        """Return a file that was read, empty ones reported."""
        result = outcome.result
        if isinstance(result, ReadError):
            self._tally.fail(result)
            return None
        units = units_of(result)
        if not units and not held:
            self._tally.fail(_empty(outcome.source))
            return None
        kept = frozenset(held) if held or result.attachments else None
        return Read(result, units, digest, outcome.spool, kept, files=1, size=outcome.item.bytes)

    def _held(self, outcome: Outcome[Found], *, force: bool) -> Read | None:
        """Return what was read of a file that another holds; None if that changes nothing."""
        result = outcome.result
        if isinstance(result, ReadError):
            self._tally.fail(result)
            return None
        digest = sha256_of(outcome.path)
        if self._is_unchanged(outcome.source, digest, force):
            self._tally.unchanged += 1
            return None
        is_picture = Path(outcome.source).suffix.lower() in IMAGE_SUFFIXES
        if is_picture and self._is_shown(outcome.source, digest):
            self._tally.shown += 1
            return None
        units = units_of(result)
        if not units and not result.attachments:
            self._tally.fail(_empty(outcome.source))
            return None
        return Read(result, units, digest, outcome.spool)

    def _is_unchanged(self, source: str, digest: str, force: bool) -> bool:
        before = self._stored.get(source)
        return before is not None and before.content_sha256 == digest and not force

    def _is_shown(self, source: str, digest: str) -> bool:
        """Tell whether a picture file is new, and a document of the library shows it."""
        return source not in self._stored and digest in self._pictures

    def _pass(self, file: Found) -> None:
        """Count a file that is not read."""
        self._on_left(file.source)
        self._meter.advance(file.source, files=1, size=file.bytes)


def limits_of(settings: Settings) -> ReadLimits:
    """Return what one file may cost by the settings."""
    return ReadLimits(
        memory_mb=settings.read_memory_mb,
        cpu_seconds=settings.read_cpu_seconds,
        wall_seconds=settings.read_wall_seconds,
        max_pixels=settings.max_pixels,
        max_file_mb=settings.max_file_mb,
        max_pages=settings.max_pages,
        max_unpacked_mb=settings.max_unpacked_mb,
        max_attachments=settings.max_attachments,
        page_dpi=settings.page_dpi,
        figure_dpi=settings.figure_dpi,
        ocr=settings.ocr,
        ocr_memory_mb=settings.ocr_memory_mb,
    )


def drop(spool: Path | None) -> None:
    """Delete the folder of a document's pictures."""
    if spool is not None:
        delete_folder(spool)


def _empty(source: str) -> ReadError:
    return ReadError(source, "holds no text and no pictures", "nothing to search in it; leave it out")
