"""The forms of collection that a library can hold: documents of their own, or files in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from plait.data.collections.base import Collection, LabelledQuery, Problem
from plait.data.collections.files import FilesCollection, read_files
from plait.data.collections.jsonl import read_jsonl
from plait.data.readers.base import IMAGE_SUFFIXES
from plait.errors import MissingPathError
from plait.evaluation.compare.inlined import small_jpeg
from plait.evaluation.stored import Shown
from plait.index.base import Snapshot
from plait.library.evaluating import fingerprints
from plait.library.gather import gather
from plait.library.library import Library
from plait.library.reports import Progress
from plait.schema import Document, Hit, Unit

FILES = "files:"
_ROWS_AT_ONCE = 1024
_PAGE = "#page="
_SIDE_PX, _BYTES_SHOWN = 256, 64_000_000  # of the pictures kept with a result
_WORDS_SHOWN = 400  # characters of an item's text
Told = Callable[[int, int], None]  # how many documents are done, and of how many; 0: not known


class Items(Protocol):
    """What a library's units are called in the run of a query."""

    def per_document(self, query: str) -> int | None:
        """Return how many hits of one document can count for a query; None: any number."""
        ...

    def found(self, query: str, hits: Iterable[Hit]) -> dict[str, float]:
        """Return item -> the score of its best hit."""
        ...

    def of_row(self, query: str, row: int) -> str:
        """Return the item of a unit, by its row in the library's snapshot."""
        ...

    def shown(self, snapshot: Snapshot, names: Set[str]) -> dict[str, Shown]:
        """Return what a person sees of some items; {} where the collection itself can be looked into."""
        ...


@dataclass(frozen=True, slots=True)
class Labelled:
    """The queries of a corpus and their judgements, in the names that a library's units have.

    Attributes:
        problems: what was left out of queries and judgements.
    """

    name: str
    queries: Sequence[LabelledQuery]
    qrels: Mapping[str, Mapping[str, int]]
    problems: Sequence[Problem]
    items: Items


class Corpus(Protocol):
    """A collection that a library can be filled with."""

    @property
    def collection(self) -> Collection | FilesCollection: ...

    def fingerprint(self) -> str:
        """Return a hash of its documents, and of nothing else."""
        ...

    def fill(self, library: Library, *, told: Told) -> list[Problem]:
        """Add the documents that the library does not hold yet; return what was left out of them."""
        ...

    def labelled(self, library: Library) -> Labelled:
        """Return its queries and judgements, once the library is filled."""
        ...


def opened(spec: str, *, strict: bool = False) -> Corpus:
    """Return the collection of a name: a folder of corpus.jsonl, queries.jsonl, qrels.tsv, or files:FOLDER.

    Raises:
        MissingPathError: it is not there.
        InputError: `strict`, and something in it cannot be used.
    """
    if spec.startswith(FILES):
        return FilesCorpus(read_files(spec.removeprefix(FILES), strict=strict), strict=strict)
    folder = Path(spec)
    if not folder.is_dir():
        raise MissingPathError(
            f"{spec}: no such folder; expected a collection in a folder, files:FOLDER, m2kr:PATH, "
            "mbeir:PATH, mteb:TASK, or a command of  plait eval --help"
        )
    if not (folder / "corpus.jsonl").is_file() and (folder / "eval" / "queries.jsonl").is_file():
        raise MissingPathError(f"{spec}: holds no corpus.jsonl; for documents as they are, say files:{spec}")
    collection = read_jsonl(folder, strict=strict)
    with (folder / "corpus.jsonl").open("rb") as lines:
        size = sum(1 for _ in lines)
    return DocumentsCorpus(collection, lambda: fingerprints.of_corpus(folder), size)


@dataclass(frozen=True, slots=True)
class DocumentsCorpus:
    """Documents that are already read.

    Attributes:
        fingerprint: returns a hash of the documents.
        size: about how many there are, for progress; 0: not known.
    """

    collection: Collection
    fingerprint: Callable[[], str]
    size: int = 0

    def fill(self, library: Library, *, told: Told) -> list[Problem]:
        before = len(self.collection.problems)
        stored = {document.id for document in library.documents()}
        seen: list[str] = []
        report = library.add_documents(self._missing(stored, seen, told))
        problems = list(self.collection.problems[before:])
        problems += [
            Problem(failure.source, f"{failure.reason}; {failure.remedy}") for failure in report.failed
        ]
        failed = {failure.source for failure in report.failed}
        there = {document.id for document in library.documents()}
        problems += [
            Problem(f"document {name!r}", "holds nothing that can be found")
            for name in seen
            if name not in there and name not in failed
        ]
        return problems

    def labelled(self, library: Library) -> Labelled:
        given = self.collection
        items = _Documents(_owners(library))
        return Labelled(given.name, given.queries, given.qrels, list(given.problems), items)

    def _missing(self, stored: set[str], seen: list[str], told: Told) -> Iterator[Document]:
        for document in self.collection.documents():
            seen.append(document.id)
            if document.id not in stored:
                yield document
            told(len(seen), self.size)


