"""Verifying a library, and mending it: what proves whole stays, the rest is made again or set aside.

Nothing is thrown away in silence: damaged files and rows go to `quarantine/`, and the report names every
document that could not be brought back.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plait.encode.base import Encoder
from plait.errors import LibraryError, LibraryLockedError, PlaitError
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import StoredDocument
from plait.library import leftovers, seals, table
from plait.library.diagnosis import Diagnosis, RepairReport
from plait.library.examination import Examination
from plait.library.folder import LibraryFolder, write_durably
from plait.library.gather import Found, sha256_of
from plait.library.guarded import GuardedRows
from plait.library.ingest import Ingest
from plait.library.mending import mended
from plait.library.reports import ProgressCallback
from plait.library.sources import INSIDE
from plait.settings import Settings


def verify(folder: LibraryFolder, *, progress: ProgressCallback | None = None) -> Diagnosis:
    """Look at every byte of a library that matters, and return what is wrong.

    Holds the writers' lock meanwhile, where the folder can be written: searches go on, writers wait.

    Raises:
        LibraryLockedError: another process is writing.
        LibraryFormatError: a newer plait wrote the library.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(folder.writing())
        except LibraryLockedError:
            raise
        except LibraryError:
            pass  # a folder that cannot be written has no writer to keep out
        return Examination(folder, progress).run()


def repair(
    folder: LibraryFolder,
    *,
    encoder: Callable[[], Encoder],
    settings: Settings,
    progress: ProgressCallback | None = None,
) -> RepairReport:
    """Mend what can be mended, set the rest aside, and verify again.

    Args:
        encoder: gives the library's own; called only if a unit has to be encoded again.

    Raises:
        LibraryLockedError: another process is writing.
        LibraryFormatError: a newer plait wrote the library.
        LibraryError: the folder cannot be written.
    """
    with folder.writing():
        return _Repair(folder, encoder, settings, progress).run()


