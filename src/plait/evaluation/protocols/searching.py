"""One pool made ready for the tasks over it, and searched for each by all systems."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path

import numpy as np

from plait.data.collections.pools import Pool, PoolTask
from plait.encode.side_vectors import Vectors
from plait.errors import InputError
from plait.evaluation.pool.bm25_lane import Bm25Lane
from plait.evaluation.pool.ids import Ids
from plait.evaluation.pool.lanes import PoolLane, Rows
from plait.evaluation.pool.plaid import Plaid
from plait.evaluation.pool.ranking import Ranked, rank
from plait.evaluation.pool.vector_lane import VectorLane
from plait.evaluation.protocols.encoding import Unread, VectorStore, Watch, digest, slug, unread
from plait.evaluation.protocols.entrants import Entrant
from plait.evaluation.protocols.sharing import Places, SomeQueries
from plait.evaluation.protocols.side_encoders import MODEL
from plait.evaluation.systems import BM25, System
from plait.schema import Run

_FORMAT = 1  # goes up with what the same vectors and systems find
DEPTH = 1000  # of each lane, how many are candidates for fusion
OFFICIAL_DEPTH = 500  # found in the official approximate runs, whose width follows it


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for one task in one pool.

    Attributes:
        runs: system -> run, the model first.
        unasked: system -> ids of queries that it cannot be asked.
        queries, candidates: how many the model could not read whole.
    """

    runs: Mapping[str, Run]
    unasked: Mapping[str, set[str]]
    queries: Unread
    candidates: Unread


@dataclass(frozen=True, slots=True)
class Member:
    """An entrant with its vectors."""

    entrant: Entrant
    store: VectorStore


