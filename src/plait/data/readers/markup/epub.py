"""EPUB books: their chapters in reading order, each read as an HTML page is."""

from __future__ import annotations

from dataclasses import replace

from selectolax.lexbor import LexborHTMLParser

from plait.data.readers.base import ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.decoding import decode
from plait.data.readers.markup.addresses import MemberPictures, plain_path
from plait.data.readers.markup.epub_package import Chapter, member_path, package_of
from plait.data.readers.markup.walk import walk
from plait.data.readers.pictures import BadPictureError
from plait.data.readers.unpacking import Members
from plait.errors import ReadError
from plait.schema import Document, Picture, Segment

_LARGEST_CHAPTER_MB = 64


def read_epub(task: ReadTask, limits: ReadLimits) -> Document:
    """Return an EPUB book as a document, its chapters in the order in which they are meant to be read.

    A chapter without a heading takes that of the table of contents as its section. Pictures are those in
    the book alone. Anchors are "chapter file#id".

    Raises:
        ReadError: no book, damaged, locked by its publisher, or nothing in it can be read.
    """
    with Members(task, limits) as members:
        package = package_of(members, task)
        book = _Book(task, limits, members)
        segments: list[Segment] = []
        for chapter in package.chapters[: limits.max_pages]:
            segments += book.read(chapter)
            task.tick()
        left_out = len(package.chapters) - limits.max_pages
        warnings = [*package.warnings, *book.warnings]
        warnings += [f"only the first {limits.max_pages} chapters were read"] if left_out > 0 else []
    if not segments:
        raise ReadError(task.source, "holds no text and no pictures", "nothing to search in it; leave it out")
    return Document(
        id=document_id(task.source),
        title=package.title or title_from(task.path),
        source=task.source,
        metadata={"type": "epub", **package.metadata},
        segments=tuple(segments),
        warnings=tuple(warnings),
    )


class _Book:
    """Reads the chapters of one book."""

    def __init__(self, task: ReadTask, limits: ReadLimits, members: Members) -> None:
        self._members = members
        self._chapter = ""
        self._damaged = 0
        self._pictures = MemberPictures(task, limits, self._fetch)

    @property
    def warnings(self) -> list[str]:
        """One sentence for each reason that something was left out."""
        damaged = [f"left out {self._damaged} damaged or missing chapters"] if self._damaged else []
        return [*damaged, *self._pictures.warnings]

    def read(self, chapter: Chapter) -> list[Segment]:
        """Return what a chapter holds; nothing if it is damaged."""
        self._chapter = chapter.name
        try:
            data = self._members.read(chapter.name, max_mb=_LARGEST_CHAPTER_MB)
        except (KeyError, ReadError):
            self._damaged += 1
            return []
        body = LexborHTMLParser(decode(data, declared=True).text).body
        if body is None:
            return []
        found = walk(body, load=self._load, chrome=True).segments
        return [self._placed(segment, chapter) for segment in found]

    def _load(self, address: str) -> Picture | None:
        """Return a picture; the same address in two chapters may mean two."""
        if address[:5].lower() == "data:":
            return self._pictures(address)
        try:
            return self._pictures(member_path(self._chapter, plain_path(address)))
        except BadPictureError:
            return self._pictures(address)  # which counts it as one of elsewhere

    def _fetch(self, name: str) -> bytes | None:
        try:
            return self._members.read(name)
        except (KeyError, ReadError):
            return None

    def _placed(self, segment: Segment, chapter: Chapter) -> Segment:
        anchor = f"{chapter.name}#{segment.anchor}" if segment.anchor else chapter.name
        section = segment.section or ((chapter.title,) if chapter.title else ())
        return replace(segment, anchor=anchor, section=section)