class _Repair:
    """One repair under way."""

    def __init__(
        self,
        folder: LibraryFolder,
        encoder: Callable[[], Encoder],
        settings: Settings,
        progress: ProgressCallback | None,
    ) -> None:
        self._folder = folder
        self._encoder = encoder
        self._settings = settings
        self._progress = progress
        self._quarantine = folder.path / "quarantine" / time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime())
        self._seen = Examination(folder, progress)
        self._done: list[str] = []
        self._lost: list[str] = []

    def run(self) -> RepairReport:
        found = self._seen.run()
        if self._library_json():
            self._small_files()
            self._scan_files()
            if self._done:
                self._look_again()
            if not self._seen.can_open:
                self._go_back()
            self._rows_and_pictures()
            self._leftovers()
            if seals.newest_manifest(self._folder) is not None:
                seals.renew(self._folder)
        left = Examination(self._folder, self._progress).run()
        return RepairReport(found, tuple(self._done), tuple(self._lost), left)

    def _look_again(self) -> None:
        self._seen = Examination(self._folder, self._progress)
        self._seen.run()

    def _library_json(self) -> bool:
        """Bring library.json and its copy in step; return whether there is one."""
        manifest, path = self._seen.manifest, self._folder.path
        if manifest is None:
            self._lost.append(
                "library.json and its copy are damaged or missing: import an export, restore a backup, "
                f"or move {path} away and add the documents again"
            )
            return False
        wrong = {finding.where for finding in self._seen.diagnosis.findings if finding.kind == "library"}
        for name in sorted(wrong):
            self._set_aside(name)
        if wrong:
            self._folder.write_manifest(manifest)
            self._done.append(f"wrote {' and '.join(sorted(wrong))} again from the other copy")
        return True

    def _small_files(self) -> None:
        """Put back files that have a second copy, and drop copies that are not whole."""
        try:
            known = seals.read(self._folder)
        except LibraryError:
            known = {}
        for path in sorted(self._seen.damaged_files):
            copy = seals.copy_of(self._folder, path)
            if copy.is_file() and path in known and seals.of(copy) == known[path]:
                self._set_aside(path)
                (self._folder.path / path).parent.mkdir(parents=True, exist_ok=True)
                write_durably(self._folder.path / path, copy.read_bytes())
                self._done.append(f"put {path} back from its second copy")
        for finding in self._seen.diagnosis.problems:
            is_copy = finding.kind == "store" and finding.where.startswith(("copies/", "seals"))
            if is_copy:
                self._set_aside(finding.where)
                self._done.append(f"made {finding.where} again")

    def _scan_files(self) -> None:
        for finding in self._seen.diagnosis.problems:
            if finding.kind == "scan":
                (self._folder.path / finding.where).unlink(missing_ok=True)
                self._done.append(f"deleted {finding.where}; the next write makes it again")

    def _go_back(self) -> None:
        """Let the newest version go, as it cannot be opened; without another, begin an empty table."""
        while (newest := seals.newest_manifest(self._folder)) is not None:
            name = newest.relative_to(self._folder.path).as_posix()
            was_sealed = self._seen.is_sealed
            self._set_aside(name)
            seals.forget(self._folder, name)  # the next version takes its number
            self._look_again()
            if self._seen.can_open and seals.newest_manifest(self._folder) is not None:
                self._done.append(
                    "went back to an older version of the table; the newest could not be opened"
                )
                if was_sealed:
                    self._expect_catalogue()
                else:
                    self._lost.append("the last changes before the writer was stopped may be lost: add again")
                return
        documents = self._seen.documents
        self._set_aside("store/units.lance")
        seals.forget(self._folder, "store")
        self._done.append("began an empty table; no version of the old one could be opened")
        self._seen.can_open = False
        self._seen.documents = documents

    def _expect_catalogue(self) -> None:
        """Compare with the list of documents: what the table lacks is read again, what was removed goes.

        The list must be as new as the newest version was: true where every file had been sealed.
        """
        catalogued = self._seen.catalogued()
        for name, known in catalogued.items():
            document = self._seen.document(name)
            document.is_hurt |= document.stored != known
            document.stored = known
        for name in self._seen.documents.keys() - catalogued.keys() if catalogued else ():
            self._seen.documents[name].is_hurt = True

    def _rows_and_pictures(self) -> None:
        """Write the table anew if any of it is not whole; read documents again that were hurt."""
        in_use = {file for file in self._seen.damaged_files if seals.is_in_use(self._folder, file)}
        if self._seen.is_sealed and any("/_deletions/" in file for file in in_use):
            self._expect_catalogue()
        hurt = {name for name, document in self._seen.documents.items() if document.is_hurt}
        needs_table = bool(hurt or in_use or self._seen.unnamed or not self._seen.can_open)
        if self._seen.damaged_files - in_use and not needs_table:
            table.drop_old_versions(self._folder.store)
            self._done.append("deleted files of old versions")
        if not needs_table and not self._seen.bad_pictures:
            return
        for picture in sorted(self._seen.bad_pictures):
            for file in (self._folder.path / "pictures" / picture[:2]).glob(f"{picture}*"):
                self._set_aside(file.relative_to(self._folder.path).as_posix())
        showing = {
            name for picture in self._seen.bad_pictures for name in self._seen.pictures.get(picture, ())
        }
        again = self._read_again(hurt | showing)
        if needs_table:
            self._write_table(hurt, again & hurt)
        shutil.rmtree(self._folder.path / "mending", ignore_errors=True)
        self._judge_pictures()

    def _read_again(self, names: set[str]) -> set[str]:
        """Store documents whose files are as they were in a table of their own; return which."""
        files = (self._unchanged_file(self._seen.documents[name].stored) for name in sorted(names))
        found = list({file.source: file for file in files if file is not None}.values())
        shutil.rmtree(self._folder.path / "mending", ignore_errors=True)
        if not found or self._seen.manifest is None:
            return set()
        manifest = self._seen.manifest
        index = LanceIndex(self._folder.path / "mending", manifest.fields, language=manifest.language)
        ingest = Ingest(
            folder=self._folder,
            index=index,
            encoder=self._encoder,
            settings=self._settings,
            progress=self._progress,
        )
        try:
            ingest.files(found, force=True)
        except PlaitError as error:
            self._lost.append(f"documents could not be read again: {error}")
        self._lost += [f"{failure}" for failure in ingest.tally.failed]
        return {document.id for document in index.documents()} & names

    def _unchanged_file(self, document: StoredDocument | None) -> Found | None:
        """Return the file that a document was read from, if it still has the same bytes."""
        if document is None:
            return None
        if INSIDE in document.source:  # read again with the archive that holds it
            return self._unchanged_file(self._stored_as(document.source.partition(INSIDE)[0]))
        path = self._folder.root / document.source
        try:
            if sha256_of(path) != document.content_sha256:
                return None
        except (OSError, ValueError):
            return None
        inside = path.is_relative_to(self._folder.root)
        return Found(path, document.source, self._folder.root if inside else path.parent)

    def _stored_as(self, source: str) -> StoredDocument | None:
        found = (seen.stored for seen in self._seen.documents.values())
        return next((stored for stored in found if stored is not None and stored.source == source), None)

    def _write_table(self, hurt: set[str], again: set[str]) -> None:
        """Write the rows of whole documents, of those mended and of those read again, in one commit."""
        assert self._seen.manifest is not None
        fields = self._seen.manifest.fields
        with self._seen.rows() as reader:
            mends = self._mended(reader) if self._seen.can_open else []
            whole = self._made_whole(mends) if mends else set()
            gone = hurt - whole - again
            self._quarantine_rows(reader, gone)
            dropped = pa.array(sorted(hurt - whole), pa.string())
            table.overwrite(
                self._folder.store, fields, self._new_rows(reader, mends, dropped, whole, again - whole)
            )
        table.drop_old_versions(self._folder.store)
        self._set_pictures_aside()
        self._report(whole, again - whole, gone)

    def _mended(self, reader: GuardedRows) -> list[pa.Table]:
        assert self._seen.manifest is not None
        fields, made = self._seen.manifest.fields, []
        for row_id in self._seen.damaged:
            row = mended(reader.take([row_id]), fields, self._encoder, self._folder.path)
            if row is not None:
                made.append(row)
        return made

    def _made_whole(self, mends: list[pa.Table]) -> set[str]:
        """Return the documents that are whole with their mended rows."""
        touched = set()
        for row in mends:
            self._seen.met(
                row.select(["id", "document_id", "source", "ordinal", "pictures", "document"]).to_pylist()[0]
            )
            touched.add(row["document_id"][0].as_py())
        return {name for name in touched if self._seen.documents[name].is_complete}

    def _new_rows(
        self, reader: GuardedRows, mends: list[pa.Table], dropped: pa.Array, whole: set[str], again: set[str]
    ) -> Iterator[pa.Table]:
        if self._seen.can_open:
            for chunk in reader.chunks(np.array(self._seen.sound, np.uint64)):
                if chunk.rows is None:
                    raise LibraryError(f"a row can no longer be read ({chunk.reason}): run the repair again")
                yield chunk.rows.filter(pc.invert(pc.is_in(chunk.rows["document_id"], dropped)))
        yield from (row for row in mends if row["document_id"][0].as_py() in whole)
        if again:
            wanted = pa.array(sorted(again), pa.string())
            for rows in table.every_row(self._folder.path / "mending"):
                yield rows.filter(pc.is_in(rows["document_id"], wanted))

    def _quarantine_rows(self, reader: GuardedRows, gone: set[str]) -> None:
        """Keep what can be read of documents that leave the library."""
        if not gone or not self._seen.can_open:
            return
        self._quarantine.mkdir(parents=True, exist_ok=True)
        wanted = pa.array(sorted(gone), pa.string())
        writer = None
        with (self._quarantine / "rows.arrow").open("wb") as file:
            for chunk in reader.chunks(np.array([*self._seen.sound, *self._seen.damaged], np.uint64)):
                if chunk.rows is not None:
                    kept = chunk.rows.filter(pc.is_in(chunk.rows["document_id"], wanted))
                    writer = writer or pa.ipc.new_stream(file, kept.schema)
                    writer.write_table(kept)
            if writer is not None:
                writer.close()
            os.fsync(file.fileno())

    def _set_pictures_aside(self) -> None:
        """Take pictures out of the library that only documents showed which have left it."""
        shown = {one for some in table.every_row(self._folder.store, ["pictures"]) for one in _flat(some)}
        for file in (self._folder.path / "pictures").glob("*/*"):
            if file.stem not in shown:
                self._set_aside(file.relative_to(self._folder.path).as_posix())

    def _report(self, whole: set[str], again: set[str], gone: set[str]) -> None:
        sources = self._seen.sources
        self._done += [
            f"{source}: encoded again what was hurt; its checksums fit" for source in sources(whole)
        ]
        self._done += [f"{source}: read again from its file" for source in sources(again)]
        if not whole and not again and not gone:
            self._done.append("wrote the table anew; all of its rows are whole")
        where = self._quarantine.relative_to(self._folder.path)
        self._lost += [
            f"{source}: taken out of the library, because its file is gone or has changed; what can be read "
            f"of it is in {where}; add its file again, or import an export"
            for source in sources(gone)
        ]

    def _judge_pictures(self) -> None:
        for picture in sorted(self._seen.bad_pictures):
            there = list((self._folder.path / "pictures" / picture[:2]).glob(f"{picture}*"))
            if there:
                self._done.append(f"made picture {picture} again from its document")
            elif self._seen.pictures.get(picture):
                shown = ", ".join(self._seen.sources(self._seen.pictures[picture]))
                self._lost.append(
                    f"picture {picture}, shown by {shown}: its file is gone, has changed or gives another"
                )

    def _leftovers(self) -> None:
        for finding in self._seen.diagnosis.notes:
            path = self._folder.path / finding.where
            if finding.kind == "leftover" and path.is_file():
                path.unlink()
        leftovers.clear(self._folder)

    def _set_aside(self, name: str) -> None:
        """Move a file of the library into the quarantine."""
        source = self._folder.path / name
        if source.exists():
            target = self._quarantine / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source, target)


def _flat(some: pa.Table) -> list[str]:
    pictures: list[str] = pc.list_flatten(some["pictures"]).to_pylist()
    return pictures
