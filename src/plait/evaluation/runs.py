"""Run files as trec_eval reads them: what a system answered, query by query."""

from __future__ import annotations

import math
from pathlib import Path

from plait.data.collections.trec import lines
from plait.errors import InputError
from plait.evaluation.measures import ranking
from plait.schema import Run


def read_run(path: str | Path) -> dict[str, dict[str, float]]:
    """Return the scores of a run file: query id -> document id -> score, in the file's order.

    Each line is "query Q0 document rank score tag"; the rank is passed over, as trec_eval does.

    Raises:
        MissingPathError: there is no such file.
        InputError: a wrong number of columns, a score that is not a number, a document answered twice;
            the message begins with file and line.
    """
    run: dict[str, dict[str, float]] = {}
    for place, columns in lines(path, form="query Q0 document rank score tag", counts=(6,)):
        query, document = columns[0], columns[2]
        answered = run.setdefault(query, {})
        if document in answered:
            raise InputError(f"{place}: document {document!r} is answered twice for query {query!r}")
        answered[document] = _score(columns[4], place)
    return run


def write_run(path: str | Path, run: Run, *, tag: str = "plait") -> None:
    """Write a run, best first, with every digit of its scores.

    Columns are separated by spaces, for every tool that reads such files.

    Raises:
        InputError: an id or the tag holds white space or is empty; a score is not a number. Nothing is
            written then.
    """
    rows = []
    for query, scores in run.items():
        for rank, document in enumerate(ranking(scores, query=query), 1):
            columns = (_word(query), "Q0", _word(document), str(rank), repr(float(scores[document])))
            rows.append(" ".join((*columns, _word(tag))))
    Path(path).write_text("".join(f"{row}\n" for row in rows), encoding="utf-8", newline="\n")


def _score(text: str, place: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if math.isnan(score):
        raise InputError(f"{place}: expected a number as score (column 5), got {text!r}")
    return score


def _word(name: str) -> str:
    if not name or name.split() != [name]:
        raise InputError(f"{name!r} cannot stand in a run file: it is empty or holds white space")
    return name
