"""One page of a PDF as parts in reading order: paragraphs, figures and tables with captions, footnotes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from plait.data.readers.captions import find_captions, label_of
from plait.data.readers.geometry import Rect
from plait.data.readers.lines import Line
from plait.data.readers.pdf.drawn import Drawn
from plait.data.readers.pdf.figures import Figure, find_figures
from plait.data.readers.pdf.footnotes import begins_footnote, footnotes_from, short_rules
from plait.data.readers.pdf.frames import Frame, frame_of
from plait.data.readers.pdf.layout import columns, join_runs
from plait.data.readers.pdf.paragraphs import Paragraph, joined_lines, leading_of, paragraphs
from plait.data.readers.pdf.tables import Table, find_tables
from plait.schema import Link, Picture, TextRole


@dataclass(slots=True)
class Part:
    """One piece of a page.

    Attributes:
        paragraph: its words and its place in the page's frame; of a figure, its labels.
        run: which column or piece of one it stands in, counted on the page; paragraphs of one run that
            follow each other are parted for good.
        aside: whether it runs another way than the page.
        picture: of figures and tables.
    """

    kind: Literal["text", "image", "table"]
    paragraph: Paragraph
    run: int
    role: TextRole = "body"
    aside: bool = False
    picture: Picture | None = None
    caption: str = ""
    label: str = ""
    rows: tuple[tuple[str, ...], ...] = ()
    header_rows: int = 0
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class PageContent:
    """What stands on a page, in the frame that most of its text runs in.

    Attributes:
        main: lines that run the way of the frame.
        lines: those, then the lines that run otherwise.
    """

    frame: Frame
    main: tuple[Line, ...]
    lines: tuple[Line, ...]
    rules: tuple[Rect, ...]
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]


@dataclass(slots=True)
class _Shown:
    """A figure or table that has been drawn, on its way to a part."""

    kind: Literal["image", "table"]
    box: Rect
    picture: Picture | None
    text: str
    caption: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...] = ()
    header_rows: int = 0


def content_of(pieces: Sequence[Line], drawn: Sequence[Drawn], page: Rect) -> PageContent:
    """Join the pieces of lines of a page, and find its figures and tables.

    Args:
        pieces: in any order, in places as a reader sees them.
        drawn: its objects, text left out.
        page: its box.
    """
    frame = frame_of(pieces, page)
    main: list[Line] = []
    aside: list[Line] = []
    for turn in sorted({piece.turn for piece in pieces}):
        own = Frame(page, turn, frame.mirrored)
        lines = join_runs([_moved(piece, own.into(piece.box)) for piece in pieces if piece.turn == turn])
        if turn == frame.turn:
            main = lines
        else:
            aside += [_moved(line, frame.into(own.back(line.box))) for line in lines]
    lines = [*main, *aside]
    framed = [Drawn(frame.into(item.box), item.is_picture) for item in drawn]
    tables = find_tables(framed, lines, frame.box)
    figures = find_figures(framed, lines, frame.box, tables)
    rules = short_rules([item.box for item in framed], frame.box)
    return PageContent(frame, tuple(main), tuple(lines), tuple(rules), tuple(figures), tuple(tables))


def parts_of(
    content: PageContent, figures: Sequence[Picture | None], tables: Sequence[Picture | None]
) -> list[Part]:
    """Return the parts of a page in reading order; footnotes come last.

    Args:
        content: the page.
        figures: the picture of each figure; None leaves the figure out and its words in the text.
        tables: the picture of each table, if there is one.
    """
    lines = content.lines
    shown = [*_figures(content, figures), *_tables(content, tables)]
    inside = _inside(content, figures)
    taken = inside.union(*(item.caption for item in shown)) if shown else inside
    free = [i for i in range(len(content.main)) if i not in taken]
    items = [*((lines[i].box, i) for i in free), *((item.box, -1 - n) for n, item in enumerate(shown))]
    order = columns([box for box, _ in items], text=[i >= 0 for _, i in items])
    leading = leading_of([lines[items[i][1]] for column in order for i in column if items[i][1] >= 0])
    parts: list[Part] = []
    notes: list[Part] = []
    run = -1
    body = _body_size(content.main)
    for column in order:
        for members in _runs([items[i][1] for i in column]):
            run += 1
            if members[0] < 0:
                parts.append(_shown_part(shown[-1 - members[0]], lines, run))
                continue
            here = [lines[i] for i in members]
            start = footnotes_from(here, body=body, page=content.frame.box, rules=content.rules)
            parts += _texts(here[:start], leading, run)
            notes += _texts(here[start:], leading, run, role="footnote")
    return [*parts, *_aside(content, taken, run + 1), *notes]


def _moved(line: Line, box: Rect) -> Line:
    return line if box == line.box else replace(line, box=box)


def _figures(content: PageContent, pictures: Sequence[Picture | None]) -> list[_Shown]:
    """Return the figures that are shown; a label that two of them hold is told by the first."""
    shown: list[_Shown] = []
    told: set[int] = set()
    for figure, picture in zip(content.figures, pictures, strict=True):
        if picture is not None:
            labels = sorted(figure.labels - told)
            told.update(labels)
            words = " ".join(content.lines[i].text for i in labels)
            shown.append(_Shown("image", figure.box, picture, words, figure.caption_lines))
    return shown


def _tables(content: PageContent, pictures: Sequence[Picture | None]) -> list[_Shown]:
    return [
        _Shown(
            "table",
            table.box,
            picture,
            "\n".join(" | ".join(row) for row in table.rows),
            table.caption_lines,
            table.rows,
            table.header_rows,
        )
        for table, picture in zip(content.tables, pictures, strict=True)
    ]


def _inside(content: PageContent, figures: Sequence[Picture | None]) -> frozenset[int]:
    """Return the indices of the lines that figures and tables take out of the text."""
    return frozenset().union(
        *(f.labels for f, picture in zip(content.figures, figures, strict=True) if picture is not None),
        *(table.lines for table in content.tables),
    )


def _runs(members: Sequence[int]) -> Iterator[list[int]]:
    """Part the items of a column where figures and tables stand; each of those is a run of its own."""
    run: list[int] = []
    for member in members:
        if member >= 0:
            run.append(member)
            continue
        if run:
            yield run
        yield [member]
        run = []
    if run:
        yield run


def _texts(lines: Sequence[Line], leading: float, run: int, *, role: TextRole = "body") -> list[Part]:
    """Join lines to paragraphs; captions, which no figure owns here, and footnotes begin their own."""
    if role == "footnote":
        breaks = frozenset(i for i, line in enumerate(lines) if begins_footnote(line.text))
    else:
        ends = [(caption.first, max(caption.lines) + 1) for caption in find_captions(lines)]
        breaks = frozenset(i for span in ends for i in span)
    return [
        Part("text", paragraph, run, "code" if paragraph.is_code and role == "body" else role)
        for paragraph in paragraphs(lines, leading=leading, breaks=breaks)
    ]


def _shown_part(item: _Shown, lines: Sequence[Line], run: int) -> Part:
    """Return a figure or table as a part, its caption's lines joined."""
    caption = joined_lines([lines[i] for i in item.caption])
    return Part(
        item.kind,
        Paragraph(item.text, item.box, 0.0),
        run,
        picture=item.picture,
        caption=caption,
        label=label_of(caption),
        rows=item.rows,
        header_rows=item.header_rows,
    )


def _aside(content: PageContent, taken: frozenset[int], run: int) -> Iterator[Part]:
    """Give the text that runs another way than the page, each way by itself."""
    free = [line for i, line in enumerate(content.lines) if i >= len(content.main) and i not in taken]
    for turn in sorted({line.turn for line in free}):
        own = Frame(content.frame.page, turn, content.frame.mirrored)
        lines = [_moved(line, own.into(content.frame.back(line.box))) for line in free if line.turn == turn]
        leading = leading_of(lines)
        for column in columns([line.box for line in lines]):
            for part in _texts([lines[i] for i in column], leading, run):
                box = content.frame.into(own.back(part.paragraph.box))
                paragraph = Paragraph(part.paragraph.text, box, part.paragraph.size)
                yield Part("text", paragraph, run, aside=True)
            run += 1


def _body_size(lines: Sequence[Line]) -> float:
    """Return the type size that most of the text of a page is set in."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[round(line.size, 1)] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0
