"""Comma- and tab-separated files: one table, read row by row."""

from __future__ import annotations

import codecs
import contextlib
import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from plait.data.readers.base import ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.decoding import decode
from plait.data.readers.office.cells import CellBudget, Place, cell_text, sheet_segments, squared
from plait.errors import ReadError
from plait.schema import Document

_DELIMITERS = ",;\t|"
_SAMPLE_BYTES = 256 * 1024
_SAMPLE_ROWS = 100
_LONGEST_LINE_CHARACTERS = 100_000  # below the csv module's own limit on a cell
_ROWS_A_TICK = 5_000
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.I)


@dataclass(frozen=True, slots=True)
class _Form:
    """How a file's rows are written."""

    encoding: str
    delimiter: str
    skipped: int  # lines before the first row
    damaged: bool = False


def read_delimited(task: ReadTask, limits: ReadLimits) -> Document:
    """Return a CSV or TSV file as a document: its table, in segments that repeat the header.

    The delimiter is found out; rows are padded to one length; past the limits on rows and cells the rest
    is left out with a warning, so that a file of any length takes the same memory.

    Raises:
        ReadError: there is nothing in it.
    """
    form = _form_of(task.path)
    warnings = ["some bytes are not valid text and were replaced"] if form.damaged else []
    rows, budget, unquoted = _kept(task, form)
    if unquoted:
        warnings.append("a quotation mark is never closed: quotation marks were read as part of the text")
    if budget.spent:
        warnings.append(f"only the first {len(rows):,} rows are read")
    table = squared(rows)
    if not table:
        raise ReadError(task.source, "holds no cells", "nothing to search in it; leave it out")
    return Document(
        id=document_id(task.source),
        title=title_from(task.path),
        source=task.source,
        metadata={"type": "table", "rows": len(table), "columns": len(table[0])},
        segments=tuple(sheet_segments(table, place=Place(), first_row=form.skipped + 1)),
        warnings=tuple(warnings),
    )


def _form_of(path: Path) -> _Form:
    with path.open("rb") as file:
        head = file.read(_SAMPLE_BYTES)
        whole = len(head) < _SAMPLE_BYTES
    # A character must not be cut in two.
    sample = decode(head if whole else head[: head.rfind(b"\n") + 1] or head[:-4])
    encoding = sample.encoding
    if not whole and encoding == "utf-8" and not _is_utf8(path):
        encoding = "cp1252"
    text = sample.text.replace("\0", "")
    named = _SEPARATOR_LINE.match(text)  # how Excel marks a delimiter of its own
    if named:
        return _Form(encoding, named[1], skipped=1, damaged=sample.damaged)
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    return _Form(encoding, _delimiter(text, usual=usual), skipped=0, damaged=sample.damaged)


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while chunk := file.read(2**20):
                decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(text: str, *, usual: str) -> str:
    """Return the delimiter that cuts most of the first lines into the same number of cells."""
    lines = text.splitlines()[:_SAMPLE_ROWS]
    best, best_score = usual, (0.5, 0)
    for delimiter in sorted(_DELIMITERS, key=lambda one: one != usual):
        with contextlib.suppress(csv.Error):
            widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
            width, count = max(widths.items(), key=lambda pair: (pair[1], pair[0]), default=(1, 0))
            score = (round(count / widths.total(), 1) if count else 0.0, width)
            if width > 1 and score > best_score:
                best, best_score = delimiter, score
    return best


def _kept(task: ReadTask, form: _Form) -> tuple[list[list[str]], CellBudget, bool]:
    """Return the rows that the budget lets through, and whether quotation marks had to be ignored."""
    try:
        return *_rows(task, form, quoting=csv.QUOTE_MINIMAL, strict=True), False
    except csv.Error as error:
        if "expected after" in str(error):  # a mark inside a cell: harmless
            with contextlib.suppress(csv.Error):
                return *_rows(task, form, quoting=csv.QUOTE_MINIMAL, strict=False), False
    return *_rows(task, form, quoting=csv.QUOTE_NONE, strict=False), True


def _rows(
    task: ReadTask, form: _Form, *, quoting: Literal[0, 3], strict: bool
) -> tuple[list[list[str]], CellBudget]:
    """Return the rows that the budget lets through.

    Raises:
        csv.Error: a cell longer than the csv module takes, which means a quotation mark never closed; if
            strict, also one that ends the file, or that stands inside a cell.
    """
    budget = CellBudget()
    rows: list[list[str]] = []
    with task.path.open(encoding=form.encoding, errors="replace", newline="") as file:
        lines = _lines(file, form.skipped)
        for i, cells in enumerate(
            csv.reader(lines, delimiter=form.delimiter, quoting=quoting, strict=strict)
        ):
            row = [cell_text(cell) for cell in cells]
            if not budget.takes(row):
                break
            rows.append(row)
            if i % _ROWS_A_TICK == 0:
                task.tick()
    return rows, budget


def _lines(file: TextIO, skipped: int) -> Iterator[str]:
    """Yield a file's lines without NULs, the first ones left out; endless lines come in pieces."""
    for _ in range(skipped):
        file.readline(_LONGEST_LINE_CHARACTERS)
    while line := file.readline(_LONGEST_LINE_CHARACTERS):
        yield line.replace("\0", "")
