"""Every byte of a library that matters, looked at: files by their checksums, then rows, then pictures."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from plait.errors import LibraryError, LibraryFormatError
from plait.index import rows as stored
from plait.index.base import StoredDocument
from plait.index.scan.segment import Segment
from plait.library import seals
from plait.library.diagnosis import Diagnosis
from plait.library.folder import LibraryFolder
from plait.library.guarded import GuardedRows, UnreadableError
from plait.library.leftovers import leftovers
from plait.library.manifest import Manifest
from plait.library.reports import Progress, ProgressCallback

_NAMED = 5  # of many alike, so many are named


@dataclass(slots=True)
class DocumentRows:
    """What was met of one document.

    Attributes:
        stored: what its "document" cell says; None if no sound row holds it.
        source: where it came from; "" if no sound row is left of it.
        ordinals: a bit for each place in the document of which there is a sound row.
        is_hurt: some row of it is missing, damaged, or there twice.
        is_doubled: some row of it is there twice.
    """

    stored: StoredDocument | None = None
    source: str = ""
    ordinals: int = 0
    is_hurt: bool = False
    is_doubled: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether a sound row of each of its units was met, once."""
        is_all = self.stored is not None and self.stored.units == self.ordinals.bit_count()
        return is_all and not self.is_doubled