@dataclass(frozen=True, slots=True)
class FilesCorpus:
    """Files in a folder, as a library reads them.

    Attributes:
        strict: a judgement that no file fits is an error.
    """

    collection: FilesCollection
    strict: bool = False

    def fingerprint(self) -> str:
        given = self.collection
        found = gather([given.folder], library_root=given.folder, ignore=given.ignore)
        return fingerprints.of_files((file.source, file.path) for file in found)

    def fill(self, library: Library, *, told: Told) -> list[Problem]:
        def show(event: Progress) -> None:
            told(event.done, event.total)

        given = self.collection
        report = library.add([given.folder], ignore=given.ignore, progress=show)
        return [
            Problem(self._named(failure.source), f"{failure.reason}; {failure.remedy}")
            for failure in report.failed
        ]

    def labelled(self, library: Library) -> Labelled:
        stored = {document.source: document for document in library.documents()}
        pages = {source: _pages(document.metadata.get("pages")) for source, document in stored.items()}
        given = self.collection.checked(pages, strict=self.strict)
        items = _places(library, given)
        return Labelled(given.name, given.queries, given.qrels, list(given.problems), items)

    def _named(self, source: str) -> str:
        return os.path.relpath(source, self.collection.folder) if os.path.isabs(source) else source


@dataclass(frozen=True, slots=True)
class _Documents:
    """Items are documents."""

    owners: Sequence[str]

    def per_document(self, query: str) -> int | None:
        return 1

    def found(self, query: str, hits: Iterable[Hit]) -> dict[str, float]:
        scores: dict[str, float] = {}
        for hit in hits:
            scores[hit.document_id] = max(hit.score, scores.get(hit.document_id, hit.score))
        return scores

    def of_row(self, query: str, row: int) -> str:
        return self.owners[row]

    def shown(self, snapshot: Snapshot, names: Set[str]) -> dict[str, Shown]:
        return {}


@dataclass(frozen=True, slots=True)
class _Files:
    """Items are files or their pages, whichever a query judges."""

    collection: FilesCollection
    sources: Sequence[str]
    pages: NDArray[np.int32] | None  # (N,), 0: none; None where no judgement names a page
    home: Path  # of the library, which pictures' paths start from

    def per_document(self, query: str) -> int | None:
        return None if any(_PAGE in name for name in self.collection.qrels.get(query, ())) else 1

    def found(self, query: str, hits: Iterable[Hit]) -> dict[str, float]:
        return self.collection.found(query, hits)

    def of_row(self, query: str, row: int) -> str:
        page = 0 if self.pages is None else int(self.pages[row])
        return self.collection.item(query, self.sources[row], page or None)

    def shown(self, snapshot: Snapshot, names: Set[str]) -> dict[str, Shown]:
        rows: dict[str, int] = {}
        for row, source in enumerate(self.sources):
            path = os.path.relpath(source, self.collection.folder).replace(os.sep, "/")
            page = 0 if self.pages is None else int(self.pages[row])
            for name in names & {path, f"{path}{_PAGE}{page}"}:
                rows.setdefault(name, row)
        shown: dict[str, Shown] = {}
        left = _BYTES_SHOWN
        for name, (unit, _) in zip(rows, snapshot.units(list(rows.values())), strict=True):
            words = " ".join(passage.text for passage in unit.passages)
            picture = self._picture(name, unit) if left > 0 else ""
            left -= len(picture)
            shown[name] = Shown(name, unit.title, words[:_WORDS_SHOWN], picture)
        return shown

    def _picture(self, name: str, unit: Unit) -> str | bytes:
        """Return the path of a picture file, or a small copy of the first picture of another; "" of none."""
        file = self.collection.folder / name
        if file.suffix.lower() in IMAGE_SUFFIXES:
            return str(file)
        first = next(iter(unit.pictures), None)
        return (small_jpeg(str(self.home / first.path), side_px=_SIDE_PX) or "") if first else ""


def _places(library: Library, collection: FilesCollection) -> _Files:
    names = {document.id: document.source for document in library.documents()}
    sources = [names[owner] for owner in _owners(library)]
    pages = _pages_of_rows(library.searcher().snapshot) if collection.by_page else None
    return _Files(collection, sources, pages, library.folder)


def _owners(library: Library) -> list[str]:
    """Return the id of the document of each unit, in the order of the library's snapshot."""
    snapshot = library.searcher().snapshot
    names = list(snapshot.documents_of())
    return [names[owner] for owner in snapshot.owners.tolist()]


def _pages_of_rows(snapshot: Snapshot) -> NDArray[np.int32]:
    pages = np.zeros(len(snapshot), np.int32)
    for begin in range(0, len(snapshot), _ROWS_AT_ONCE):
        rows = range(begin, min(begin + _ROWS_AT_ONCE, len(snapshot)))
        pages[rows.start : rows.stop] = [unit.page or 0 for unit, _ in snapshot.units(rows)]
    return pages


def _pages(said: object) -> int:
    """Return how many pages a document says it has, 0 if it has none."""
    return said if isinstance(said, int) else 0
