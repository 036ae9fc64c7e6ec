"""Libraries made of manuals, and what they answer to queries of their own and of other places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.honest_material import Asked, Manual
from plait import Query
from plait.encode.base import Encoder
from plait.index.base import Scores
from plait.index.lexical import words
from plait.index.multi_vector import MultiVectors
from plait.index.surroundings import SurroundedBm25
from plait.search.calibration import Found
from plait.search.fusion import fuse
from plait.train.mini.calibrating import Example

Size = Literal["a few pages", "one manual", "all manuals"]
Origin = Literal["own", "other manual", "everyday", "noise"]

_NEAR = 2  # places away from the answer, in the same document, that count as good
_FIRST_GOOD, _FIRST_BAD = 20, 10  # hits that are looked at


@dataclass(frozen=True, slots=True)
class Case:
    """A query put to a library.

    Attributes:
        covered: whether all its words stand together in one unit: then a query from elsewhere is answered,
            whatever it was made of, and counts as neither good nor bad.
        example: what it found, as the calibration is fitted on.
        answers: which of the first hits are what the query was made of.
    """

    library: str
    size: Size
    kind: str
    origin: Origin
    text: str
    covered: bool
    example: Example
    answers: tuple[bool, ...]

    @property
    def answered(self) -> bool:
        """Whether an answer is among the first hits; else there may be none left in the library."""
        return any(self.answers)


class Shelf:
    """Some units of manuals, searched as a library is.

    Args:
        parts: manuals, and which of their units.
    """

    def __init__(
        self, name: str, size: Size, parts: Sequence[tuple[Manual, Sequence[int]]], encoder: Encoder
    ):
        self.name, self.size, self._encoder = name, size, encoder
        self.units = [manual.units[row] for manual, rows in parts for row in rows]
        vectors = [manual.vectors[row] for manual, rows in parts for row in rows]
        self.fields = {
            field.name: MultiVectors.of(
                [
                    one.fields.get(field.name, np.zeros((0, field.tokens, field.width), np.float32))
                    for one in vectors
                ],
                tokens=field.tokens,
                width=field.width,
            )
            for field in encoder.fields
        }
        self.bm25 = SurroundedBm25.of(self.units)
        self.rows = {unit.id: row for row, unit in enumerate(self.units)}
        owners: dict[str, int] = {}
        self._owners = np.array([owners.setdefault(unit.document_id, len(owners)) for unit in self.units])
        self._words = [frozenset(words(unit.text)) for unit in self.units]
        self.language = "english"

    def __len__(self) -> int:
        return len(self.units)

    def word_weights(self, texts: Sequence[str], weights: Sequence[float]) -> Mapping[str, float]:
        """As of a snapshot."""
        return self.bm25.word_weights(texts, weights)

    def lanes(self, query: Query, asked: Asked) -> dict[str, Scores]:
        """Return lane -> (N,) scores."""
        every = asked.vectors
        lanes = {name: self.fields[name].scores(of, every.weights[name]) for name, of in every.fields.items()}
        return {**lanes, "bm25": self.bm25.scores(query.texts)} if query.texts else lanes

    def ask(self, asked: Asked, origin: Origin) -> Case | None:
        """Return what a query finds; None for one of the library's own that these units do not answer."""
        relevant = np.zeros(len(self), np.bool_)
        relevant[[self.rows[unit] for unit in asked.relevant if unit in self.rows]] = True
        if (origin == "own") != bool(relevant.any()):
            return None
        lanes = self.lanes(asked.query, asked)
        assert self._encoder.mixture is not None
        found = Found.of(asked.query, lanes, self._encoder.mixture, self)
        assert found is not None
        fused = fuse(lanes, parameters=self._encoder.mixture)
        good = origin == "own"
        there = np.flatnonzero(~np.isnan(fused))
        order = there[np.argsort(-fused[there], kind="stable")]
        places = tuple(int(row) for row in order[: _FIRST_GOOD if good else _FIRST_BAD])
        near = self._near(relevant)
        said = [{n: float(lane[r]) for n, lane in lanes.items() if not np.isnan(lane[r])} for r in places]
        example = Example(
            self.name.partition("/")[0],
            found.side,
            found.values,
            good,
            _each(found.of_places(said)) if said else (),
            tuple(bool(near[row]) for row in places),
        )
        text = " ".join(asked.query.texts)
        wanted = frozenset(words(text))
        covered = bool(wanted) and not asked.query.images and any(wanted <= held for held in self._words)
        answers = tuple(bool(relevant[row]) for row in places)
        return Case(self.name, self.size, asked.kind, origin, text, covered, example, answers)

    def _near(self, relevant: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return (N,) True for what is relevant, and what stands close to it."""
        near = relevant.copy()
        for row in np.flatnonzero(relevant):
            around = slice(max(0, row - _NEAR), row + _NEAR + 1)
            near[around] |= self._owners[around] == self._owners[row]
        return near


def _each(values: Mapping[str, NDArray[np.float32]]) -> tuple[dict[str, float], ...]:
    """Return one mapping of numbers for each place."""
    size = len(values["behind"])
    return tuple({name: float(column[at]) for name, column in values.items()} for at in range(size))


def cases(
    manuals: Sequence[Manual], elsewhere: Sequence[Asked], encoder: Encoder, *, seed: int, foreign: int = 250
) -> Iterator[Case]:
    """Yield what libraries of three sizes find: of their own, of the other manuals, of everyday life.

    Args:
        elsewhere: everyday questions and noise.
        foreign: queries of other manuals to each library.
    """
    rng = np.random.default_rng(seed)
    for manual in manuals:
        others = [one for other in manuals if other is not manual for one in other.asked]
        for shelf in (_whole(manual, encoder), _some(manual, encoder, rng)):
            yield from _asked(shelf, manual.asked, "own")
            drawn = rng.permutation(len(others))[:foreign]
            yield from _asked(shelf, [others[at] for at in drawn], "other manual")
            yield from _elsewhere(shelf, elsewhere)
    for left_out in (None, *manuals):
        kept = [manual for manual in manuals if manual is not left_out]
        name = "all" if left_out is None else f"{left_out.name}/left out"
        shelf = Shelf(name, "all manuals", [(manual, range(len(manual.units))) for manual in kept], encoder)
        if left_out is not None:
            yield from _asked(shelf, left_out.asked, "other manual")
            continue
        own = [one for manual in kept for one in manual.asked]
        yield from _asked(shelf, [own[at] for at in rng.permutation(len(own))[:500]], "own")
        yield from _elsewhere(shelf, elsewhere)


def cases_of(
    manual: Manual, others: Sequence[Manual], elsewhere: Sequence[Asked], encoder: Encoder, *, seed: int
) -> Iterator[Case]:
    """Yield what a library of one manual finds."""
    shelf = _whole(manual, encoder)
    yield from _asked(shelf, manual.asked, "own")
    foreign = [one for other in others for one in other.asked]
    drawn = np.random.default_rng(seed).permutation(len(foreign))[:400]
    yield from _asked(shelf, [foreign[at] for at in drawn], "other manual")
    yield from _elsewhere(shelf, elsewhere)


def _asked(shelf: Shelf, asked: Sequence[Asked], origin: Origin) -> Iterator[Case]:
    for one in asked:
        case = shelf.ask(one, origin)
        if case is not None:
            yield case


def _elsewhere(shelf: Shelf, asked: Sequence[Asked]) -> Iterator[Case]:
    for one in asked:
        yield from _asked(shelf, [one], "noise" if one.kind == "noise" else "everyday")


def _whole(manual: Manual, encoder: Encoder) -> Shelf:
    return Shelf(manual.name, "one manual", [(manual, range(len(manual.units)))], encoder)


def _some(manual: Manual, encoder: Encoder, rng: np.random.Generator) -> Shelf:
    """Return the units of some documents, 40 to 60 of them."""
    documents: dict[str, list[int]] = {}
    for row, unit in enumerate(manual.units):
        documents.setdefault(unit.document_id, []).append(row)
    rows: list[int] = []
    for document in rng.permutation(list(documents)):
        rows += documents[str(document)]
        if len(rows) >= 40:
            break
    return Shelf(f"{manual.name}/few", "a few pages", [(manual, sorted(rows[:60]))], encoder)
