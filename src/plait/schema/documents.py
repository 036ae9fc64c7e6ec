"""What is stored and ranked: documents, their segments and pages, and the units cut of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import lru_cache
from types import NoneType
from typing import Any, Literal

Scalar = str | int | float | bool
Metadata = Mapping[str, Scalar]

_PLAIN = (str, int, float, NoneType)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page, as fractions of its width and height, origin at the top left.

    Each value lies in [0, 1]; left <= right and top <= bottom. The page is the one a reader sees:
    rotation and crop box are already applied.
    """

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture on disk (PNG or JPEG), named by its content.

    Attributes:
        path: where the file lies. Readers write into a spool folder; the library moves it.
        sha256: hex digest of the file's bytes.
    """

    path: str
    sha256: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Link:
    """Where some words lead.

    Attributes:
        text: the words that carry it.
        target: an address as the file has it ("https://...", "#part", "other.html"), or "page:12".
    """

    text: str
    target: str


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A part of a recording, in seconds from its beginning; 0 <= start <= end."""

    start: float
    end: float

    def __str__(self) -> str:
        return f"{_clock(self.start)}-{_clock(self.end)}"


TextRole = Literal["body", "footnote", "code", "notes"]


@dataclass(frozen=True, slots=True)
class Segment:
    """One run of text, one figure or one table, at its place in the document's reading order.

    Attributes:
        kind: "text", "image" or "table".
        text: the words of a text segment; of an image, its alternative text ("" if none); of a table, its
            rows, a line each, the cells parted by " | ".
        picture: the figure or table as it looks on the page; None for text, and for tables not drawn.
        caption: the caption of a figure or table; "" if none.
        label: what the text calls a figure or table by, as its caption has it ("Figure 3"); "" if nothing.
        rows: the cells of a table, "" for empty ones, every row of one length; () otherwise.
        header_rows: how many of the rows, from the first, name the columns.
        role: what a text is beside the running text: "footnote", "code", or "notes" of a speaker.
        links: where its words lead.
        section: headings that contain it, outermost first.
        page: 1-based page number; None where the format has no pages.
        box: place on that page; None where unknown.
        anchor: the nearest HTML id before it, for linking; "" if none.
        time: when it is said or shown, in a recording; None elsewhere.
    """

    kind: Literal["text", "image", "table"]
    text: str = ""
    picture: Picture | None = None
    caption: str = ""
    section: tuple[str, ...] = ()
    page: int | None = None
    box: Box | None = None
    anchor: str = ""
    label: str = ""
    rows: tuple[tuple[str, ...], ...] = ()
    header_rows: int = 0
    role: TextRole = "body"
    links: tuple[Link, ...] = ()
    time: TimeSpan | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        number: from 1.
        label: as it is printed ("iv"); "" where that is the number.
        picture: its rendered image; None if not rendered.
        text_from: what its words were read from: its "text" layer, "ocr", or "none" where it has no text
            layer and nothing read its image.
    """

    number: int
    label: str = ""
    picture: Picture | None = None
    text_from: Literal["text", "ocr", "none"] = "text"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a document holds: what is attached to a message, a member of an archive.

    Attributes:
        name: as the document names it, with "/" between folders ("report/figures.pdf").
        path: where the reader unpacked it, below the spool folder.
    """

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Document:
    """One read file.

    Attributes:
        id: stable for one source: adding the file again keeps it.
        source: path or address the document came from; of an attachment, "archive.zip!/folder/file.pdf".
        metadata: what the file says of itself ("author", "type", "pages", ...), flat.
        segments: text, images and tables in reading order.
        pages: empty where the format has none.
        warnings: what the reader had to leave out, one sentence each.
        attachments: files it holds, each to be read as a document of its own.
    """

    id: str
    title: str
    source: str
    metadata: Metadata = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    pages: tuple[Page, ...] = ()
    warnings: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields at their default are left out."""
        values: dict[str, Any] = compact(self)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Document:
        """Return the document that `to_dict` wrote."""
        return cls(
            id=values["id"],
            title=values["title"],
            source=values["source"],
            metadata=dict(values.get("metadata", {})),
            segments=tuple(segment_from_dict(s) for s in values.get("segments", ())),
            pages=tuple(
                Page(p["number"], p.get("label", ""), _picture(p.get("picture")), p.get("text_from", "text"))
                for p in values.get("pages", ())
            ),
            warnings=tuple(values.get("warnings", ())),
            attachments=tuple(Attachment(**a) for a in values.get("attachments", ())),
        )


@dataclass(frozen=True, slots=True)
class Passage:
    """A window of a unit's text, short enough to encode whole.

    Attributes:
        text: the words as they stand, for showing.
        page, box, anchor: where the window begins.
        table: which of the unit's tables it is of, by place; None for running text.
        time: in a recording, when it is said.
        section: headings it stands under, where they are not its unit's; None where they are.
    """

    text: str
    page: int | None = None
    box: Box | None = None
    anchor: str = ""
    table: int | None = None
    time: TimeSpan | None = None
    section: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """What is ranked: one section or one page of a document, with its passages and figures.

    A unit's text score is the best of its passages, its image score the best of its figures:
    never an average.

    Attributes:
        id: "<document id>:<ordinal>".
        ordinal: position within the document, from 0.
        title: the document's title.
        section: headings that contain it, outermost first.
        page: the page it stands on or begins on; None where there are none.
        passages: overlapping windows that together hold all of the unit's text.
        figures: its image segments, each with a picture.
        page_picture: image of the whole page; None if there is none.
        tables: its table segments; their words are in passages too.
    """

    id: str
    document_id: str
    ordinal: int
    title: str
    section: tuple[str, ...] = ()
    page: int | None = None
    passages: tuple[Passage, ...] = ()
    figures: tuple[Segment, ...] = ()
    page_picture: Picture | None = None
    tables: tuple[Segment, ...] = ()

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Every picture it refers to: its figures, its tables, then its page."""
        every = (*(shown.picture for shown in (*self.figures, *self.tables)), self.page_picture)
        return tuple(picture for picture in every if picture is not None)

    def with_pictures(self, change: Callable[[Picture], Picture]) -> Unit:
        """Return the unit with every picture it refers to put through a function."""

        def changed(shown: Segment) -> Segment:
            return shown if shown.picture is None else replace(shown, picture=change(shown.picture))

        return replace(
            self,
            figures=tuple(map(changed, self.figures)),
            tables=tuple(map(changed, self.tables)),
            page_picture=None if self.page_picture is None else change(self.page_picture),
        )

    @property
    def text(self) -> str:
        """All words to match: headings, passages, captions and alternative texts, one a line."""
        parts = [" > ".join(dict.fromkeys((self.title, *self.section)))]
        parts += [passage.text for passage in self.passages]
        parts += [words for figure in self.figures for words in (figure.caption, figure.text) if words]
        return "\n".join(part for part in parts if part)


