"""Library: a folder of documents on disk that can be added to and searched."""

from __future__ import annotations

import fnmatch
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, cast, get_args

from plait.encode import load_encoder
from plait.encode.base import Encoder
from plait.errors import InputError, LibraryError, LibraryFormatError, PlaitError
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Snapshot, StoredDocument
from plait.index.languages import language_named
from plait.library import seals
from plait.library.folder import LibraryFolder
from plait.library.listing import unit_of
from plait.library.manifest import FORMAT, Manifest
from plait.library.reports import AddReport, LibraryStatus, ProgressCallback
from plait.library.reranking.naming import Rerankers
from plait.library.sources import holders, is_gone, source_of
from plait.schema import (
    Document,
    Explanation,
    Facet,
    FieldInfo,
    Filter,
    Hit,
    Hits,
    Picture,
    Query,
    SearchRequest,
    TargetKind,
    Unit,
)
from plait.scoring.vectors import Rung
from plait.search.fusion import Method, Weights
from plait.search.levelling import Levelling
from plait.search.responding import Responder, ahead
from plait.search.searcher import Searcher
from plait.settings import Settings, load_settings

if TYPE_CHECKING:
    from plait.data.parts import Part, Parts
    from plait.library.compaction import CompactionReport
    from plait.library.diagnosis import Diagnosis, RepairReport
    from plait.library.export import ExportReport
    from plait.library.gather import Gathered
    from plait.library.ingest import Ingest
    from plait.library.reports import DocumentCallback
    from plait.library.snapshots import SnapshotInfo
    from plait.rag.answer import Answer

_UNITS_AT_A_TIME = 64


