"""A task of M2KR from its rows, in whichever form they are stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from plait.data.collections.candidates import CandidateFiles, Watch, read_pool
from plait.data.collections.pools import PoolQuery, PoolTask
from plait.data.collections.problems import Problems
from plait.data.collections.tasks import first_of, kind_of, known, queries
from plait.data.collections.trec import Judgement
from plait.data.training.examples import BadRow, Side
from plait.data.training.fields import ids_of, several, text_of
from plait.data.training.lines import Row
from plait.data.training.pictures import PictureFolder
from plait.data.training.ret_m2kr import joined
from plait.errors import InputError

# How many hits count in the papers' tables.
CUTOFF = {
    "wit": 10,
    "iglue": 1,
    "kvqa": 5,
    "msmarco": 5,
    "oven": 5,
    "llava": 1,
    "okvqa": 5,
    "infoseek": 5,
    "evqa": 5,
}
ANSWERED = ("okvqa", "infoseek", "evqa")  # of which the tables also print pseudo-recall


@dataclass(frozen=True, slots=True)
class QueryForm:
    """How queries are stored, and what the script of that form makes of them.

    Attributes:
        id, picture, relevant, answers: names of fields; relevant holds one id or a list of them.
        instruct: gives an instruction its final form.
        cutoffs: the K that the script prints.
        answered: the data sets of which it measures pseudo-recall where there are answers.
    """

    id: str
    picture: str
    relevant: str
    answers: str
    instruct: Callable[[str], str]
    cutoffs: Sequence[int]
    answered: Collection[str]


def knowledge_task(
    name: str,
    rows: Sequence[Row | BadRow],
    form: QueryForm,
    passages: CandidateFiles,
    *,
    pictures: PictureFolder,
    problems: Problems,
    watch: Watch | None,
) -> PoolTask:
    """Return the task of some rows over a pool of passages.

    Args:
        name: one of `CUTOFF`.
        problems: those so far; whether one is an error is as it says.

    Raises:
        InputError: no query or passage can be used.
    """
    make = partial(_asked, form=form, pictures=pictures)
    asked = list(queries(rows, make, problems, key=form.id))
    if not asked:
        raise InputError(f"{name}: no query that can be used{first_of(problems)}")
    judgements = [one for query in asked for one in query.judgements]
    wanted = {one.document for one in judgements}
    found: set[str] = set()

    def meet(passage: str, _: Mapping[str, Any]) -> None:
        if passage in wanted:
            found.add(passage)

    pool = read_pool(passages, name, meet=meet, strict=problems.strict, watch=watch)
    qrels = known(judgements, [one.query.id for one in asked], {"": found}, problems)
    answered = name in form.answered and any(one.query.answers for one in asked)
    if name in ANSWERED and not answered:
        problems.report(name, f'no "{form.answers}" in any row: pseudo-recall is not measured')
    for one in asked:
        one.check(problems, answered=answered)
    measures = _measures(name, form.cutoffs, answered)
    return PoolTask(name, tuple(one.query for one in asked), qrels, {"": pool}, measures, problems)


def pictures_of(rows: Sequence[Row | BadRow], form: QueryForm) -> list[str]:
    """Return the addresses of pictures that some rows ask with."""
    given = (row.values.get(form.picture) for row in rows if isinstance(row, Row))
    return [address for address in given if address and isinstance(address, str)]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query, where it was read, and which passages are relevant to it."""

    place: str
    query: PoolQuery
    judgements: Sequence[Judgement]

    def check(self, problems: Problems, *, answered: bool) -> None:
        """Report what makes its measures mean little."""
        if not self.judgements:
            problems.report(self.place, "no passage is relevant to the query: it counts as 0")
        if answered and not self.query.answers:
            problems.report(self.place, "the query has no answers: it counts as 0 in pseudo-recall")
        if any(not answer.strip() for answer in self.query.answers):
            problems.report(
                self.place, "an answer is blank: as in the official script, it is in every passage"
            )


def _asked(row: Row, name: str, *, form: QueryForm, pictures: PictureFolder) -> _Asked:
    values = row.values
    question, picture = text_of(values, "question"), pictures.find(text_of(values, form.picture))
    kind = kind_of(question, picture)
    side = Side(joined(form.instruct(text_of(values, "instruction")), question), picture)
    query = PoolQuery(name, side, kind, _answers(values, form.answers), question.strip())
    relevant = dict.fromkeys(ids_of(values, form.relevant))
    return _Asked(row.place, query, [Judgement(row.place, name, passage, 1) for passage in relevant])


def _answers(values: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return answers, of objects what they hold as "wikidata", in Python's notation as in the script."""
    found = []
    for answer in several(values.get(key)):
        if isinstance(answer, dict) and "wikidata" in answer:
            found.append(str(answer["wikidata"]))
        elif isinstance(answer, str):
            found.append(text_of({key: answer}, key))
        elif answer is not None:
            raise InputError(f'expected "{key}", texts or objects of a "wikidata", got {answer!r:.80}')
    return tuple(found)


def _measures(name: str, cutoffs: Sequence[int], answered: bool) -> tuple[str, ...]:
    first = CUTOFF[name]
    kinds = ("success", "pseudo-recall") if answered else ("success",)
    return tuple(f"{kind}@{k}" for k in (first, *(k for k in cutoffs if k != first)) for kind in kinds)
