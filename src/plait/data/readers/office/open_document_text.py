"""The body of an OpenDocument text to segments in reading order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Self
from xml.etree.ElementTree import Element

from plait.data.readers.captions import label_of
from plait.data.readers.office.cells import CellBudget, Place, squared, table_segments
from plait.data.readers.office.office_package import local
from plait.data.readers.office.open_document_parts import (
    OpenDocument,
    Words,
    described,
    number,
    plain_text,
    table_rows,
    words_of,
)
from plait.schema import Segment, TextRole

_CAPTION_STYLES = frozenset({"Illustration", "Table", "Figure", "Drawing", "Caption", "caption", "Abbildung"})
_GROUPS = frozenset({"section", "list", "list-item", "list-header", "numbered-paragraph", "g", "text-box"})
_BLOCKS_A_TICK = 500


class TextWalk:
    """One walk through a text: what was found, and the headings that contain what comes.

    Attributes:
        segments: in reading order; footnotes come last, as at the end of a chapter.
        title: of the paragraph that has the style of a title; "" if none has.
        first_heading: "" if there is none.
    """

    def __init__(self, file: OpenDocument) -> None:
        self.segments: list[Segment] = []
        self.title = ""
        self.first_heading = ""
        self._file = file
        self._budget = CellBudget()
        self._headings: list[tuple[int, str]] = []
        self._caption = ""  # said before the table or picture it belongs to
        self._notes: list[Segment] = []
        self._blocks = 0

    @property
    def warnings(self) -> list[str]:
        """What was left out, beside pictures."""
        return ["only a part of its table rows is read"] if self._budget.spent else []

    def run(self) -> Self:
        """Walk the body."""
        self._walk(self._file.body)
        self._end_caption()
        self.segments += self._notes
        return self

    @property
    def _section(self) -> tuple[str, ...]:
        return tuple(heading for _, heading in self._headings)

    def _walk(self, parent: Iterable[Element]) -> None:
        for child in parent:
            name = local(child.tag)
            self._blocks += 1
            if self._blocks % _BLOCKS_A_TICK == 0:
                self._file.task.tick()
            if name == "h":
                self._heading(child)
            elif name == "p":
                self._paragraph(child)
            elif name == "table":
                self._table(child)
            elif name == "frame":
                self._frame(child)
            elif name in _GROUPS:
                self._walk(child)
            elif name in ("custom-shape", "rect", "ellipse"):
                self._say(plain_text(child))

    def _heading(self, element: Element) -> None:
        words = words_of(element)
        if words.text:
            self._end_caption()
            level = number(element, "outline-level", most=10)
            self._headings = [h for h in self._headings if h[0] < level] + [(level, words.text)]
            self.first_heading = self.first_heading or words.text
            self._say(words.text, words)
        self._beside(words)

    def _paragraph(self, element: Element) -> None:
        words = words_of(element)
        style = self._file.named_style(element)
        if style in _CAPTION_STYLES:
            self._captioned(words)
            return
        if style == "Title" and not self.title:
            self.title = words.text
        if words.text:
            self._end_caption()
            self._say(words.text, words)
        self._beside(words)

    def _beside(self, words: Words) -> None:
        """Take in the frames and notes of a paragraph."""
        for frame in words.frames:
            self._walk([frame])
        for note in words.notes:
            text = " ".join(plain_text(note).split())
            mark = " ".join("".join(e.text or "" for e in note if local(e.tag) == "note-citation").split())
            if text:
                self._notes.append(self._text(f"{mark} {text}".strip(), role="footnote"))

    def _captioned(self, words: Words) -> None:
        """Give a caption to the pictures in its paragraph, else to what stands before, else to the next."""
        before = len(self.segments)
        self._beside(words)
        if not words.text:
            return
        inside = range(before, len(self.segments))
        above = range(max(before - 1, 0), before) if not self._caption else ()
        if not self._label(words.text, [i for i in inside if self.segments[i].kind != "text"] or above):
            self._end_caption()
            self._caption = words.text

    def _label(self, caption: str, places: Sequence[int]) -> bool:
        """Give a caption to the segments at some places; tell whether any took it."""
        taken = False
        for i in places:
            segment = self.segments[i]
            if segment.kind != "text" and not segment.label and segment.section == self._section:
                self.segments[i] = replace(
                    segment, caption=_joined(caption, segment), label=label_of(caption)
                )
                taken = True
        return taken

    def _end_caption(self) -> None:
        """Leave a caption that belongs to nothing as text."""
        caption, self._caption = self._caption, ""
        self._say(caption)

    def _table(self, element: Element) -> None:
        rows, headers = table_rows(element, self._budget)
        cells = squared(rows)
        if cells:
            self.segments += [
                replace(part, label=label_of(self._caption))
                for part in table_segments(
                    cells, place=Place(self._section), header_rows=headers or None, caption=self._caption
                )
            ]
            self._caption = ""

    def _frame(self, frame: Element) -> None:
        picture = self._file.picture(frame)
        if picture is not None:
            caption, self._caption = self._caption, ""
            self.segments.append(
                Segment(
                    "image",
                    text=described(frame),
                    picture=picture,
                    caption=caption,
                    label=label_of(caption),
                    section=self._section,
                )
            )
            return
        self._walk(frame)

    def _say(self, text: str, words: Words | None = None) -> None:
        if text:
            self.segments.append(self._text(text, words))

    def _text(self, text: str, words: Words | None = None, *, role: TextRole = "body") -> Segment:
        links = tuple(words.links) if words is not None else ()
        return Segment("text", text=text, section=self._section, role=role, links=links)


def _joined(caption: str, segment: Segment) -> str:
    """Return a caption with what a part of a long table says of its rows."""
    return f"{caption}, {segment.caption}" if segment.caption else caption