class Library:
    """Documents in a folder, searchable by text, by image, or by both.

    Opening is cheap: the model is loaded by the first `add` or `search`. One process writes at a
    time; any number read meanwhile.

    Example:
        >>> with Library("manuals") as library:            # doctest: +SKIP
        ...     library.add(["manuals"])
        ...     hits = library.search(Query.of("how do I replace this?", image="part.jpg"))
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        settings: Settings | None = None,
        encoder: Encoder | None = None,
        create: bool = True,
    ) -> None:
        """Open the library in `folder` (its `.plait` subfolder), making it unless `create` is False.

        Args:
            encoder: your own; None loads the one the library was filled by, or `settings.model`.

        Raises:
            NoLibraryError: there is none and `create` is False.
            LibraryError: the folder cannot be read or made.
            LibraryFormatError: it is damaged, or a newer plait wrote it.
        """
        self._folder = LibraryFolder.at(folder)
        self._settings = settings or load_settings(self._folder.path / "settings.toml")
        self._encoder = encoder
        self._index: LanceIndex | None = None
        self._searcher: Searcher | None = None
        self._opening = RLock()
        self._follows = False
        self._also_renewed: list[Callable[[], None]] = []
        self._responder = Responder(self._folder.path, Rerankers(self._settings, self.encoder).named)
        self._manifest: Manifest | None = None
        if self._folder.exists() or not create:
            self._manifest = self._folder.read_manifest()
            if encoder is not None:
                self._check_model(encoder)
        else:
            self._folder.create()

    @classmethod
    def find(cls, start: str | Path = ".", *, settings: Settings | None = None) -> Library:
        """Open the nearest library in `start` or above it.

        Raises:
            NoLibraryError: there is none.
        """
        return cls(LibraryFolder.find(start).path, settings=settings, create=False)

    @property
    def folder(self) -> Path:
        """The `.plait` folder."""
        return self._folder.path

    @property
    def settings(self) -> Settings:
        """What it goes by: as given, or of its settings.toml and the environment."""
        return self._settings

    def add(
        self,
        paths: Sequence[str | Path],
        *,
        force: bool = False,
        ignore: Sequence[str] = (),
        hidden: bool = False,
        name: str = "",
        progress: ProgressCallback | None = None,
        on_document: DocumentCallback | None = None,
    ) -> AddReport:
        """Read files, folders, patterns ("docs/**/*.pdf") and addresses, and make them searchable.

        A changed file replaces what it was, an unchanged one is skipped (unless `force`). A file that
        cannot be read is reported and skipped. What an archive or a message holds is added as documents
        of their own, named "archive.zip!/folder/file.pdf". Safe to interrupt: what was stored stays, and
        adding again goes on.

        Args:
            ignore: patterns of files to leave out of folders, as `.gitignore` has them.
            hidden: take hidden files of folders too.
            name: of what comes through standard input, where a path is "-": "manual.pdf".
            on_document: told of each document of these files.

        Raises:
            MissingPathError: a path does not exist; nothing is done then.
            InputError: an address, while `Settings.urls` is off; or "-" without anything to read.
            LibraryLockedError: another process is writing.
        """
        from plait.library.bringing import brought

        bringing = brought(
            paths,
            library_root=self._folder.root,
            ignore=ignore,
            hidden=hidden,
            urls=self._settings.urls,
            max_file_mb=self._settings.max_file_mb,
            name=name,
        )
        with bringing as found:
            return self.add_found(found, force=force, progress=progress, on_document=on_document)

    def add_found(
        self,
        found: Gathered,
        *,
        force: bool = False,
        progress: ProgressCallback | None = None,
        on_document: DocumentCallback | None = None,
    ) -> AddReport:
        """Read files that `gather` found, and make them searchable; see `add`."""
        with self._folder.writing():
            ingest = self._ingest(progress, on_document)
            ingest.tally.failed += found.skipped
            ingest.tally.warnings += found.warnings
            try:
                ingest.files(found.documents, found.pictures, bytes_total=found.bytes, force=force)
            finally:
                self._written(ingest.tally.updated + ingest.tally.removed > 0)
        return ingest.tally.report()

    def add_documents(self, documents: Iterable[Document]) -> AddReport:
        """Store documents that are already read; their pictures are copied into the library."""
        from plait.data.segmenting import units
        from plait.library.ingest import batches
        from plait.library.reading import Read

        reads = (Read(document, cut, _digest(document)) for document in documents if (cut := units(document)))
        with self._folder.writing():
            ingest = self._ingest(None)
            try:
                for batch in batches(reads, self._settings):
                    ingest.store(batch)
            finally:
                self._written(ingest.tally.updated > 0)
        return ingest.tally.report()

    def search(
        self,
        asked: Query | SearchRequest,
        *,
        k: int = 10,
        method: Method | None = None,
        lanes: Sequence[str] | None = None,
        recall: float | None = None,
        weights: Weights | None = None,
    ) -> Hits:
        """Return the best hits for a query, best first, with absolute picture paths.

        Args:
            asked: a query, answered as the options below say; or a whole request, which says itself, and
                leaves to the settings what is None in it.
            method: "gated", "zsum" or "rrf"; None takes `settings.method`.
            lanes: only these lanes speak ("bm25", "text", "figure_words", "image", "image_tokens", "ret");
                None means all.
            recall: the share of the exact best hits that the answer must hold, in expectation, once the
                library is too large to compare a query with every unit exactly; None takes
                `settings.recall`. What was done for it is the hits' `plan`.
            weights: what each lane counts, 1 where it is not named, 0 to leave it out; None takes
                `settings.lane_weights`, and {} counts all alike.

        Raises:
            QueryError: an image that cannot be opened, an unknown lane, or lanes of weight 0 alone.
            InputError: k below 1, recall outside (0, 1], an unknown method, a weight below 0.
        """
        if isinstance(asked, Query):
            asked = SearchRequest(
                asked,
                k=k,
                method=method,
                lanes=None if lanes is None else tuple(lanes),
                recall=recall,
                weights=weights,
            )
        hits = self._responder.respond(self.searcher(), self._settled(asked))
        return hits.changed(self._absolute)

    def search_each(self, requests: Sequence[SearchRequest]) -> Iterator[Hits | PlaitError]:
        """Give the answer to each of some requests in turn, or why there is none.

        What they share is done once, so several cost less than each for itself; the answers are the same.
        """
        searcher, settled = self.searcher(), [self._settled(request) for request in requests]
        ahead(searcher, settled)
        for request in settled:
            try:
                yield self._responder.respond(searcher, request).changed(self._absolute)
            except PlaitError as error:
                yield error

    def similar(self, id: str, *, k: int = 10, kind: TargetKind | None = None) -> Hits:
        """Return what is like a hit, or any stored part: "D:4", "D:4.f0", "D".

        Raises:
            QueryError: nothing is stored under the id.
        """
        return self.search(SearchRequest(Query(like=(id,)), k=k, kind=kind))

    def explain(self, asked: Query | SearchRequest, id: str) -> Explanation:
        """Return why a request finds a hit, with absolute picture paths; see `search.explaining`.

        Raises:
            InputError: nothing is stored under the id, or the request does not look at it.
            QueryError: as in `search`.
        """
        from plait.library.explaining import explain

        request = SearchRequest(asked) if isinstance(asked, Query) else asked
        return explain(self.searcher(), self._settled(request), id, path_of=self._absolute_path)

    def count(self, filters: Sequence[Filter] = ()) -> tuple[int, int]:
        """Return how many units, and how many documents with such units, filters let through: exactly.

        Raises:
            QueryError: a filter that cannot be meant.
        """
        return self.snapshot().count(filters) if self._manifest else (0, 0)

    def facets(self, fields: Sequence[str], filters: Sequence[Filter] = (), *, most: int = 50) -> list[Facet]:
        """Return the values of fields among what filters let through, counted exactly; see `Facet`.

        Args:
            most: how many values of a field are listed at most, those of most documents.

        Raises:
            QueryError: no stored document has a field, or a filter that cannot be meant.
        """
        if self._manifest is None:
            return []
        snapshot = self.snapshot()
        return [snapshot.facet(name, filters, most=most) for name in fields]

    def fields(self) -> list[FieldInfo]:
        """Return the fields that filters and facets may name, and what they hold."""
        return self.snapshot().filterable_fields() if self._manifest else []

    def answer(self, query: Query, *, k: int = 6, hits: Hits | None = None) -> Answer:
        """Answer a question from the best `k` units, every sentence with its source.

        Args:
            hits: those units, where they were searched already.

        With `llm_url` set, that endpoint writes; otherwise the answer quotes the documents.
        """
        from plait.rag.answer import answer
        from plait.rag.generate import ChatEndpoint

        generator = None
        if self._settings.llm_url:
            generator = ChatEndpoint(url=self._settings.llm_url, model=self._settings.llm_model)
        return answer(query, self.search(query, k=k) if hits is None else hits, generator=generator)

    def remove(self, targets: Sequence[str | Path]) -> int:
        """Remove documents by path, folder, shell pattern or id; return how many went.

        What an archive or a message holds goes with it.
        """
        if self._manifest is None:
            return 0
        with self._folder.writing():
            self._upgrade()
            index = self._open_index()
            documents = index.documents()
            ids = {d.id for d in documents} & {str(target) for target in targets}
            others = [target for target in targets if str(target) not in ids]
            named = {d.source for d in documents if d.id in ids or any(self._means(t, d) for t in others)}
            wanted = [d.id for d in documents if not named.isdisjoint(holders(d.source))]
            count = index.remove(wanted) if wanted else 0
            self._written(count > 0)
        return count

    def remove_missing(self) -> int:
        """Remove documents whose file is no longer there; return how many went."""
        return self.remove([document.id for document in self.documents() if not self._is_there(document)])

    def documents(self) -> list[StoredDocument]:
        """Return what is stored, ordered by source."""
        return self._open_index().documents() if self._manifest else []

    def unit(self, unit_id: str) -> Unit | None:
        """Return one stored unit, with absolute picture paths; None if there is none of that id."""
        found = unit_of(self, unit_id) if self._manifest else None
        return None if found is None else self._absolute_unit(found.unit)

    def parts(self, document_id: str) -> Parts:
        """Return a document's parts: itself, its sections, pages, passages, figures and tables.

        Each knows its neighbours of its kind, what holds it and what it holds; figures and tables know the
        passages that name them. Pictures have absolute paths.

        Raises:
            InputError: no document of that id with anything to find in it.
        """
        found = self._parts_of(document_id)
        if found is None:
            raise InputError(f"no document with id {document_id!r} has parts; Library.documents() lists ids")
        return found

    def part(self, part_id: str) -> Part | None:
        """Return one part of a document ("D", "D:4", "D:4.p2", "D:4.f0"); None if there is none."""
        found = self._parts_of(part_id.partition(":")[0])
        return None if found is None else found.get(part_id)

    def units(self) -> Iterator[Unit]:
        """Yield every stored unit, with absolute picture paths, by source and place in the document.

        They are those of the moment at which the first is asked for, whatever is added meanwhile; a few
        are in memory at a time.
        """
        if self._manifest is None:
            return
        snapshot = self.snapshot()
        for begin in range(0, len(snapshot), _UNITS_AT_A_TIME):
            rows = range(begin, min(begin + _UNITS_AT_A_TIME, len(snapshot)))
            yield from (self._absolute_unit(unit) for unit, _ in snapshot.units(rows))

    def status(self) -> LibraryStatus:
        """Return what the library holds."""
        documents = self.documents()
        manifest, settings = self._manifest, self._settings
        return LibraryStatus(
            folder=str(self.folder),
            model=manifest.model if manifest else settings.model,
            vectors=manifest.fields[0].kept if manifest else settings.vectors,
            language=manifest.language if manifest else settings.language,
            documents=len(documents),
            units=sum(document.units for document in documents),
            figures=sum(document.figures for document in documents),
            bytes_on_disk=self._folder.bytes_on_disk(),
            missing=tuple(document.source for document in documents if not self._is_there(document)),
        )

    def verify(self, *, progress: ProgressCallback | None = None) -> Diagnosis:
        """Look at every byte that matters, and return what is wrong; see `doctor.verify`.

        Raises:
            LibraryLockedError: another process is writing.
        """
        from plait.library import doctor

        return doctor.verify(self._folder, progress=progress)

    def repair(self, *, progress: ProgressCallback | None = None) -> RepairReport:
        """Mend what can be mended, and set the rest aside; see `doctor.repair`.

        Raises:
            LibraryLockedError: another process is writing.
            LibraryError: the folder cannot be written.
        """
        from plait.library import doctor

        report = doctor.repair(self._folder, encoder=self.encoder, settings=self._settings, progress=progress)
        self._let_go()
        return report

    def export(
        self, file: str | Path, *, force: bool = False, progress: ProgressCallback | None = None
    ) -> ExportReport:
        """Write the library, as it is at this moment, into one file; see `export.export`.

        Raises:
            InputError: there is a file of that name, and not `force`.
            LibraryError: the library is damaged or empty, or the file cannot be written.
        """
        from plait.library.export import export

        return export(self._folder, Path(file), force=force, progress=progress)

    @staticmethod
    def import_from(
        file: str | Path, folder: str | Path, *, progress: ProgressCallback | None = None
    ) -> ExportReport:
        """Make a library in `folder` out of an exported file, all or nothing; see `export.import_from`.

        Raises:
            MissingPathError: there is no such file.
            LibraryFormatError: it is no export, is damaged, or a newer plait wrote it.
            LibraryError: there is a library in `folder` already, or it cannot be written.
        """
        from plait.library.export import import_from

        return import_from(Path(file), folder, progress=progress)

    def save_snapshot(self, name: str) -> SnapshotInfo:
        """Keep the library as it is now under a name.

        Raises:
            InputError: the name cannot be used, or is taken.
            LibraryError: there is nothing to keep, or it is damaged, or the folder cannot be written.
        """
        from plait.library import snapshots

        return snapshots.save(self._folder, name)

    def snapshots(self) -> list[SnapshotInfo]:
        """Return the snapshots there are, oldest first."""
        from plait.library import snapshots

        return snapshots.saved(self._folder)

    def restore(self, name: str) -> SnapshotInfo:
        """Make the library what it was when a snapshot was saved, in one commit.

        Raises:
            InputError: there is no such snapshot.
            LibraryFormatError: it is damaged, or of another model; nothing has changed.
            LibraryLockedError: another process is writing.
        """
        from plait.library import snapshots

        info = snapshots.restore(self._folder, name)
        self._let_go()
        return info

    def delete_snapshot(self, name: str) -> None:
        """Forget a snapshot; the library stays as it is.

        Raises:
            InputError: there is no such snapshot.
        """
        from plait.library import snapshots

        snapshots.delete(self._folder, name)

    def compact(self) -> CompactionReport:
        """Make the library as small as it can be: of what was removed, no byte is left.

        Raises:
            LibraryFormatError: a row or file is damaged; nothing has changed.
            LibraryLockedError: another process is writing.
        """
        from plait.library.compaction import compact

        report = compact(self._folder, self._open_index())
        self._let_go()
        return report

    def snapshot(self) -> Snapshot:
        """Return the units as of the latest write of any process; the model is not loaded for it.

        Raises:
            NoLibraryError: nothing was ever stored.
        """
        return self._open_index().snapshot()

    def searcher(self) -> Searcher:
        """Return what ranks this library's units, as of the latest write of any process."""
        snapshot, searcher = self.snapshot(), self._searcher
        if searcher is None or searcher.snapshot is not snapshot:
            searcher = self._searcher = Searcher(
                self.encoder(), snapshot, self.folder, self._levelling(snapshot)
            )
        return searcher

    def follow(self) -> None:
        """From now on, search the newest snapshot that is loaded, while newer ones are loaded beside.

        For services: what other processes write is then seen within moments, of a large library within
        seconds, and no search waits for it. What this object writes is seen at once.
        """
        self._follows = True
        if self._index is not None:
            self._index.follow()

    def renew(self) -> None:
        """Wait until searches see all that was written before; they do at once, unless it follows."""
        with self._opening:
            index = self._index
        if index is not None:
            index.renew()
        for renew in self._also_renewed:
            renew()

    def also_renew(self, renew: Callable[[], None]) -> None:
        """Let `renew` wait for others too, such as searches in other processes."""
        self._also_renewed.append(renew)

    def encoder(self) -> Encoder:
        """Return the library's encoder, loading it on first use.

        Raises:
            ModelError: the model cannot be loaded.
            LibraryFormatError: it is not the one that filled the library.
        """
        with self._opening:  # two threads would load two models
            if self._encoder is None:
                name = self._manifest.model if self._manifest else self._settings.model
                encoder = load_encoder(
                    name,
                    threads=self._settings.threads,
                    max_pixels=self._settings.max_pixels,
                    precision=self._settings.precision,
                )
                self._check_model(encoder)
                self._encoder = encoder
            return self._encoder

    def close(self) -> None:
        """Let go of the store; the object cannot be used afterwards."""
        self._let_go()
        self._encoder = None

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _let_go(self) -> None:
        """Forget what was opened of the store; the next call opens it anew."""
        if self._index is not None:
            self._index.close()
        self._index = self._searcher = None

    def _ingest(
        self, progress: ProgressCallback | None, on_document: DocumentCallback | None = None
    ) -> Ingest:
        from plait.library.ingest import Ingest

        if self._manifest is None:
            self._start()
        self._upgrade()
        return Ingest(
            folder=self._folder,
            index=self._open_index(),
            encoder=self.encoder,
            settings=self._settings,
            progress=progress,
            on_document=on_document,
        )

    def _start(self) -> None:
        """Bind a new library to its model."""
        if self._folder.exists():  # another process was first
            self._manifest = self._folder.read_manifest()
            return
        encoder = self.encoder()
        language = language_named(self._settings.language)
        if self._settings.vectors not in get_args(Rung):
            known = ", ".join(get_args(Rung))
            raise InputError(f"vectors cannot be kept as {self._settings.vectors!r}: use one of {known}")
        rung = cast("Rung", self._settings.vectors)
        fields = tuple(replace(field, kept=rung) for field in encoder.fields)
        manifest = Manifest(encoder.name, encoder.fingerprint, fields, language=language)
        self._folder.write_manifest(manifest)
        self._manifest = manifest

    def _upgrade(self) -> None:
        """Mark a library of an older format as of this one, before the first write makes it so."""
        if self._manifest is not None and self._manifest.format < FORMAT:
            self._manifest = replace(self._manifest, format=FORMAT)
            self._folder.write_manifest(self._manifest)

    def _open_index(self) -> LanceIndex:
        with self._opening:
            if self._manifest is None:
                self._manifest = self._folder.read_manifest()
            if self._index is None:
                try:
                    self._index = LanceIndex(
                        self._folder.store,
                        self._manifest.fields,
                        language=self._manifest.language,
                        exact_bytes=self._settings.exact_mb << 20,
                    )
                except OSError as error:
                    raise LibraryError(f"cannot open the library {self.folder}: {error}") from error
            if self._follows:
                self._index.follow()
            return self._index

    def _written(self, replaced: bool) -> None:
        """Tidy up after a write: merge small pieces, and delete pictures nothing refers to."""
        index = self._open_index()
        index.optimize()
        if replaced:
            self._folder.drop_pictures(index.pictures())
        seals.renew(self._folder)
        self._searcher = None

    def _check_model(self, encoder: Encoder) -> None:
        if self._manifest is not None and self._manifest.fingerprint != encoder.fingerprint:
            raise LibraryFormatError(
                f"{self.folder} was filled by {self._manifest.model} ({self._manifest.fingerprint[:12]}), "
                f"this is {encoder.name} ({encoder.fingerprint[:12]}): vectors of two models cannot be "
                "compared; install the plait that filled it, or move the folder away and add again"
            )

    def _means(self, target: str | Path, document: StoredDocument) -> bool:
        """Tell whether a path, folder, pattern or id means a document."""
        name = str(target)
        source = source_of(Path(os.path.abspath(name)), self._folder.root)
        below = "" if source == "." else source.rstrip("/") + "/"
        return (
            document.id == name
            or document.source in (name, source)
            or document.source.startswith(below)
            or fnmatch.fnmatchcase(document.source, name)
        )

    def _is_there(self, document: StoredDocument) -> bool:
        return not is_gone(document.source, self._folder.root)

    def _parts_of(self, document_id: str) -> Parts | None:
        from plait.data.parts import parts

        units = sorted(self._units_of(document_id), key=lambda unit: unit.ordinal)
        return parts([self._absolute_unit(unit) for unit in units]) if units else None

    def _units_of(self, document_id: str) -> Iterator[Unit]:
        if self._manifest is None:
            return
        snapshot = self.snapshot()
        for unit, _ in snapshot.units(snapshot.documents_of().get(document_id, ())):
            yield unit

    def _settled(self, request: SearchRequest) -> SearchRequest:
        """Return the request with the settings in place of what it leaves open."""
        settings = self._settings
        return replace(
            request,
            method=request.method or settings.method,
            recall=settings.recall if request.recall is None else request.recall,
            weights=settings.lane_weights if request.weights is None else request.weights,
        )

    def _levelling(self, snapshot: Snapshot) -> Levelling | None:
        """Return what the settings say is done to lanes; None for nothing."""
        settings = self._settings
        if not (settings.recentring or settings.hub_suppression):
            return None
        return Levelling(self.encoder(), snapshot, settings.recentring, settings.hub_suppression)

    def _absolute(self, hit: Hit) -> Hit:
        return replace(
            hit,
            picture=self._absolute_path(hit.picture) if hit.picture else None,
            page_picture=self._absolute_path(hit.page_picture) if hit.page_picture else None,
        )

    def _absolute_path(self, picture: str) -> str:
        return str(self.folder / picture)

    def _absolute_unit(self, unit: Unit) -> Unit:
        def there(picture: Picture) -> Picture:
            return replace(picture, path=str(self.folder / picture.path))

        return unit.with_pictures(there)


def _digest(document: Document) -> str:
    return hashlib.sha256(repr(document.to_dict()).encode()).hexdigest()
