"""Judgement files as trec_eval reads them, and the lines that run files share with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from plait.errors import InputError, MissingPathError
from plait.schema import Qrels

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

    Each line is "query 0 document grade"; a fifth column (the task, in M-BEIR's files) is passed over.
    Columns are separated by tabs where a line has any, so that ids may hold spaces; else by white space.

    Args:
        report: called for a line with a wrong number of columns, a grade that is no whole number, or a
            pair judged before; by default it raises an InputError that begins with file and line.

    Raises:
        MissingPathError: there is no such file.
    """
    seen: set[tuple[str, str]] = set()
    for place, columns in lines(path, form="query 0 document grade", counts=(4, 5), report=report):
        query, document, grade = columns[0], columns[2], _whole(columns[3])
        if grade is None:
            report(place, f"expected a whole number as grade (column 4), got {columns[3]!r}")
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
                file.write("\t".join((_checked_id(query), "0", _checked_id(document), str(grade))) + "\n")


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
        columns = [column.strip() for column in line.split("\t" if "\t" in line else None)]
        if len(columns) in counts:
            yield place, columns
        else:
            expected = " or ".join(map(str, counts))
            report(place, f"expected {expected} columns ({form}), got {len(columns)}")


def decoded_lines(file: Path, *, report: Report) -> Iterator[tuple[str, str]]:
    """Yield "file:line" and the text of every line that is not blank, without its line break.

    A byte order mark is passed over; a line that is not UTF-8 is reported.
    """
    with file.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            try:
                line = raw.decode("utf-8").removeprefix("\ufeff").rstrip("\r\n")
            except UnicodeDecodeError as error:
                report(f"{file}:{number}", f"not UTF-8 ({error.reason} at byte {error.start}): convert it")
                continue
            if line.strip():
                yield f"{file}:{number}", line


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _checked_id(name: str) -> str:
    """Return an id that a line of tab-separated columns can hold."""
    if not name or name != name.strip() or any(mark in name for mark in "\t\r\n"):
        raise InputError(
            f"the id {name!r} cannot be written: expected no spaces around it, and no tabs or line breaks"
        )
    return name
