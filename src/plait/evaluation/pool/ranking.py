"""A pool ranked by several systems for all queries of a task, some thousand queries at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from plait.data.whole_files import whole
from plait.errors import InputError, ShapeError
from plait.evaluation.pool.fusing import fused
from plait.evaluation.pool.lanes import PoolLane, Rows, Scores
from plait.evaluation.pool.searching import Top, top
from plait.evaluation.systems import System
from plait.scoring.mixture import MixtureParameters

QUERIES = 4096  # whose best are in memory

Watch = Callable[[str, int, int], None]


class Names(Protocol):
    """Ids by place: `ids.Ids`, or a list."""

    def __getitem__(self, place: int, /) -> str: ...


@dataclass(frozen=True, slots=True)
class Ranked:
    """What one system found for Q queries.

    Attributes:
        places: (Q, K) in the pool, best first, equal ones in the order of the pool.
        scores: (Q, K) higher is better; -inf where there are fewer than K.
        asked: (Q,) False for queries that the system cannot be asked, which have no lane of its.
    """

    places: Rows
    scores: Scores
    asked: NDArray[np.bool_]

    def run(self, queries: Sequence[str], ids: Names) -> dict[str, dict[str, float]]:
        """Return query id -> candidate id -> score, for the queries that can be asked.

        Args:
            queries: (Q,) their ids.
            ids: of the pool's candidates, by place.
        """
        return {
            query: {
                ids[place]: score
                for place, score in zip(places.tolist(), scores.tolist(), strict=True)
                if score > -np.inf
            }
            for query, places, scores, asked in zip(
                queries, self.places, self.scores, self.asked, strict=True
            )
            if asked
        }

    def unasked(self, queries: Sequence[str]) -> set[str]:
        """Return the ids of the queries that the system cannot be asked."""
        return {query for query, asked in zip(queries, self.asked, strict=True) if not asked}


def rank(
    systems: Sequence[System],
    lanes: Sequence[PoolLane],
    *,
    k: int,
    depth: int = 1000,
    mixture: MixtureParameters | None = None,
    work: Path | None = None,
    watch: Watch = lambda what, done, total: None,
) -> dict[str, Ranked]:
    """Return what each system finds, by its name: every candidate is scored by every lane.

    Memory holds a block of candidates, the K best for every query and system, and the `depth` best of each
    lane for `QUERIES` queries.

    Args:
        systems: lanes of theirs that are not given are not heard.
        lanes: of the same Q queries and N candidates.
        k: K, how deep the results go.
        depth: how many of each lane are candidates where lanes are fused, at least K. What is not among
            them for any lane is not found, however well it would do in all lanes together.
        mixture: of the method "gated"; without, that is "zsum".
        work: a folder of this pool, these queries and models: what was found for some queries stays
            there, and is not searched again.
        watch: called with what is done, and how many pairs of query and candidate were scored and will
            have been.

    Raises:
        InputError: k or depth below 1; lanes of one name; a system none of whose lanes is given.
        ShapeError: the lanes differ in queries or candidates.
    """
    _check(systems, lanes, k, depth)
    search = _Search(systems, {lane.name: lane for lane in lanes}, k, depth, mixture)
    parts = [search.part(start, work, watch) for start in range(0, search.queries, QUERIES)]
    return {
        system.name: Ranked(
            np.concatenate([np.zeros((0, search.k), np.int64), *(part[nth].places for part in parts)]),
            np.concatenate([np.zeros((0, search.k), np.float32), *(part[nth].scores for part in parts)]),
            search.asked(system),
        )
        for nth, system in enumerate(systems)
    }


class _Search:
    """A search by some systems, for `QUERIES` queries at a time."""

    def __init__(
        self,
        systems: Sequence[System],
        lanes: Mapping[str, PoolLane],
        k: int,
        depth: int,
        mixture: MixtureParameters | None,
    ) -> None:
        self._systems, self._lanes, self._mixture = systems, lanes, mixture
        self.queries, self._size = next((len(lane.asked), len(lane)) for lane in lanes.values())
        self.k, self._depth = min(k, self._size), max(k, depth)

    def asked(self, system: System) -> NDArray[np.bool_]:
        """Return (Q,) which queries ask any lane of the system."""
        heard = [lane.asked for name, lane in self._lanes.items() if name in system.lanes]
        asked: NDArray[np.bool_] = np.logical_or.reduce(heard)
        return asked

    def part(self, start: int, work: Path | None, watch: Watch) -> list[Top]:
        """Return what each system finds for the queries from `start` on, or found before."""
        queries = np.arange(start, min(start + QUERIES, self.queries))
        if work is None:
            return self._found(queries, watch)
        file = work / f"ranked-{self._digest()}-{start}.npz"
        if not file.exists():
            _save(self._found(queries, watch), file)
        return _load(file)

    def _found(self, queries: Rows, watch: Watch) -> list[Top]:
        tops = {name: self._top(name, queries, watch) for name in self._lanes if self._heard_by(name)}
        return fused(self._systems, self._lanes, tops, queries, k=self.k, parameters=self._mixture)

    def _top(self, name: str, queries: Rows, watch: Watch) -> Top:
        together = any(system.method is not None for system in self._heard_by(name))
        what = f"{name}, queries {queries[0] + 1:,} to {queries[-1] + 1:,} of {self.queries:,}"
        return top(
            self._lanes[name],
            queries,
            k=self._depth if together else self.k,
            moments=together,
            watch=lambda done, total: watch(what, done, total),
        )

    def _heard_by(self, name: str) -> list[System]:
        return [system for system in self._systems if name in system.lanes]

    def _digest(self) -> str:
        """Return what tells this search from others of the same pool, queries and models."""
        said = (
            self._systems,
            sorted(self._lanes),
            self.k,
            self._depth,
            self._mixture,
            self.queries,
            self._size,
        )
        return hashlib.blake2b(repr(said).encode(), digest_size=8).hexdigest()


def _check(systems: Sequence[System], lanes: Sequence[PoolLane], k: int, depth: int) -> None:
    if min(k, depth) < 1:
        raise InputError(f"expected k and depth of at least 1, got {k} and {depth}")
    names = [lane.name for lane in lanes]
    if not names or len(set(names)) < len(names):
        raise InputError(f"expected lanes of different names, got {', '.join(names) or 'none'}")
    for system in systems:
        heard = [name for name in system.lanes if name in names]
        if not heard or (system.method is None and len(heard) > 1):
            wanted = "a method to combine" if heard else f"one of the lanes {', '.join(names)} for"
            raise InputError(
                f"expected {wanted} {system.name!r}, which hears {', '.join(heard or system.lanes)}"
            )
    if len({(len(lane.asked), len(lane)) for lane in lanes}) > 1:
        sizes = ", ".join(f"{lane.name} {len(lane.asked)} x {len(lane)}" for lane in lanes)
        raise ShapeError(f"lanes of different queries x candidates: {sizes}")


def _save(found: Sequence[Top], file: Path) -> None:
    arrays: dict[str, Any] = {f"places{n}": one.places for n, one in enumerate(found)}
    arrays |= {f"scores{n}": one.scores for n, one in enumerate(found)}
    with whole(file) as part, part.open("wb") as stream:
        np.savez(stream, **arrays)


def _load(file: Path) -> list[Top]:
    with np.load(file) as stored:
        return [Top(stored[f"places{n}"], stored[f"scores{n}"]) for n in range(len(stored.files) // 2)]
