"""What became of the rows that were read: counted, and the bad ones told by reason and place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from plait.data.training.examples import BadRow

_SHOWN_PLACES = 3
_SHOWN_IDS = 5
_MOST_REASONS = 200  # kinds of reason told apart; what comes after them is counted as "other"
_OTHER = "other reasons"
_PARTICULAR = re.compile(r"'(?:[^'\\]|\\.)*'|\d[\d,.]*")  # what is quoted, and numbers


@dataclass(frozen=True, slots=True)
class SourceCount:
    """How many rows of a source can be used, and how many cannot."""

    name: str
    rows: int
    bad: int


@dataclass(frozen=True, slots=True)
class BadKind:
    """Bad rows whose reasons differ only in what they quote and in their numbers.

    Attributes:
        reason: that of the first.
        places: of the first few.
    """

    reason: str
    count: int
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What was read.

    Attributes:
        sources: in the order in which they first came.
        bad_kinds: the most frequent first.
        repeated_ids: rows whose id an earlier row of the same source has.
        repeated_examples: the first few of these, "source: id".
        entities: 0, 1, or 2 for any more: things that the positives are about.
    """

    sources: tuple[SourceCount, ...]
    bad_kinds: tuple[BadKind, ...] = ()
    repeated_ids: int = 0
    repeated_examples: tuple[str, ...] = ()
    entities: int = 2

    @property
    def rows(self) -> int:
        """Rows that can be used."""
        return sum(source.rows for source in self.sources)

    @property
    def bad(self) -> int:
        """Rows that cannot."""
        return sum(source.bad for source in self.sources)

    @property
    def bad_share(self) -> float:
        """Bad rows among all, in [0, 1]."""
        return self.bad / (self.rows + self.bad) if self.bad else 0.0

    def __str__(self) -> str:
        lines = [f"{self.rows:,} rows, {self.bad:,} left out ({self.bad_share:.1%})"]
        lines += [f"  {one.name}: {one.rows:,} rows, {one.bad:,} left out" for one in self.sources]
        for kind in self.bad_kinds:
            more = ", ..." if kind.count > len(kind.places) else ""
            lines.append(f"  left out {kind.count:,}: {kind.reason}")
            lines.append(f"    at {', '.join(kind.places)}{more}")
        if self.repeated_ids:
            examples = ", ".join(self.repeated_examples)
            lines.append(f"  {self.repeated_ids:,} rows with the id of an earlier one: {examples}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ReadReport:
        """Return the report that `to_dict` gave."""
        kinds = (BadKind(one["reason"], one["count"], tuple(one["places"])) for one in values["bad_kinds"])
        return cls(
            sources=tuple(SourceCount(**one) for one in values["sources"]),
            bad_kinds=tuple(kinds),
            repeated_ids=values["repeated_ids"],
            repeated_examples=tuple(values["repeated_examples"]),
            entities=values["entities"],
        )


@dataclass(slots=True)
class Tally:
    """Counts rows as they come; memory does not grow with their number."""

    good: dict[str, int] = field(default_factory=dict)
    bad: dict[str, int] = field(default_factory=dict)
    _kinds: dict[str, tuple[str, int, list[str]]] = field(default_factory=dict)

    def add_good(self, source: str) -> None:
        """Count a row that can be used."""
        self.good[source] = self.good.get(source, 0) + 1
        self.bad.setdefault(source, 0)

    def add_bad(self, source: str, row: BadRow) -> None:
        """Count a row that cannot."""
        self.bad[source] = self.bad.get(source, 0) + 1
        self.good.setdefault(source, 0)
        kind = _PARTICULAR.sub("*", row.reason)
        reason = row.reason
        if kind not in self._kinds and len(self._kinds) >= _MOST_REASONS:
            kind = reason = _OTHER
        first, count, places = self._kinds.get(kind, (reason, 0, []))
        if count < _SHOWN_PLACES:
            places.append(row.place)
        self._kinds[kind] = (first, count + 1, places)

    def report(self, *, repeated: int, examples: tuple[str, ...], entities: int) -> ReadReport:
        """Return what was counted."""
        kinds = sorted(self._kinds.values(), key=lambda kind: -kind[1])
        return ReadReport(
            sources=tuple(SourceCount(name, rows, self.bad[name]) for name, rows in self.good.items()),
            bad_kinds=tuple(BadKind(reason, count, tuple(places)) for reason, count, places in kinds),
            repeated_ids=repeated,
            repeated_examples=examples[:_SHOWN_IDS],
            entities=entities,
        )