def compact(value: Any) -> Any:
    """Return the JSON form of a dataclass, or of plain values; fields at their default are left out."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, tuple | list):
        return [compact(item) for item in value]
    if isinstance(value, Mapping):
        return {name: compact(item) for name, item in value.items()}
    if not is_dataclass(value):
        return value
    kind: Any = type(value)
    values = ((name, getattr(value, name), default) for name, default in _defaults(kind))
    return {name: compact(kept) for name, kept, default in values if kept != default}


@lru_cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    """Return the fields of a dataclass with their defaults; `MISSING`, which nothing equals, for none."""
    return tuple((f.name, f.default) for f in fields(kind))


def segment_from_dict(values: Mapping[str, Any]) -> Segment:
    """Return the segment whose `compact` or `dataclasses.asdict` form this is."""
    return Segment(
        kind=values["kind"],
        text=values.get("text", ""),
        picture=_picture(values.get("picture")),
        caption=values.get("caption", ""),
        section=tuple(values.get("section", ())),
        page=values.get("page"),
        box=_box(values.get("box")),
        anchor=values.get("anchor", ""),
        label=values.get("label", ""),
        rows=tuple(tuple(row) for row in values.get("rows", ())),
        header_rows=values.get("header_rows", 0),
        role=values.get("role", "body"),
        links=tuple(Link(**link) for link in values.get("links", ())),
        time=_time(values.get("time")),
    )


def unit_from_dict(values: Mapping[str, Any]) -> Unit:
    """Return the unit whose `compact` or `dataclasses.asdict` form this is."""
    return Unit(
        id=values["id"],
        document_id=values["document_id"],
        ordinal=values["ordinal"],
        title=values["title"],
        section=tuple(values.get("section", ())),
        page=values.get("page"),
        passages=tuple(_passage(p) for p in values.get("passages", ())),
        figures=tuple(segment_from_dict(f) for f in values.get("figures", ())),
        page_picture=_picture(values.get("page_picture")),
        tables=tuple(segment_from_dict(t) for t in values.get("tables", ())),
    )


def _passage(values: Mapping[str, Any]) -> Passage:
    return Passage(
        text=values["text"],
        page=values.get("page"),
        box=_box(values.get("box")),
        anchor=values.get("anchor", ""),
        table=values.get("table"),
        time=_time(values.get("time")),
        section=tuple(values["section"]) if values.get("section") is not None else None,
    )


def _picture(values: Mapping[str, Any] | None) -> Picture | None:
    return None if values is None else Picture(**values)


def _box(values: Mapping[str, float] | None) -> Box | None:
    return None if values is None else Box(**values)


def _time(values: Mapping[str, float] | None) -> TimeSpan | None:
    return None if values is None else TimeSpan(**values)


def _clock(seconds: float) -> str:
    """Return seconds as "1:02" or "1:00:02"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
