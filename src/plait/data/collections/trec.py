"""Judgement files as trec_eval reads them, and the lines that run files share with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from plait.errors import InputError, MissingPathError
from plait.schema import Qrels

_FORM = "query 0 document grade"
_SHORT_HEAD = ["query-id", "corpus-id", "score"]

# Takes "file:line" and what was seen and expected there, for a line that is then passed over.
Report = Callable[[str, str], None]


class Judgement(NamedTuple):
    """One line of a judgement file; `place` is "file:line"."""

    place: str
    query: str
    document: str
    grade: int


def stop(place: str, message: str) -> None:
    """Raise an InputError: the report of those who want none but whole files."""
    raise InputError(f"{place}: {message}")


def read_qrels(path: str | Path) -> dict[str, dict[str, int]]:
    """Return the judgements of a file: query id -> document id -> grade, in the file's order.

    Raises:
        MissingPathError: there is no such file.
        InputError: a malformed line, as in `judgements`.
    """
    qrels: dict[str, dict[str, int]] = {}
    for judgement in judgements(path):
        qrels.setdefault(judgement.query, {})[judgement.document] = judgement.grade
    return qrels


def judgements(path: str | Path, *, report: Report = stop) -> Iterator[Judgement]:
    """Yield the judgements of a file, in its order.

    Each line is "query 0 document grade"; a fifth column (the task, in M-BEIR's files) is passed over. A
    file that begins with the line "query-id corpus-id score", as BEIR's do, has these three columns.
    Columns are separated by tabs where a line has any, so that ids may hold spaces; else by white space.

    Args:
        report: called for a line with a wrong number of columns, a grade that is no whole number, or a
            pair judged before; by default it raises an InputError that begins with file and line.

    Raises:
        MissingPathError: there is no such file.
    """
    seen: set[tuple[str, str]] = set()
    is_short = _first_columns(Path(path)) == _SHORT_HEAD
    form, counts, last = (" ".join(_SHORT_HEAD), (3,), 2) if is_short else (_FORM, (4, 5), 3)
    for place, columns in lines(path, form=form, counts=counts, report=report):
        if is_short and columns == _SHORT_HEAD:
            continue
        query, document, grade = columns[0], columns[last - 1], _whole(columns[last])
        if grade is None:
            report(place, f"expected a whole number as grade (column {last + 1}), got {columns[last]!r}")
        elif (query, document) in seen:
            report(place, f"document {document!r} is judged twice for query {query!r}")
        else:
            seen.add((query, document))
            yield Judgement(place, query, document, grade)


def write_qrels(path: str | Path, qrels: Qrels) -> None:
    """Write judgements so that `read_qrels` returns them; tabs separate the columns.

    Raises:
        InputError: an id holds a tab or a line break, or is empty.
    """
    with Path(path).open("w", encoding="utf-8", newline="\n") as file:
        for query, grades in qrels.items():
            for document, grade in grades.items():
                file.write("\t".join((checked_id(query), "0", checked_id(document), str(grade))) + "\n")


def lines(
    path: str | Path, *, form: str, counts: Sequence[int], report: Report = stop
) -> Iterator[tuple[str, list[str]]]:
    """Yield "file:line" and the columns of every line that is not blank.

    Args:
        form: the columns expected, in words.
        counts: how many columns a line may have; others are reported.

    Raises:
        MissingPathError: there is no such file.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingPathError(f"{file}: no such file; expected lines of the form {form!r}")
    for place, line in decoded_lines(file, report=report):
        columns = [column.strip() for column in line.split("\t")] if "\t" in line else line.split()
        if len(columns) in counts:
            yield place, columns
        else:
            expected = " or ".join(map(str, counts))
            report(place, f"expected {expected} columns ({form}), got {len(columns)}")


def decoded_lines(file: Path, *, report: Report) -> Iterator[tuple[str, str]]:
    """Yield "file:line" and the text of every line that is not blank, without its line break.

    A byte order mark is passed over; a line that is not UTF-8 is reported.
    """
    name = str(file)
    with file.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            try:
                line = raw.decode("utf-8").removeprefix("\ufeff").rstrip("\r\n")
            except UnicodeDecodeError as error:
                report(f"{name}:{number}", f"not UTF-8 ({error.reason} at byte {error.start}): convert it")
                continue
            if line and not line.isspace():
                yield f"{name}:{number}", line


def _first_columns(file: Path) -> list[str]:
    """Return the columns of a file's first line; [] if there is none."""
    if not file.is_file():
        return []
    with file.open("rb") as stream:
        return stream.readline().decode("utf-8", "replace").removeprefix("\ufeff").split()


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def checked_id(name: str) -> str:
    """Return an id that a line of tab-separated columns can hold.

    Raises:
        InputError: it holds a tab or a line break, or white space around it, or is empty.
    """
    if not name or name != name.strip() or any(mark in name for mark in "\t\r\n"):
        raise InputError(
            f"the id {name!r} cannot be written: expected no spaces around it, and no tabs or line breaks"
        )
    return name
