"""What `fuzz` feeds bytes to: each target makes input of them, and raises where a result is wrong."""

from __future__ import annotations

import csv
import io
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from plait.data.readers.base import ReadLimits, ReadTask
from plait.data.readers.geometry import Rect
from plait.data.readers.lines import Line
from plait.data.readers.markup.html import document_of
from plait.data.readers.markup.markdown import read_markdown
from plait.data.readers.media.subtitles import cues
from plait.data.readers.office.delimited import read_delimited
from plait.data.readers.pdf.drawn import Drawn
from plait.data.readers.pdf.parts import content_of, parts_of
from plait.errors import ReadError
from plait.schema import Document, Picture, Segment

LIMITS = ReadLimits()
_FOLDER = Path(tempfile.mkdtemp(prefix="plait-fuzz-"))
_TASK = ReadTask(_FOLDER / "a", "a", _FOLDER, _FOLDER)
_WORD = re.compile(r"qz[a-y]+z")  # no such letters stand in captions, tags or times
_SECONDS = 1.0  # for 4 kB, and each further 4 kB


def layout(data: bytes) -> None:
    """Lines and drawings anywhere on a page: each word of each line is once in its parts."""
    take = _Taker(data)
    page = Rect(0.0, 0.0, 100.0 + 10 * take.byte(), 100.0 + 10 * take.byte())
    lines, drawn = [], []
    words = _words()
    while take.left > 6:
        kind = take.byte()
        box = take.box(page)
        if kind % 4 == 3:
            drawn.append(Drawn(box, kind % 8 == 7))
            continue
        size = 4.0 + kind % 24
        text = _PHRASES[kind % len(_PHRASES)].format(*(next(words) for _ in range(3)))
        line = Rect(box.left, box.top, box.right, min(page.bottom, box.top + size))
        lines.append(Line(text, line, size, bold=kind % 5 == 0, turn=(kind // 64) if kind % 16 == 0 else 0))
    started = time.process_time()
    content = content_of(lines, drawn, page)
    picture = Picture(path="a.png", sha256="0" * 64, width_px=1, height_px=1)
    shown = [picture if take.bit() else None for _ in content.figures]
    parts = parts_of(content, shown, [None for _ in content.tables])
    _check_time(started, len(data))
    found = Counter(
        word for part in parts for text in (part.paragraph.text, part.caption) for word in _WORD.findall(text)
    )
    _check_words([line.text for line in lines], found)
    for part in parts:
        box = part.paragraph.box
        assert box.left <= box.right, box
        assert box.top <= box.bottom, box
        assert all(len(row) == len(part.rows[0]) for row in part.rows), part.rows


def html(data: bytes) -> None:
    """Any tags and characters as a page: no exception, in time."""
    text = "".join(chr(byte) if byte < 128 else _ODD_TAGS[byte % len(_ODD_TAGS)] for byte in data)
    _read_markup(text, len(text))


def markup(data: bytes) -> None:
    """Tags in any order with a word between them: each word is once in the segments."""
    words = _words()
    text = "".join(f"{_TAGS[byte % len(_TAGS)]}{next(words)} " for byte in data[:1500])
    document = _read_markup(f"<!doctype html><body>{text}", len(text))
    _check_words([text], _words_of(document.segments if document is not None else ()))


def markdown(data: bytes) -> None:
    """Any text as Markdown: no exception, in time; and plain words stay."""
    words = _words()
    text = "".join(f"{_SIGNS[byte % len(_SIGNS)]}{next(words)} " for byte in data[:1500])
    for content, expected in ((data, []), (text.encode(), [text])):
        _TASK.path.write_bytes(content)
        started = time.process_time()
        try:
            document = read_markdown(_TASK, LIMITS)
        except ReadError:
            assert not _WORD.search(content.decode("utf-8", "replace")) or not expected, content
            continue
        _check_time(started, len(content))
        if expected:
            _check_words(expected, _words_of(document.segments))


def delimited(data: bytes) -> None:
    """Any bytes as CSV: no exception; rows that were written so are read so."""
    words = _words()
    take = _Taker(data[:1000])
    columns = 2 + take.byte() % 6
    rows = []
    while take.left > 0:
        fill = (_CELLS[take.byte() % len(_CELLS)] for _ in range(columns))
        rows.append([shape.format(next(words)) for shape in fill])
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=",;\t|"[len(data) % 4], lineterminator="\n").writerows(rows)
    for content, expected in ((data, []), (buffer.getvalue().encode(), rows)):
        _TASK.path.write_bytes(content)
        started = time.process_time()
        try:
            document = read_delimited(_TASK, LIMITS)
        except ReadError:
            continue
        _check_time(started, len(content))
        for segment in document.segments:
            assert all(len(row) == len(segment.rows[0]) for row in segment.rows)
        if len(expected) > 2:  # names of columns come again in every part of a long table
            missing = {word for row in expected for cell in row for word in _WORD.findall(cell)}
            missing -= set(_words_of(document.segments))
            assert not missing, missing


def subtitles(data: bytes) -> None:
    """Any text as subtitles: no exception, spans in order; and cues keep their words."""
    take, words = _Taker(data[:600]), _words()
    blocks = ["WEBVTT\n"] if take.bit() else []
    separator = "." if blocks else ","
    while take.left > 4:
        start = take.byte() * 100 + take.byte()
        end = start + take.byte() * 10
        text = _LINES[take.byte() % len(_LINES)].format(next(words), next(words))
        blocks.append(f"{len(blocks) + 1}\n{_time(start, separator)} --> {_time(end, separator)}\n{text}\n")
    text = "\n".join(blocks)
    for content, expected in ((data.decode("utf-8", "replace"), []), (text, [text])):
        started = time.process_time()
        found = cues(content)
        _check_time(started, len(content))
        for segment in found:
            assert segment.time is not None
            assert 0 <= segment.time.start <= segment.time.end, segment
        if expected:
            _check_words(expected, _words_of(found))


_PHRASES = (
    *(
        "{0} {1} {2}",
        "{0}",
        "{0} {1}, {2}.",
        "{0}",
        "Figure 1: {0} {1}",
        "Table 2. {0}",
        "• {0} {1}",
        "1 {0}",
    ),
    *(
        "{0} 12",
        "Fig. 3 {0}",
        "({0}) {1}",
        "{0}: {1}",
        "2.1 {0} {1}",
        "12.5 {0}",
        "– {0}",
        "Figure 4 {0} {1}",
    ),
)
# Without cells that span, which are read once for each row and column, and captions: only the first counts.
_TAGS = (
    "",
    *"<p> </p> <div> </div> <span> </span> <b> </b> <i> <ul> </ul> <ol> <li> <table> </table> <tr> <td> <th> "
    "<thead> <tbody> <figure> </figure> <figcaption> </figcaption> <h1> "
    "</h1> <h3> </h3> <section> </section> <article> <blockquote> <pre> </pre> <code> </code> <br> <hr> <dl> "
    "<dt> <dd> </dl> <sup> </sup> <em> <img_src=a.png_alt=x> &amp; <!--_-->".replace("_", "\n").split(" "),
)
_ODD_TAGS = (
    *_TAGS,
    *"<nav> </nav> <a_href='#a'> </a> <script> </script> <style> </style> <svg> </svg> <math> </math> "
    "<template> </template> <select> <option> <iframe> <details> <summary> <main> <aside> <footer> <header> "
    "<title> <textarea> <noscript> <p_id=a> <td_rowspan=9> <img_src='data:image/png;base64,AAAA'> "
    "<base_href=x> <!-- --> <picture><source_srcset='a.png_2x'> <td_colspan=99999> <ol_start=-5_reversed> "
    "<li_value=9> <p_hidden> <div_role=navigation> &#x0;".replace("_", "\n").split(" "),
)
_SIGNS = (
    *("# ", "## ", "\n", "\n\n", "* ", "- ", "1. ", "> ", "**", "*", "_", "`", "\n```\n",),
    *("\n    ", "  \n", "\\", "~~", "+ ", "\n---\n", "\n===\n", "(", ")", "!", "\t", "&", ":", "", "", ""),
)  # fmt: skip
_CELLS = ("{0}", "{0},{0}", '"{0}"', "{0} x", "5", "", "1.5", "{0}\n{0}", "{0};", "2026-01-01")
_LINES = ("{0} {1}", "{0}\n{1}", "<i>{0}</i> {1}", "- {0}\n- {1}", "{0} {{\\an8}}{1}", "<c.a>{0}</c> {1}")


class _Taker:
    """Takes numbers from bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def bit(self) -> bool:
        return self.byte() % 2 == 1

    def box(self, page: Rect) -> Rect:
        left, top, width, height = (self.byte() / 255 for _ in range(4))
        right, bottom = left + width * (1 - left), top + height * (1 - top)
        return Rect(left * page.right, top * page.bottom, right * page.right, bottom * page.bottom)


def _words() -> Iterator[str]:
    """Give words that are all different."""
    number = 0
    while True:
        letters, rest = "", number
        while rest or not letters:
            rest, digit = divmod(rest, 24)
            letters += chr(ord("a") + digit)
        yield f"qz{letters}z"
        number += 1


def _read_markup(text: str, size: int) -> Document | None:
    started = time.process_time()
    try:
        document = document_of(text, _TASK, LIMITS, type="html")
    except ReadError:
        return None
    _check_time(started, size)
    return document


def _words_of(segments: Sequence[Segment]) -> Counter[str]:
    return Counter(
        word
        for segment in segments
        for text in (segment.text, segment.caption)
        for word in _WORD.findall(text)
    )


def _check_words(texts: Sequence[str], found: Counter[str]) -> None:
    expected = Counter(word for text in texts for word in _WORD.findall(text))
    assert found == expected, f"lost {expected - found}, more {found - expected}"


def _check_time(started: float, size: int) -> None:
    took = time.process_time() - started
    assert took < _SECONDS * (1 + size / 4096), f"{took:.2f} s for {size} bytes"


def _time(hundredths: int, separator: str) -> str:
    seconds, rest = divmod(hundredths, 100)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{separator}{rest * 10:03}"


TARGETS: dict[str, Callable[[bytes], None]] = {
    "layout": layout,
    "html": html,
    "markup": markup,
    "markdown": markdown,
    "delimited": delimited,
    "subtitles": subtitles,
}
