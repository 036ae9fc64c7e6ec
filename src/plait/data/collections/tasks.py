"""What readers of the papers' benchmarks share: tasks by name, queries, and judgements of what is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from plait.data.collections.problems import Problems
from plait.data.collections.trec import Judgement
from plait.data.training.examples import BadRow
from plait.data.training.fields import id_of
from plait.data.training.lines import Row
from plait.data.training.pictures import PictureFolder
from plait.errors import InputError, MissingPathError
from plait.schema import asked_with

T = TypeVar("T")
_TRIED_PICTURES = 100


def plain(name: str) -> str:
    """Return a name in small letters, without dashes and underscores."""
    return name.lower().replace("-", "").replace("_", "")


def chosen(
    tasks: Sequence[str] | None,
    known: Sequence[str],
    *,
    there: Callable[[str], bool],
    missing: Callable[[str], Sequence[str]],
) -> list[str]:
    """Return the names of the tasks to read, in the order of `known`.

    Args:
        tasks: names, whatever their case, with dashes and underscores or without; None: all whose
            queries are there.
        there: whether the queries of a task are.
        missing: which files of a task are not there.

    Raises:
        InputError: a name is not known, or there are none.
        MissingPathError: a task lacks a file, or none is there.
    """
    wanted = {plain(name): name for name in (known if tasks is None else tasks)}
    unknown = sorted(wanted.keys() - {plain(name) for name in known})
    if unknown or not wanted:
        named = ", ".join(repr(wanted[name]) for name in unknown) or "none"
        raise InputError(f"tasks: {named}; expected some of {', '.join(known)}")
    found = [name for name in known if plain(name) in wanted and (tasks is not None or there(name))]
    if not found:
        raise MissingPathError(f"{missing(known[0])[0]}: not there, nor the queries of another task")
    for name in found:
        if lacking := missing(name):
            raise MissingPathError(f"{lacking[0]}: not there; the task {name} needs it")
    return found


def queries(
    rows: Iterable[Row | BadRow], make: Callable[[Row, str], T], problems: Problems, *, key: str
) -> Iterator[T]:
    """Yield what `make` makes of each row and its id; report rows of which it makes an InputError.

    Args:
        key: the field that holds the id, compared as a string; of rows with one id the first counts.
    """
    seen: set[str] = set()
    for row in rows:
        if isinstance(row, BadRow):
            problems.report(row.place, row.reason)
            continue
        try:
            name = id_of(row.values, key)
            if name in seen:
                raise InputError(f"the id {name!r} is that of an earlier query, which counts")
            made = make(row, name)
        except InputError as error:
            wrong = str(error)
        else:
            seen.add(name)
            yield made
            continue
        problems.report(row.place, wrong)


def first_of(problems: Problems) -> str:
    """Return the first problem in brackets, to end a message with; "" of none."""
    return f" (the first problem: {problems[0]})" if problems else ""


def kind_of(words: str, picture: str) -> str:
    """Return "text", "image" or "text+image": what a query is of.

    Raises:
        InputError: it is of neither.
    """
    kind = asked_with(words.strip(), picture)
    if not kind:
        raise InputError("the query has neither words nor a picture: expected one or both")
    return kind


def known(
    judgements: Iterable[Judgement],
    names: Iterable[str],
    pools: Mapping[str, Collection[str]],
    problems: Problems,
) -> dict[str, dict[str, int]]:
    """Return the judgements of candidates that are there, by query; {} of queries that have none.

    Args:
        judgements: grades above 0, of queries that are there.
        names: of all queries.
        pools: which pool -> the judged candidates that are in it. One in any of them is kept.
    """
    qrels: dict[str, dict[str, int]] = {name: {} for name in names}
    for place, query, document, grade in judgements:
        lacking = [name for name, found in pools.items() if document not in found]
        if len(lacking) < len(pools):
            qrels[query][document] = grade
        for name in lacking:
            pool = f"the {name} pool" if name else "the pool"
            problems.report(place, f"candidate {document!r}, relevant to query {query!r}, is not in {pool}")
    return qrels


def picture_folder(guesses: Sequence[Path], addresses: Sequence[str], problems: Problems) -> PictureFolder:
    """Return the first folder that holds one of the pictures; else the first that is there, and say so.

    Args:
        guesses: folders that paths may start from; one of them is there.
        addresses: of pictures.
    """
    there = [guess for guess in guesses if guess.is_dir()]
    for guess in there:
        if any(os.path.isfile(os.path.join(guess, address)) for address in addresses[:_TRIED_PICTURES]):
            return PictureFolder(guess)
    if addresses:
        tried = ", ".join(map(str, there))
        problems.report(
            tried, f"no picture such as {addresses[0]!r} here: name the folder that paths start from (images)"
        )
    return PictureFolder(there[0])
