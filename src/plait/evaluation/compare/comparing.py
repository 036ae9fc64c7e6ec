"""Two results side by side: means, differences, tests, and which queries won or lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from plait.errors import InputError
from plait.evaluation.compare.pairing import Missing, Pairing, pair
from plait.evaluation.compare.permutation import holm, permutation_test
from plait.evaluation.compare.results import Result, can_be_worked_out
from plait.evaluation.evaluate import MEASURES
from plait.evaluation.intervals import Interval, bootstrap

ALL = "all"
_LEADING = "ndcg@10"


@dataclass(frozen=True, slots=True)
class Row:
    """One measure over the queries of one kind.

    Attributes:
        a, b: the means of both results, in [0, 1].
        difference: the mean of B - A, with its 95 % bootstrap interval.
        p: of the paired randomisation test; `exact` if all signs were counted.
        corrected: the same, raised by Holm's correction for all rows of the comparison.
        wins, ties, losses: queries where B is better than A, equal, and worse.
    """

    kind: str
    measure: str
    a: float
    b: float
    difference: Interval
    p: float
    exact: bool
    corrected: float
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True, slots=True)
class Change:
    """One query, and what both results got for it."""

    query: str
    kind: str
    a: float
    b: float

    @property
    def difference(self) -> float:
        """B - A."""
        return self.b - self.a


@dataclass(frozen=True, slots=True)
class Comparison:
    """What B changes against A.

    Attributes:
        rows: every kind in the order of the queries, "all" last where there are several; in each, every
            measure.
        changes: measure -> each query that was compared, in order.
        remarks: what a reader should know before believing the numbers, a sentence each.
        seed: of intervals and tests.
    """

    a: Result
    b: Result
    pairing: Pairing
    rows: tuple[Row, ...]
    changes: Mapping[str, tuple[Change, ...]]
    remarks: tuple[str, ...]
    seed: int

    def ordered_by(self, measure: str = "") -> str:
        """Return the measure that puts queries in order: the one named, else ndcg@10, or the first there is.

        Raises:
            InputError: it was not compared.
        """
        if measure and measure not in self.changes:
            raise InputError(f"no measure {measure!r} was compared: there are {', '.join(self.changes)}")
        return measure or (_LEADING if _LEADING in self.changes else next(iter(self.changes)))

    def losses(self, measure: str) -> list[Change]:
        """Return the queries where B is worse, the greatest loss first, equal ones by id."""
        lost = [change for change in self.changes[measure] if change.difference < 0]
        return sorted(lost, key=lambda change: (change.difference, change.query))

    def wins(self, measure: str) -> list[Change]:
        """Return the queries where B is better, the greatest gain first, equal ones by id."""
        won = [change for change in self.changes[measure] if change.difference > 0]
        return sorted(won, key=lambda change: (-change.difference, change.query))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "a": self.a.name,
            "b": self.b.name,
            "rows": [asdict(row) for row in self.rows],
            "losses": {name: [asdict(change) for change in self.losses(name)] for name in self.changes},
            "wins": {name: [asdict(change) for change in self.wins(name)] for name in self.changes},
            "only_a": list(self.pairing.only_a),
            "only_b": list(self.pairing.only_b),
            "remarks": list(self.remarks),
            "seed": self.seed,
        }


def compare(
    a: Result,
    b: Result,
    *,
    measures: Sequence[str] = (),
    missing: Missing = "stop",
    draws: int = 20_000,
    seed: int = 0,
) -> Comparison:
    """Return what result B changes against result A, kind by kind and query by query.

    Args:
        measures: (): those of `shared_measures`.
        missing: what becomes of queries that only one has an answer to; see `pair`.
        draws: of the randomisation tests, where they are not exact.

    Raises:
        InputError: an unknown measure, or results that cannot be compared; see `pair`.
    """
    names = tuple(dict.fromkeys(measures)) or shared_measures((a, b))
    pairing = pair(a, b, missing=missing)
    changes = {name: tuple(_changes(a, b, name, pairing.queries)) for name in names}
    rows = [
        _row(kind, name, [changes[name][n] for n in of_kind], draws=draws, seed=seed)
        for kind, of_kind in grouped(change.kind for change in changes[names[0]]).items()
        for name in names
    ]
    raised = holm([row.p for row in rows])
    return Comparison(
        a=a,
        b=b,
        pairing=pairing,
        rows=tuple(replace(row, corrected=p) for row, p in zip(rows, raised, strict=True)),
        changes=changes,
        remarks=(*pairing.remarks, *a.remarks(names), *b.remarks(names)),
        seed=seed,
    )


def shared_measures(results: Sequence[Result]) -> tuple[str, ...]:
    """Return the measures that all of some results have: stored, or worked out from a run file.

    Raises:
        InputError: there is none.
    """
    stored = [result.measures for result in results if result.measures]
    if not stored:
        return MEASURES
    shared = tuple(name for name in stored[0] if all(name in names for names in stored))
    if len(stored) < len(results):
        shared = tuple(name for name in shared if can_be_worked_out(name))
    if not shared:
        have = "; ".join(f"{result.name} has {', '.join(result.measures)}" for result in results)
        raise InputError(f"no measure is stored in all results ({have}): name one with --measure")
    return shared


def grouped(kinds: Iterable[str]) -> dict[str, list[int]]:
    """Return kind -> places of its queries; where there are several kinds, "all" last."""
    groups: dict[str, list[int]] = {}
    for place, kind in enumerate(kinds):
        groups.setdefault(kind, []).append(place)
    if len(groups) > 1:
        groups[ALL] = sorted(place for places in groups.values() for place in places)
    return groups


def kind_of(query: str, *results: Result) -> str:
    """Return the kind of a query, as the first result has it that knows."""
    asked = (result.judgements.asked[query] for result in results if query in result.judgements.asked)
    return next((one.kind for one in asked if one.kind), ALL)


def _changes(a: Result, b: Result, measure: str, queries: Sequence[str]) -> Iterator[Change]:
    values = zip(queries, a.values(measure, queries), b.values(measure, queries), strict=True)
    for query, before, after in values:
        yield Change(query, kind_of(query, a, b), before, after)


def _row(kind: str, measure: str, changes: Sequence[Change], *, draws: int, seed: int) -> Row:
    differences = [change.difference for change in changes]
    test = permutation_test(differences, draws=draws, seed=seed)
    return Row(
        kind=kind,
        measure=measure,
        a=sum(change.a for change in changes) / len(changes),
        b=sum(change.b for change in changes) / len(changes),
        difference=bootstrap(differences, seed=seed),
        p=test.p,
        exact=test.exact,
        corrected=test.p,
        wins=sum(difference > 0 for difference in differences),
        ties=sum(difference == 0 for difference in differences),
        losses=sum(difference < 0 for difference in differences),
    )