@dataclass(slots=True)
class Examination:
    """A library under examination, and what a repair has to know of it. Call `run`.

    The caller holds the writers' lock, or knows that nobody writes. Memory: some hundred bytes a document and
    a picture, and a few hundred rows.

    Attributes:
        manifest: what `library.json` or its copy says; None if neither can be used.
        damaged_files: files of the store that are not what they were, relative to the library folder.
        is_sealed: whether a checksum of every file of the table is known.
        can_open: whether the newest version of the table can be opened.
        sound: row ids of the rows that are whole.
        damaged: row ids of rows whose cells can be read but are not what was stored.
        unnamed: how many rows cannot even be told to be of which document.
        documents: by id.
        pictures: sha256 -> the documents that refer to it.
        bad_pictures: sha256 of pictures that are missing or damaged.
    """

    folder: LibraryFolder
    progress: ProgressCallback | None = None
    diagnosis: Diagnosis = field(init=False)
    manifest: Manifest | None = None
    damaged_files: set[str] = field(default_factory=set)
    is_sealed: bool = True
    can_open: bool = True
    sound: list[int] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)
    unnamed: int = 0
    documents: dict[str, DocumentRows] = field(default_factory=dict)
    pictures: dict[str, set[str]] = field(default_factory=dict)
    bad_pictures: set[str] = field(default_factory=set)
    _done: int = 0
    _total: int = 0
    _seen: dict[tuple[int, int], bool] = field(default_factory=dict)  # file -> whether it is whole

    def __post_init__(self) -> None:
        self.diagnosis = Diagnosis(str(self.folder.path))

    def run(self) -> Diagnosis:
        """Look at everything and return what was found.

        Raises:
            LibraryFormatError: a newer plait wrote the library.
        """
        started = time.monotonic()
        self._library_json()
        known = self._seals()
        self._files(known)
        self._scan_files()
        self._rows()
        self._documents()
        self._pictures()
        self._snapshots()
        self._leftovers()
        self._sources()
        self.diagnosis.seconds = time.monotonic() - started
        return self.diagnosis

    def _library_json(self) -> None:
        found: list[Manifest | None] = []
        newer: list[LibraryFormatError] = []
        for name in ("library.json", "copies/library.json"):
            try:
                found.append(Manifest.from_json((self.folder.path / name).read_text(encoding="utf-8")))
            except (OSError, ValueError, KeyError, TypeError, LibraryFormatError) as error:
                found.append(None)
                newer += [error] if isinstance(error, LibraryFormatError) else []
                is_old = name.startswith("copies") and found[0] is not None and found[0].format == 1
                if not is_old:
                    self.diagnosis.find("library", name, _reason(error))
        if len(newer) == len(found):
            raise LibraryFormatError(f"{self.folder.path}: {newer[0]}")
        self.manifest = found[0] or found[1]
        if found[0] and found[1] and found[0] != found[1]:
            problem = "is older than library.json"
            self.diagnosis.find("library", "copies/library.json", problem, is_note=True)

    def _seals(self) -> dict[str, seals.Seal]:
        """Return what each file must be."""
        whole = []
        found = {name: _read(self.folder.path / name) for name in ("seals", "copies/seals")}
        for name, data in found.items():
            if data is None:
                # Without either, no writer has come to its end yet, or format 1 wrote all.
                if seals.newest_manifest(self.folder) is not None:
                    self.diagnosis.find("store", name, "is missing", is_note=not any(found.values()))
            elif (parsed := seals.parsed(data)) is None:
                self.diagnosis.find("store", name, "is damaged")
            else:
                whole.append(parsed)
        if len(whole) == 2 and whole[0] != whole[1]:
            self.diagnosis.find("store", "copies/seals", "is older than seals", is_note=True)
        return whole[0] if whole else {}

    def _files(self, known: dict[str, seals.Seal]) -> None:
        """Compare each file of the table, and each copy of one, with its seal."""
        there = seals.sealed_files(self.folder)
        self._total += len(there) + sum(1 for _ in self._picture_files())
        for path in there:
            if path not in known:
                self.is_sealed = False
                self.diagnosis.find(
                    "store",
                    path,
                    "has no seal yet: its writer was stopped; the next one seals it",
                    is_note=True,
                )
            elif not self._is_whole(self.folder.path / path, known[path]):
                self._damaged_file(path, "is damaged: its bytes are not those that were written")
            copy = seals.copy_of(self.folder, path)
            if path in known and copy.is_file() and not self._is_whole(copy, known[path]):
                self.diagnosis.find("store", f"copies/{path}", "the second copy of a file is damaged")
            self._step(path)
        newest = {path for path in known if "/_versions/" in path and path not in there}
        for path in newest:
            if seals.copy_of(self.folder, path).is_file() and self._is_newer(path):
                self._damaged_file(path, "is missing")
        if seals.CATALOGUE in known and not self._is_whole(
            self.folder.path / seals.CATALOGUE, known[seals.CATALOGUE]
        ):
            self.diagnosis.find("store", seals.CATALOGUE, "the list of documents is damaged or missing")
        for path in known:
            if (
                path not in there
                and ("/data/" in path or "/_deletions/" in path)
                and seals.is_in_use(self.folder, path)
            ):
                self._damaged_file(path, "is missing")

    def _is_newer(self, path: str) -> bool:
        newest = seals.newest_manifest(self.folder)
        return newest is None or Path(path).name < newest.name

    def _damaged_file(self, path: str, problem: str) -> None:
        is_dead = not seals.is_in_use(self.folder, path)
        if is_dead:
            problem += ", but no document is in it any more"
        elif "/_transactions/" in path:
            problem += "; only a writer at work reads it"
        self.diagnosis.find("store", path, problem)
        self.damaged_files.add(path)

    def _scan_files(self) -> None:
        for file in sorted((self.folder.store / "scan").rglob("*.scan")):
            name = file.relative_to(self.folder.path).as_posix()
            for problem in _scan_problems(file):
                self.diagnosis.find("scan", name, problem)
            self._count(file)

    def _rows(self) -> None:
        if self.manifest is None:
            self.can_open = False
            self.diagnosis.find("row", "store", "cannot be checked without library.json")
            return
        if seals.newest_manifest(self.folder) is None and not self.catalogued():
            return  # nothing was added yet
        with self.rows() as reader:
            try:
                ids = reader.ids()
            except UnreadableError as error:
                self.can_open = False
                self.diagnosis.find("store", "store", f"the table cannot be opened: {error}")
                return
            self._total += len(ids)
            for chunk in reader.chunks(ids):
                for row_id in chunk.unreadable:
                    self._unreadable(reader, row_id, chunk.reason)
                if chunk.rows is not None:
                    self._check_rows(chunk.rows)

    def rows(self) -> GuardedRows:
        """Return what reads the table; in this process only if all it needs is what was written."""
        hurt = {path for path in self.damaged_files if "/_transactions/" not in path}
        hurts_readers = any(seals.is_in_use(self.folder, path) for path in hurt)
        return GuardedRows(self.folder.store, trusted=self.is_sealed and not hurts_readers)

    def _unreadable(self, reader: GuardedRows, row_id: int, reason: str) -> None:
        try:
            if reader.is_weary:
                raise UnreadableError(reason)
            named = reader.take([row_id], ["document_id", "id"])
            name, unit = named["document_id"][0].as_py(), named["id"][0].as_py()
        except UnreadableError:
            self.unnamed += 1
            self.diagnosis.find("row", f"row {row_id}", f"cannot be read: {reason}")
            return
        self.document(name).is_hurt = True
        self.diagnosis.find("row", unit, f"cannot be read: {reason}")

    def _check_rows(self, table: pa.Table) -> None:
        """Compare rows with their digests, and note what the sound ones hold."""
        assert self.manifest is not None
        self.diagnosis.rows += len(table)
        self._step(f"{self.diagnosis.rows:,} rows", len(table))
        right = np.ones(len(table), bool)
        if "digest" in table.schema.names:
            right = table["digest"].to_numpy() == stored.digests(table, self.manifest.fields)
        ids = table["_rowid"].to_numpy()
        self.sound += ids[right].tolist()
        self.damaged += ids[~right].tolist()
        for row in table.filter(pa.array(~right)).select(["id", "document_id"]).to_pylist():
            self.diagnosis.find("row", row["id"], "is damaged: its cells do not fit their checksum")
            self.document(row["document_id"]).is_hurt = True
        names = ["id", "document_id", "source", "ordinal", "pictures", "document"]
        for row in table.filter(pa.array(right)).select(names).to_pylist():
            self.met(row)

    def met(self, row: dict[str, Any]) -> None:
        """Note what a sound row holds."""
        document = self.document(row["document_id"])
        document.source = row["source"]
        if row["document"] is not None:
            document.stored = stored.read_document(row["document"])
        if row["ordinal"] >= 0:
            bit = 1 << row["ordinal"]
            if document.ordinals & bit:
                document.is_hurt = document.is_doubled = True
                self.diagnosis.find("row", row["id"], "is stored twice")
            document.ordinals |= bit
        for sha256 in row["pictures"]:
            self.pictures.setdefault(sha256, set()).add(row["document_id"])

    def _documents(self) -> None:
        """Find documents that are not whole; where rows are nameless, also those that nothing is left of."""
        for name, document in self.documents.items():
            units = document.ordinals.bit_count()
            if document.stored is None:
                document.is_hurt = True
                self.diagnosis.find("document", document.source or name, "its description cannot be read")
            elif document.stored.units != units:
                document.is_hurt = True
                self.diagnosis.find(
                    "document",
                    document.stored.source,
                    f"{document.stored.units} units were stored, {units} are whole",
                )
        self.diagnosis.documents = len(self.documents)
        catalogued = self.catalogued() if self.unnamed or not self.can_open or self._has_hurt() else {}
        for name, known in catalogued.items():
            if name in self.documents:
                self.documents[name].stored = self.documents[name].stored or known
            elif self.unnamed or not self.can_open:
                self.documents[name] = DocumentRows(known, is_hurt=True)
                self.diagnosis.find("document", known.source, "none of its units can be read")
        # A name that only damaged rows bear may be damaged itself; the document it was is found incomplete.
        nameless = [n for n, d in self.documents.items() if d.stored is None and not d.source]
        for name in nameless:
            del self.documents[name]

    def _has_hurt(self) -> bool:
        return any(document.is_hurt for document in self.documents.values())

    def document(self, name: str) -> DocumentRows:
        """Return what was met of a document, which may be nothing."""
        return self.documents.setdefault(name, DocumentRows())

    def sources(self, names: Iterable[str]) -> list[str]:
        """Return where some documents came from, in order."""
        return sorted(self._source(name) for name in names)

    def catalogued(self) -> dict[str, StoredDocument]:
        """Return the documents that the library held when its files were last sealed."""
        try:
            documents = map(stored.read_document, seals.catalogue(self.folder))
            return {document.id: document for document in documents}
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
            return {}

    def _pictures(self) -> None:
        there = set()
        for file in self._picture_files():
            name = file.relative_to(self.folder.path).as_posix()
            self._step(name)
            if file.name.startswith("."):
                continue
            there.add(file.stem)
            if file.stem not in self.pictures and self._knows_all():
                self.diagnosis.find("leftover", name, "no document shows this picture", is_note=True)
            if not self._is_picture_whole(file):
                self.bad_pictures.add(file.stem)
                self.diagnosis.find("picture", name, f"is damaged; {self._shown_by(file.stem)}")
        for sha256 in self.pictures.keys() - there:
            self.bad_pictures.add(sha256)
            self.diagnosis.find(
                "picture", f"pictures/{sha256[:2]}/{sha256}", f"is missing; {self._shown_by(sha256)}"
            )
        self.diagnosis.pictures = len(there)

    def _knows_all(self) -> bool:
        return self.can_open and not self._has_hurt()

    def _shown_by(self, sha256: str) -> str:
        names = sorted(self._source(name) for name in self.pictures.get(sha256, ()))
        return "shown by " + _some(names) if names else "no document shows it"

    def _source(self, document_id: str) -> str:
        known = self.documents.get(document_id, DocumentRows())
        return (known.stored.source if known.stored else known.source) or document_id

    def _picture_files(self, folder: LibraryFolder | None = None) -> Iterator[Path]:
        return (p for p in ((folder or self.folder).path / "pictures").glob("*/*") if p.is_file())

    def _snapshots(self) -> None:
        """Check the files of snapshots; those that are the library's own were checked already."""
        for path in sorted((self.folder.path / "snapshots").glob("[!.]*")):
            saved = LibraryFolder(path)
            name = path.relative_to(self.folder.path).as_posix()
            try:
                saved.read_manifest()
                known = seals.read(saved)
            except LibraryError as error:
                self.diagnosis.find("snapshot", name, str(error))
                continue
            missing = [p for p in known if not (path / p).is_file()]
            bad = [p for p in known if p not in missing and not self._is_whole(path / p, known[p])]
            bad += [
                str(p.relative_to(path)) for p in self._picture_files(saved) if not self._is_picture_whole(p)
            ]
            for file in [*missing, *bad]:
                self.diagnosis.find("snapshot", f"{name}/{file}", "is damaged or missing")

    def _leftovers(self) -> None:
        for path in leftovers(self.folder):
            name = path.relative_to(self.folder.path).as_posix()
            self.diagnosis.find("leftover", name, "was left by an interrupted writer", is_note=True)
        hint = self.folder.store / "units.lance" / "_versions" / "latest_version_hint.json"
        newest = seals.newest_manifest(self.folder)
        if newest is not None and hint.is_file() and not _hints_at(hint, newest):
            self.diagnosis.find(
                "leftover",
                hint.relative_to(self.folder.path).as_posix(),
                "is not true; nobody relies on it",
                is_note=True,
            )
        if (self.folder.path / "quarantine").is_dir():
            self.diagnosis.find(
                "leftover", "quarantine", "holds what earlier repairs set aside", is_note=True
            )

    def _sources(self) -> None:
        documents = (d.stored for d in self.documents.values() if d.stored is not None)
        gone = sorted(d.source for d in documents if not (self.folder.root / d.source).exists())
        if gone:
            problem = (
                f"{len(gone):,} source files are gone, and could not be read again if needed: {_some(gone)}"
            )
            self.diagnosis.find("source", str(self.folder.root), problem, is_note=True)

    def _is_whole(self, file: Path, seal: seals.Seal) -> bool:
        return self._once(file, lambda: seals.of(file) == seal)

    def _is_picture_whole(self, file: Path) -> bool:
        def fits() -> bool:
            with file.open("rb") as opened:
                return hashlib.file_digest(opened, "sha256").hexdigest() == file.stem

        return self._once(file, fits)

    def _once(self, file: Path, fits: Callable[[], bool]) -> bool:
        """Return whether a file is whole; one that has several names is read once."""
        try:
            status = file.stat()
            place = (status.st_dev, status.st_ino)
            if place not in self._seen:
                self._seen[place] = fits()
                self._count(file)
            return self._seen[place]
        except OSError:
            return False

    def _count(self, file: Path) -> None:
        self.diagnosis.files += 1
        self.diagnosis.bytes += os.path.getsize(file)

    def _step(self, what: str, count: int = 1) -> None:
        self._done += count
        if self.progress is not None:
            self.progress(Progress(self._done, max(self._done, self._total), what))


def _scan_problems(file: Path) -> list[str]:
    try:
        segment = Segment.open(file)
    except (LibraryError, OSError) as error:
        return [str(error)]
    try:
        return segment.problems()
    finally:
        segment.close()


def _hints_at(hint: Path, newest: Path) -> bool:
    try:
        return int(json.loads(hint.read_bytes())["version"]) == (1 << 64) - 1 - int(newest.stem)
    except (ValueError, KeyError, TypeError):
        return False


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "is missing"
    return str(error) if isinstance(error, LibraryFormatError) else f"is damaged ({error})"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
