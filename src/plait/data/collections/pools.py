"""What the papers' benchmarks are made of: pools of candidates, and tasks that are asked over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from plait.data.collections.problems import Problems
from plait.data.training.examples import Side
from plait.schema import Qrels

_KEPT_PROBLEMS = 1000


def bounded_problems(*, strict: bool = False) -> Problems:
    """Return what takes in problems of files of any size: a thousand are kept, and all are counted."""
    return Problems(strict=strict, most=_KEPT_PROBLEMS)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that can be found: words, a picture, or both.

    Attributes:
        side: empty of a candidate that has nothing to read; it is there, and is never found.
    """

    id: str
    side: Side


@dataclass(frozen=True, slots=True)
class PoolQuery:
    """One query of a task.

    Attributes:
        side: what is asked, its instruction in front of its words as the benchmark prescribes.
        kind: "text", "image" or "text+image", what is asked with beside the instruction.
        answers: short answers, for pseudo-recall; () where the benchmark gives none. A blank one is found
            in every passage, as in the official scripts.
        bare: its words without the instruction, for baselines that match words.
    """

    id: str
    side: Side
    kind: str
    answers: tuple[str, ...] = ()
    bare: str = ""


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates to search, never all in memory.

    Attributes:
        name: "evqa", "mscoco_task0", "union": of its files, for folders and reports.
        size: how many candidates there are.
        fingerprint: changes whenever the candidates would.
        read: yields them in the files' order, from the first one each time it is called; ids are distinct.
        problems: what was left out of it, and which pictures are missing.
    """

    name: str
    size: int
    fingerprint: str
    read: Callable[[], Iterator[Candidate]]
    problems: Problems = field(default_factory=Problems)


@dataclass(frozen=True, slots=True)
class PoolTask:
    """Queries over one pool or several, which each are searched apart.

    Attributes:
        name: as the benchmark calls it: "evqa", "mscoco_task0".
        queries: ids are distinct; those without a relevant candidate are asked too.
        qrels: query id -> candidate id -> grade above 0, {} for queries without any: they count as 0, as
            in the official scripts.
        pools: which pool ("local", "union"; of M2KR only "") -> the pool.
        measures: to report, as `evaluation.measures` and `evaluation.protocols` name them, the one that the
            paper's table prints first: "success@5", "pseudo-recall@5".
        problems: what was left out of queries and judgements, and why.
    """

    name: str
    queries: Sequence[PoolQuery]
    qrels: Qrels
    pools: Mapping[str, Pool]
    measures: tuple[str, ...]
    problems: Problems = field(default_factory=Problems)