class PoolSearch:
    """A pool for some tasks, which are searched one after another.

    Args:
        pool: what is searched.
        tasks: that are asked over it.
        members: the model, and the baselines if they take part.
        shared: a larger pool, and where this pool's candidates may stand in it.
        work: folder for what was found so far.
        watch: told how far the work is.
    """

    def __init__(
        self,
        pool: Pool,
        tasks: Sequence[PoolTask],
        members: Sequence[Member],
        *,
        shared: tuple[Pool, Places] | None,
        work: Path,
        watch: Watch,
    ) -> None:
        self._pool, self._members, self._work, self._watch = pool, members, work, watch
        places = None if shared is None or shared[0] is pool else shared[1].of(pool)
        source = pool if shared is None or places is None else shared[0]
        self._rows: Rows | None = places
        self._vectors = [member.store.pool(source) for member in members]
        if not any(_is_in(vectors, places) for vectors in self._vectors[0].values()):
            raise InputError(
                f"{members[0].entrant.name} can read no candidate of {pool.name}: use another model"
            )
        self._ids = Ids(candidate.id for candidate in pool.read())
        begins = accumulate((len(task.queries) for task in tasks), initial=0)
        self._first = {task.name: first for task, first in zip(tasks, begins, strict=False)}
        wanted = any(BM25 in system.lanes for member in members for system in member.entrant.systems)
        self._bm25 = self._words_of(tasks) if wanted else None

    def found(self, task: PoolTask, *, k: int, approximate: bool) -> Found:
        """Return what all systems find for a task.

        Args:
            k: hits a query.
            approximate: whether the model alone searches as the published figures were made.
        """
        names = [query.id for query in task.queries]
        queries = [member.store.queries(task.name, task.queries) for member in self._members]
        lanes = [self._lanes(place, vectors) for place, vectors in enumerate(queries)]
        bm25 = self._of_task(task)
        ranked: dict[str, Ranked] = {}
        if approximate:
            name = self._members[0].entrant.systems[0].name
            ranked[name] = self._approximate(lanes[0][0], queries[0][MODEL], k)
        for member, of_member in zip(self._members, lanes, strict=True):
            systems = [system for system in member.entrant.systems if system.name not in ranked]
            ranked |= self._ranked(task, member, systems, [*of_member, *bm25], k)
        return Found(
            {name: one.run(names, self._ids) for name, one in ranked.items()},
            {name: one.unasked(names) for name, one in ranked.items()},
            _unread(queries[0]),
            _unread(self._vectors[0], self._rows),
        )

    def _ranked(
        self, task: PoolTask, member: Member, systems: Sequence[System], lanes: Sequence[PoolLane], k: int
    ) -> dict[str, Ranked]:
        """Return what some systems find, those left out that hear none of the lanes."""
        entrant, there = member.entrant, {lane.name for lane in lanes}
        able = [system for system in systems if there & set(system.lanes)]
        heard = {name for system in able for name in system.lanes}
        if not able:
            return {}
        what = f"{task.name}: {self._pool.name} by {entrant.name}"
        return rank(
            able,
            [lane for lane in lanes if lane.name in heard],
            k=k,
            depth=DEPTH,
            mixture=entrant.mixture,
            work=self._folder(task, member, k),
            watch=lambda step, done, total: self._watch(f"{what}, {step}", done, total),
        )

    def _lanes(self, place: int, queries: Mapping[str, Vectors]) -> list[PoolLane]:
        """Return the lanes of a member that some candidate has: no one looks for pictures among texts."""
        device = self._members[place].entrant.device
        return [
            VectorLane(name, queries[name], [vectors], rows=self._rows, device=device)
            for name, vectors in self._vectors[place].items()
            if _is_in(vectors, self._rows)
        ]

    def _approximate(self, lane: PoolLane, queries: Vectors, k: int) -> Ranked:
        every = np.arange(len(queries))
        plaid = self._plaid()
        top = plaid.top(
            lane, lambda query: queries.of(query).astype(np.float32), every, k=max(k, OFFICIAL_DEPTH)
        )
        return Ranked(top.places[:, :k], top.scores[:, :k], lane.asked)

    def _plaid(self) -> Plaid:
        return Plaid(
            [self._vectors[0][MODEL]],
            device=self._members[0].entrant.device,
            watch=partial(self._watch, f"{self._pool.name}: clusters"),
        )

    def _words_of(self, tasks: Sequence[PoolTask]) -> PoolLane | None:
        """Return BM25 over the pool for the queries of all tasks; None where no candidate has words."""
        any_words = False

        def texts() -> Iterator[str]:
            nonlocal any_words
            for text in _texts(self._pool, partial(self._watch, f"{self._pool.name}: counting words")):
                any_words = any_words or bool(text.strip())
                yield text

        lane = Bm25Lane(texts(), [query.bare for task in tasks for query in task.queries])
        return lane if any_words else None

    def _of_task(self, task: PoolTask) -> list[PoolLane]:
        if self._bm25 is None:
            return []
        return [SomeQueries(self._bm25, self._first[task.name], len(task.queries))]

    def _folder(self, task: PoolTask, member: Member, k: int) -> Path:
        """Return a folder that is of this search alone, whatever is asked later."""
        entrant = member.entrant
        asked = [(query.side.text, query.side.image, query.bare) for query in task.queries]
        mixture = None if entrant.mixture is None else entrant.mixture.to_dict()
        made_of = (
            _FORMAT,
            member.store.fingerprint,
            self._pool.fingerprint,
            entrant.systems,
            mixture,
            k,
            DEPTH,
        )
        folder = (
            self._work
            / "searches"
            / f"{slug(task.name)}-{slug(self._pool.name)}-{digest([made_of, *asked])[:16]}"
        )
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _texts(pool: Pool, watch: Callable[[int, int], None]) -> Iterator[str]:
    """Yield the words of each candidate."""
    for done, candidate in enumerate(pool.read()):
        if not done % 1024:
            watch(done, pool.size)
        yield candidate.side.text
    watch(pool.size, pool.size)


def _is_in(vectors: Vectors, rows: Rows | None) -> bool:
    """Return whether any side, or any of some rows, has a vector."""
    counts = np.diff(vectors.starts)
    return bool((counts if rows is None else counts[rows]).any())


def _unread(lanes: Mapping[str, Vectors], rows: Rows | None = None) -> Unread:
    return unread(next(iter(lanes.values())), rows)
