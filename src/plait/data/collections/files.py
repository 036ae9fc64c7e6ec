"""Collections of raw files: a folder as it is, with queries and judgements that name its files and pages.

queries.jsonl   {"id", "text" | null, "image" | null, "kind"}; an image is a path relative to the folder
qrels.tsv       query 0 document grade; a document is a path relative to the folder, "docs/manual.pdf", or
                one page of it, "docs/manual.pdf#page=12"; "%20" and the like are understood

Both lie in the folder itself, or in its folder "eval", which is then left out of the documents. The
pictures of queries are left out too, wherever they lie.

How a hit counts, for the query that found it: as its page if the query judges that page; else as its file
if the query judges the file as a whole; else as its page if any judgement of the query names a page; else
as its file. So any page of "a.pdf" finds the judged "a.pdf" and takes one rank, pages that are judged by
themselves are told apart, and what nobody judged is counted in the unit in which the query is judged.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from plait.data.collections.base import LabelledQuery, Problem, check_ids, judged
from plait.data.collections.problems import Problems
from plait.data.collections.rows import queries
from plait.data.collections.trec import judgements
from plait.data.readers.base import (
    OPEN_SLIDES_SUFFIXES,
    PDF_SUFFIXES,
    SHEET_SUFFIXES,
    SLIDES_SUFFIXES,
    SUFFIXES,
)
from plait.errors import MissingPathError
from plait.schema import Hit, Qrels

_LABELS = "eval"
_QUERIES, _QRELS = "queries.jsonl", "qrels.tsv"
_PAGED = PDF_SUFFIXES | SLIDES_SUFFIXES | OPEN_SLIDES_SUFFIXES | SHEET_SUFFIXES | {".tif", ".tiff"}
_PAGED_NAMES = ", ".join(sorted(_PAGED))
_PAGE = re.compile(r"#page=(\d{1,9})$")
_INSIDE = "!/"  # between an archive or a message and the name of what it holds


@dataclass(frozen=True, slots=True)
class FilesCollection:
    """A folder of files to add to a library, and what to ask of it.

    Attributes:
        name: for reports.
        queries: ids are distinct.
        qrels: query id -> "path" or "path#page=N", the path relative to the folder -> grade.
        folder: absolute.
        ignore: what in the folder is no document, as patterns that `Library.add` takes with the folder.
        places: "file:line" of each judgement, by query and document.
        problems: what was left out of queries and judgements.
    """

    name: str
    queries: Sequence[LabelledQuery]
    qrels: Qrels
    folder: Path
    ignore: tuple[str, ...]
    places: Mapping[tuple[str, str], str]
    problems: Sequence[Problem] = field(default=())

    def __post_init__(self) -> None:
        check_ids(self)

    @property
    def by_page(self) -> bool:
        """Whether any judgement names a page, so that one unit a document is not enough to answer."""
        return any(_names_page(grades) for grades in self.qrels.values())

    def judged(self) -> list[LabelledQuery]:
        """Return the queries that have a relevant document, in order: the others measure nothing."""
        return judged(self)

    def item(self, query: str, source: str, page: int | None) -> str:
        """Return the id under which a hit counts for a query.

        Args:
            query: its id.
            source: of the hit, absolute or relative to the folder.
            page: of the hit.
        """
        grades = self.qrels.get(query, {})
        path = self._path(source)
        paged = f"{path}#page={page}"
        if page is None or (paged not in grades and (path in grades or not _names_page(grades))):
            return path
        return paged

    def found(self, query: str, hits: Iterable[Hit]) -> dict[str, float]:
        """Return the scores of what a query found, by id; of several hits with one id the best counts."""
        scores: dict[str, float] = {}
        for hit in hits:
            item = self.item(query, hit.source, hit.page)
            scores[item] = max(hit.score, scores.get(item, hit.score))
        return scores

    def checked(self, pages: Mapping[str, int], *, strict: bool = False) -> FilesCollection:
        """Return the collection compared with what was read of its files.

        A judgement of a page that its file does not have is left out. One of a file that is not there, as
        when it could not be read, is kept, for what cannot be read cannot be found. Both are problems.

        Args:
            pages: source of each document read, absolute or relative to the folder -> how many pages it
                has, 0 if it has none.
            strict: stop at the first problem.

        Raises:
            InputError: `strict`, and there is a problem; the message begins with file and line.
        """
        count = {self._path(source): number for source, number in pages.items()}
        problems = Problems(strict=strict)
        kept: dict[str, dict[str, int]] = {}
        for query, grades in self.qrels.items():
            for document, grade in grades.items():
                path, page = _parted(document)
                place = self.places[query, document]
                if path not in count:
                    problems.report(
                        place, f"judges {document!r}, which was not read: it counts as a document not found"
                    )
                elif page is not None and page > count[path]:
                    problems.report(
                        place, f"judges page {page} of {path!r}, which has {count[path]} pages: left out"
                    )
                    continue
                kept.setdefault(query, {})[document] = grade
        return replace(self, qrels=kept, problems=[*self.problems, *problems])

    def _path(self, source: str) -> str:
        return source.removeprefix(f"{self.folder.as_posix().rstrip('/')}/")


def read_files(folder: str | Path, *, strict: bool = False) -> FilesCollection:
    """Return the collection of a folder of files; see the module for its form.

    A query or judgement that cannot be used is left out and listed in `problems`. Whether a page exists is
    known only when its file has been read: `FilesCollection.checked` tells.

    Args:
        strict: stop at the first problem.

    Raises:
        MissingPathError: the folder, or queries and judgements in it, do not exist.
        InputError: `strict`, and there is a problem; the message begins with file and line.
    """
    root = Path(os.path.abspath(folder))
    labels = root / _LABELS if (root / _LABELS / _QUERIES).is_file() else root
    for name in (_QUERIES, _QRELS):
        if not (labels / name).is_file():
            raise MissingPathError(
                f"{root}: holds no {name}: expected {_QUERIES} and {_QRELS} in it, or in {_LABELS!r} in it"
            )
    problems = Problems(strict=strict)
    asked = list(queries(labels / _QUERIES, root=root, report=problems.report))
    not_documents = {_QUERIES, _QRELS} if labels == root else {_LABELS}
    not_documents |= {path for _, address in asked if address and (path := _inside(address, root))}
    qrels, places = _judged(labels / _QRELS, root, {query.id for query, _ in asked}, not_documents, problems)
    return FilesCollection(
        name=root.name,
        queries=[query for query, _ in asked],
        qrels=qrels,
        folder=root,
        ignore=tuple(f"/{_escaped(path)}" for path in sorted(not_documents)),
        places=places,
        problems=list(problems),
    )


def _judged(
    file: Path, root: Path, known: Collection[str], not_documents: Collection[str], problems: Problems
) -> tuple[Qrels, dict[tuple[str, str], str]]:
    """Return the judgements of known queries and files that are there, and the place of each."""
    qrels: dict[str, dict[str, int]] = {}
    places: dict[tuple[str, str], str] = {}
    for place, query, written, grade in judgements(file, report=problems.report):
        document = _document(written, root)
        if query not in known:
            problems.report(place, f"judges the query {query!r}, which {_QUERIES} does not have")
        elif wrong := _wrong(written, document, root, not_documents):
            problems.report(place, wrong)
        elif (query, document) in places:
            earlier = places[query, document]
            problems.report(place, f"document {document!r} is judged twice for query {query!r}: at {earlier}")
        else:
            qrels.setdefault(query, {})[document] = grade
            places[query, document] = place
    return qrels, places


def _document(written: str, root: Path) -> str:
    """Return the id of a document as it is written; "" if there is no such file in the folder."""
    name, page = _parted(written)
    for spelt in (name, unquote(name), name.replace("\\", "/")):
        path = _inside(spelt, root)
        if path and os.path.isfile(root / path.partition(_INSIDE)[0]):
            return path if page is None else f"{path}#page={page}"
    return ""


def _wrong(written: str, document: str, root: Path, not_documents: Collection[str]) -> str:
    """Return what is wrong with a judged document, "" if nothing is."""
    if not document:
        return f"judges {written!r}: no such file in {root}; expected docs/a.pdf or docs/a.pdf#page=12"
    path, page = _parted(document)
    suffix = posixpath.splitext(path)[1].lower()
    if path in not_documents or path.partition("/")[0] in not_documents:
        return f"judges {written!r}, which belongs to the queries and is left out of the documents"
    if suffix not in SUFFIXES and _INSIDE not in path:
        return f"judges {written!r}: files of the kind {suffix!r} are not read"
    if page is not None and (suffix not in _PAGED or page < 1):
        return f"judges {written!r}: expected a page from 1 on, of a format with pages: {_PAGED_NAMES}"
    return ""


def _inside(path: str, root: Path) -> str:
    """Return a path as one relative to the folder, in POSIX form; "" if it leads out of it."""
    relative = os.path.relpath(os.path.join(root, path), root).replace(os.sep, "/")
    return "" if relative.partition("/")[0] == ".." else relative


def _parted(document: str) -> tuple[str, int | None]:
    """Return path and page of an id."""
    page = _PAGE.search(document)
    return (document, None) if page is None else (document[: page.start()], int(page[1]))


def _names_page(documents: Iterable[str]) -> bool:
    return any(_PAGE.search(document) for document in documents)


def _escaped(path: str) -> str:
    """Return a path as a pattern that only it fits."""
    pattern = re.sub(r"([*?\[\\])", r"\\\1", path)
    return f"{pattern[:-1]}\\ " if pattern.endswith(" ") else pattern
