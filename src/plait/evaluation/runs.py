"""Run files as trec_eval reads them: what a system answered, query by query."""

from __future__ import annotations

import math
from collections.abc import Container
from itertools import chain
from pathlib import Path

from plait.data.collections.trec import Report, checked_id, lines, stop
from plait.evaluation.measures import ranking
from plait.schema import Run

_FORM = "query Q0 document rank score tag"


def read_run(
    path: str | Path,
    *,
    queries: Container[str] | None = None,
    documents: Container[str] | None = None,
    report: Report = stop,
) -> dict[str, dict[str, float]]:
    """Return the scores of a run file: query id -> document id -> score, in the file's order.

    Each line is "query Q0 document rank score tag"; the rank is passed over, as trec_eval does.

    Args:
        queries: ids of the collection's; None: not known. Lines of others are reported and left out.
        documents: ids of the collection's; None: not known. Others are reported once and kept: they take
            their ranks, as in trec_eval.
        report: called for these, and for a line with a wrong number of columns, a score that is no finite
            number, or a document answered before; by default it raises an InputError that begins with
            file and line.

    Raises:
        MissingPathError: there is no such file.
    """
    run: dict[str, dict[str, float]] = {}
    unknown: set[str] = set()
    for place, columns in lines(path, form=_FORM, counts=(6,), report=report):
        query, document, score = columns[0], columns[2], _finite(columns[4])
        answered = run.get(query, {})
        if score is None:
            report(place, f"expected a finite number as score (column 5), got {columns[4]!r}")
        elif document in answered:
            report(place, f"document {document!r} is answered twice for query {query!r}")
        elif queries is not None and query not in queries:
            report(place, f"answers the query {query!r}, which the collection does not have")
        else:
            run.setdefault(query, answered)[document] = score
            if documents is not None and document not in documents and document not in unknown:
                unknown.add(document)
                report(place, f"names the document {document!r}, which the collection does not have")
    return run


def write_run(path: str | Path, run: Run, *, tag: str = "plait") -> None:
    """Write a run, best first, with every digit of its scores.

    Columns are separated by spaces, for every tool that reads such files; by tabs where an id holds white
    space, which `read_run` reads and trec_eval cannot.

    Raises:
        InputError: an id is empty, or holds a tab, a line break, or spaces around it; a score is not a
            finite number. Nothing is written then.
    """
    rows: list[str] = []
    names = [checked_id(name) for name in {tag, *run, *chain.from_iterable(run.values())}]
    between = " " if all(name.split() == [name] for name in names) else "\t"
    for query, scores in run.items():
        head, tail = between.join((query, "Q0", "")), f"{between}{tag}\n"
        for rank, document in enumerate(ranking(scores, query=query), 1):
            rows.append(f"{head}{document}{between}{rank}{between}{float(scores[document])!r}{tail}")
    Path(path).write_text("".join(rows), encoding="utf-8", newline="\n")


def _finite(text: str) -> float | None:
    try:
        score = float(text)
    except ValueError:
        return None
    return score if math.isfinite(score) else None
