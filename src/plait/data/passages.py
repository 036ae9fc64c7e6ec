"""A unit's segments to passages: windows of whole sentences, each of one subject."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from plait.data.sentences import sentences, weight
from plait.data.table_rows import REPEATED_SHARE, lines_of
from plait.schema import Passage, Segment, TimeSpan


def passages(
    segments: Iterable[Segment], *, section: tuple[str, ...], passage_words: int, overlap_words: int
) -> Iterator[Passage]:
    """Give the passages of a unit, in order; none is empty.

    A passage never runs over a heading, nor from running text into a table, footnotes or notes. One of a
    table holds whole rows: the first stands under the caption, all under the header where it is short. A
    block of code that is not longer than a passage stays whole.

    Args:
        segments: those of the unit; pictures give nothing here.
        section: the unit's headings, which its passages leave out.
        passage_words, overlap_words: as of `segmenting.units`.
    """
    tables = 0
    for run in _runs(segments):
        if run[0].kind == "table":
            found = _of_table(run[0], tables, passage_words)
            tables += 1
        else:
            said = [segment for segment in run if not (is_heading(segment) and segment.text in section)]
            pieces = [piece for segment in said for piece in _pieces(segment, passage_words)]
            found = _windows(pieces, passage_words, overlap_words)
        for passage in found:
            yield replace(passage, section=None) if passage.section == section else passage


def is_heading(segment: Segment) -> bool:
    """Tell whether a text segment is the heading of its own section."""
    return segment.kind == "text" and bool(segment.section) and segment.text == segment.section[-1]


def words_of(segment: Segment) -> str:
    """Return the words that passages hold of a segment; none of a picture, which has its words with it."""
    if segment.kind == "text":
        return segment.text
    if segment.kind == "image" and segment.picture is not None:
        return ""
    text = [segment.text] if segment.kind == "image" else lines_of(segment)
    return "\n".join(words for words in (segment.caption, *text) if words)


def _runs(segments: Iterable[Segment]) -> list[list[Segment]]:
    """Part segments where passages must end; headings with no text below them go with what is before."""
    runs: list[list[Segment]] = []
    for segment in segments:
        if not words_of(segment).strip():
            continue
        if runs and not _parted(runs[-1][-1], segment):
            runs[-1].append(segment)
        else:
            runs.append([segment])
    joined: list[list[Segment]] = []
    for run in runs:
        if joined and all(map(is_heading, run)) and _kind(joined[-1][-1]) == _kind(run[0]):
            joined[-1] += run
        else:
            joined.append(run)
    return joined


def _parted(before: Segment, after: Segment) -> bool:
    if after.kind == "table" or _kind(before) != _kind(after):
        return True
    return is_heading(after) and not is_heading(before)


def _kind(segment: Segment) -> str:
    """Return what may stand together in a passage."""
    return "table" if segment.kind == "table" else "body" if segment.role == "code" else segment.role


@dataclass(frozen=True, slots=True)
class _Piece:
    """A sentence, with the white space after it, and the segment it is from."""

    text: str
    words: int
    segment: Segment


def _pieces(segment: Segment, longest: int) -> list[_Piece]:
    return _cut(words_of(segment), segment, longest, whole=segment.role == "code")


def _cut(text: str, segment: Segment, longest: int, *, whole: bool) -> list[_Piece]:
    """Return a paragraph or a row in sentences, or in one piece where it is to stay whole and is short."""
    found = [text] if whole and weight(text) <= longest else list(sentences(text, longest=longest))
    ends = [*[""] * (len(found) - 1), "\n"]
    return [_Piece(said + end, weight(said), segment) for said, end in zip(found, ends, strict=True)]


def _windows(pieces: Iterable[_Piece], passage_words: int, overlap_words: int) -> Iterator[Passage]:
    """Window a text: whole sentences, each window opened by the sentence before it if short."""
    window: list[_Piece] = []
    words = 0
    fresh = False  # whether the window holds anything the window before does not
    for piece in pieces:
        if fresh and words + piece.words > passage_words:
            yield _passage(window)
            last = window[-1]
            keep = last.words <= overlap_words and last.words + piece.words <= passage_words
            window = [last] if keep else []
            words = last.words if keep else 0
            fresh = False
        window.append(piece)
        words += piece.words
        fresh = True
    if fresh:
        yield _passage(window)


def _of_table(table: Segment, place: int, passage_words: int) -> Iterator[Passage]:
    """Window a table: whole rows, and over each window what is short of the caption and the header."""
    lines = lines_of(table)
    opening, rows = [table.caption, *lines[: table.header_rows]], lines[table.header_rows :]
    again = _short(opening, passage_words) or _short(opening[1:], passage_words)
    longest = passage_words - weight(again)
    first = [piece for line in opening if line for piece in _cut(line, table, longest, whole=True)]
    rest = [piece for line in rows if line for piece in _cut(line, table, longest, whole=True)]
    window, words, over = list[_Piece](), 0, ""
    for number, piece in enumerate([*first, *rest]):
        if window and words + piece.words > passage_words:
            yield replace(_passage(window, over), table=place)
            over = again if number >= len(first) else ""
            window, words = [], weight(over)
        window.append(piece)
        words += piece.words
    if window:
        yield replace(_passage(window, over), table=place)


def _short(lines: Sequence[str], passage_words: int) -> str:
    """Return lines that may be said again, "" if they are too long for that."""
    text = "".join(f"{line}\n" for line in lines if line)
    return text if weight(text) <= REPEATED_SHARE * passage_words else ""


def _passage(window: Sequence[_Piece], over: str = "") -> Passage:
    first, last = window[0].segment, window[-1].segment
    text = (over + "".join(piece.text for piece in window)).strip()
    below = (piece.segment for piece in window if not is_heading(piece.segment))
    return Passage(
        text,
        page=first.page,
        box=first.box,
        anchor=first.anchor,
        time=TimeSpan(first.time.start, last.time.end) if first.time and last.time else None,
        section=next(below, first).section,
    )
