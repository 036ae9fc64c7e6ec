"""A document as Markdown: what was read of a file, for people to look at.

Renders as CommonMark with tables. What is text in the document stays text: marks that would make it
anything else are escaped, and characters that would act on a terminal are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence

from plait.schema import Document, Link, Page, Picture, Segment

# What stands for something only in some places is escaped only there, to leave the text readable.
_MARKS = re.compile(
    r"[\\`]|\*(?=\S)|(?<=\S)\*|(?<![^\W_])_(?=\S)|(?<=\S)_(?![^\W_])|<(?=[A-Za-z/!?])|[\[\]]|&(?=[#A-Za-z])|~(?=~)"
    r"|!(?=\[)"
)
_LINE_MARKS = re.compile(r"^(?:(#{1,6})(?=\s|$)|([>+=|:*_-])|(\d{1,9})([.)])(?=\s|$)|(~{3,}))")
_UNSEEN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f]")
_ROLES = {"footnote": "Footnote", "notes": "Notes"}

_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null"})

PathOf = Callable[[Picture], str]


def markdown_of(document: Document, *, path_of: PathOf | None = None) -> str:
    """Return a document as Markdown, its metadata in front.

    Pages begin with a comment that names them. Figures come with their captions below.

    Args:
        path_of: gives the path to show a picture by; None shows none, and tells their sizes.
    """
    blocks = [_front(document), *_blocks(document, path_of)]
    return "\n\n".join(blocks) + "\n"


def _front(document: Document) -> str:
    """Return title, source and metadata as YAML; JSON strings are YAML, and need no other care."""
    values = {"title": document.title, "source": document.source, **document.metadata}
    lines = [f"{_value(key)}: {_value(value)}" for key, value in values.items()]
    held = [f"  - {_value(attachment.name)}" for attachment in document.attachments]
    return "\n".join(["---", *lines, *(["holds:", *held] if held else []), "---"])


def _blocks(document: Document, path_of: PathOf | None) -> Iterator[str]:
    """Yield the blocks of a document in reading order, a mark before each page."""
    pages = iter(document.pages)
    begun = 0
    for segment in document.segments:
        while segment.page is not None and begun < segment.page and (page := next(pages, None)) is not None:
            begun = page.number
            yield _page_mark(page)
        yield from _segment(segment, path_of)
    yield from map(_page_mark, pages)


def _page_mark(page: Page) -> str:
    label = f" ({_clean(page.label).replace('--', '')})" if page.label else ""
    how = {"text": "", "ocr": ", read by character recognition", "none": ", without text"}[page.text_from]
    return f"<!-- page {page.number}{label}{how} -->"


def _segment(segment: Segment, path_of: PathOf | None) -> Iterator[str]:
    time = f"**[{segment.time}]** " if segment.time is not None else ""
    if segment.kind == "image":
        yield from _picture(segment, path_of, time)
    elif segment.kind == "table" and segment.rows:
        if segment.caption:
            yield f"{time}*{_inline(segment.caption)}*"
        yield _table(segment.rows, segment.header_rows)
    elif segment.kind == "table":
        yield from _picture(segment, path_of, time)
    elif segment.section and segment.section[-1] == segment.text:
        yield f"{'#' * min(len(segment.section), 6)} {_inline(segment.text)}"
    elif segment.role == "code":
        yield _fenced(segment.text)
    elif segment.text.strip():
        text = time + _linked(segment.text, segment.links)
        role = _ROLES.get(segment.role)
        yield text if role is None else "> " + f"*{role}:* {text}".replace("\n", "\n> ")


def _picture(segment: Segment, path_of: PathOf | None, time: str) -> Iterator[str]:
    picture, what = segment.picture, _inline(segment.text)
    if picture is not None and path_of is not None:
        yield f"{time}![{what}]({_target(path_of(picture))})"
    else:
        size = f"{picture.width_px} × {picture.height_px}" if picture is not None else "not kept"
        yield f"{time}\\[{segment.kind} {size}{': ' if what else ''}{what}\\]"
    if segment.caption:
        yield f"*{_inline(segment.caption)}*"


def _table(rows: Sequence[Sequence[str]], header_rows: int) -> str:
    """Return rows as a table; those that name the columns become one, as Markdown has it."""
    header = [
        _cell(" ".join(dict.fromkeys(row[column] for row in rows[:header_rows] if row[column])))
        for column in range(len(rows[0]))
    ]
    lines = [header, ["---"] * len(header), *([_cell(c) for c in row] for row in rows[header_rows:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return _inline(text).replace("|", "\\|")


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{_clean(text).strip(chr(10))}\n{fence}"


def _linked(text: str, links: Sequence[Link]) -> str:
    """Return text with its links, each at the next place where its words stand."""
    written, place = "", 0
    for link in links:
        begin = text.find(link.text, place) if link.text.strip() else -1
        if begin < 0:
            continue
        written += f"{_escaped(text[place:begin])}[{_inline(link.text)}]({_target(link.target)})"
        place = begin + len(link.text)
    return _lines(written + _escaped(text[place:]))


def _inline(text: str) -> str:
    return _lines(_escaped(" ".join(text.split())))


def _escaped(text: str) -> str:
    return _MARKS.sub(lambda mark: f"\\{mark[0]}", _clean(text))


def _lines(text: str) -> str:
    """Return text whose lines begin nothing but a line; empty ones, which would part it, are left out."""
    return "\n".join(_LINE_MARKS.sub(_unmarked, line) for each in text.split("\n") if (line := each.strip()))


def _unmarked(mark: re.Match[str]) -> str:
    return f"{mark[3]}\\{mark[4]}" if mark[3] else f"\\{mark[0]}"


def _target(address: str) -> str:
    """Return an address as the target of a link."""
    plain = re.sub(r"[\s\\<>]", lambda odd: "".join(f"%{b:02X}" for b in odd[0].encode()), _clean(address))
    return f"<{plain}>" if re.search(r"[()]", plain) or not plain else plain


def _clean(text: str) -> str:
    """Return text without what a terminal would act on, or no file could hold."""
    return _UNSEEN.sub("", text).encode("utf-8", "replace").decode("utf-8")


def _value(value: object) -> str:
    text = _clean(value) if isinstance(value, str) else value
    is_plain = isinstance(text, str) and re.fullmatch(r"[^\W\d][\w /.()'’-]*[\w.)]", text)
    return (
        str(text)
        if is_plain and str(text).lower() not in _YAML_WORDS
        else json.dumps(text, ensure_ascii=False)
    )
