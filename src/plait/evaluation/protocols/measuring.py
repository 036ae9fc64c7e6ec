"""What was found for a task, measured as its paper does, and as every other evaluation."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from plait.data.collections.base import judged
from plait.data.collections.pools import Candidate, PoolTask
from plait.errors import InputError
from plait.evaluation.evaluate import Answers, summarise
from plait.evaluation.manifest import Manifest, manifest_of
from plait.evaluation.measures import Measure, PerQuery, per_query, ranking
from plait.evaluation.protocols.benchmarks import Benchmark
from plait.evaluation.protocols.encoding import digest
from plait.evaluation.protocols.pseudo_recall import depth_of, pseudo_recall
from plait.evaluation.protocols.searching import DEPTH, Found
from plait.evaluation.report import Report
from plait.evaluation.stored import Asked, Evaluation, Shown
from plait.schema import Run

_SHOWN = 3  # of each query, how many of the model's best candidates are kept for reports
_LONGEST = 400  # characters of a candidate's words that are kept

Values = Mapping[str, PerQuery]  # system -> measure -> query id -> value


@dataclass(frozen=True, slots=True)
class Plan:
    """How a benchmark is run.

    Attributes:
        model: under evaluation, as the user named it.
        k: hits a query that are kept; None: as many as the deepest measure looks at.
        baselines: whether they take part.
        approximate: whether the model alone searches as the published late-interaction figures were made.
        seed: of the intervals.
        command: as of `manifest_of`.
    """

    benchmark: Benchmark
    model: str
    k: int | None = None
    baselines: bool = True
    approximate: bool = False
    seed: int = 0
    command: tuple[str, ...] = ()

    def depth(self, task: PoolTask) -> int:
        """Return how many hits a query are kept.

        Raises:
            InputError: fewer than what the paper's table measures.
        """
        depths = [_depth(name) for name in task.measures]
        if self.k is None:
            return max(depths)
        if self.k < depths[0]:
            raise InputError(f"--k is {self.k}, but {task.name} is measured by {task.measures[0]}: give more")
        return self.k

    def measures(self, task: PoolTask) -> list[str]:
        """Return what the hits that are kept can be measured by."""
        return [name for name in task.measures if _depth(name) <= self.depth(task)]


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What all systems reached on one task in one pool.

    Attributes:
        name: of its folder.
        task, pool: whose, and which of its pools.
        values: system -> measure -> mean over all queries of the task; none of what it cannot be asked.
        manifest: what the numbers come from.
        facts: what else there is to know, as JSON values.
    """

    name: str
    task: str
    pool: str
    values: Mapping[str, Mapping[str, float]]
    manifest: Manifest
    facts: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, queries left out."""
        values = {name: dict(of_system) for name, of_system in self.values.items()}
        return {"task": self.task, "pool": self.pool, "folder": self.name, "values": values, **self.facts}

    def remarks(self) -> Iterator[str]:
        """Yield what a reader must know, a sentence each."""
        for what, unread in self.facts["unread"].items():
            if count := unread["without_picture"]:
                yield f"{self.name}: of {count:,} {what} the words were read, but not the picture"
            if count := unread["nothing"]:
                yield f"{self.name}: of {count:,} {what} nothing was read"
        if count := self.facts["problems"]:
            yield f"{self.name}: {count:,} problems in its files, which its report lists"


def name_of(task: PoolTask, which: str) -> str:
    """Return what the result of a task in one of its pools is called."""
    return f"{task.name}-{which}" if which else task.name


def measured(
    plan: Plan, task: PoolTask, which: str, found: Found, *, fingerprint: str, seconds: float
) -> tuple[TaskResult, Evaluation]:
    """Return what all systems reached; and the same by kind, with intervals, records and runs.

    The second is over the queries that something is relevant to.

    Args:
        which: of the task's pools.
        fingerprint: of the model.
        seconds: what it took, encoding included.
    """
    pool, best = task.pools[which], next(iter(found.runs.values()))
    shown: dict[str, Shown] = {}
    candidates = _noted(pool.read(), _wanted(task, best), shown)
    values = _values(task, found.runs, candidates, plan.measures(task))
    labels = judged(task)
    evaluation = Evaluation(
        collection=name_of(task, which),
        systems=_reports(plan, task, found, values),
        queries=[Asked(one.id, one.kind, one.side.text, one.side.image) for one in labels],
        qrels={one.id: task.qrels[one.id] for one in labels},
        manifest=manifest_of_task(plan, task, which, fingerprint=fingerprint, seconds=seconds),
        problems=[*task.problems, *pool.problems],
        documents=shown,
    )
    facts = {
        "queries": len(task.queries),
        "unjudged": len(task.queries) - len(labels),
        "candidates": pool.size,
        "unread": {"queries": asdict(found.queries), "candidates": asdict(found.candidates)},
        "problems": task.problems.total + pool.problems.total,
        "wrong_modality_at_1": _wrong_modality(task, best, shown),
        "seconds": round(seconds, 3),
    }
    means = _means(task, found, values)
    return TaskResult(evaluation.collection, task.name, which, means, evaluation.manifest, facts), evaluation


def manifest_of_task(plan: Plan, task: PoolTask, which: str, *, fingerprint: str, seconds: float) -> Manifest:
    """Return what a task's numbers come from.

    Args:
        fingerprint: of the model.
    """
    asked = ((one.id, one.side.text, one.side.image, one.bare, one.answers) for one in task.queries)
    judgements = ((query, sorted(grades.items())) for query, grades in task.qrels.items())
    return manifest_of(
        plan.benchmark.spec,
        digest([task.pools[which].fingerprint, *asked, *judgements]),
        model=plan.model,
        model_fingerprint=fingerprint,
        options={
            "task": task.name,
            "pool": which,
            "k": plan.depth(task),
            "measures": plan.measures(task),
            "fusion_depth": DEPTH,
            "baselines": plan.baselines,
            "approximate": plan.approximate,
            **plan.benchmark.options,
        },
        seed=plan.seed,
        seconds=seconds,
        command=plan.command,
    )


def _values(
    task: PoolTask, runs: Mapping[str, Run], candidates: Iterator[Candidate], measures: Sequence[str]
) -> Values:
    """Return the values of every query, those that nothing is relevant to among them."""
    pseudo = pseudo_recall(runs, task.queries, candidates, measures)
    deque(candidates, maxlen=0)  # those that pseudo-recall had no need of are noted too
    usual = [name for name in measures if depth_of(name) is None]
    values = {system: per_query(run, task.qrels, usual) | pseudo[system] for system, run in runs.items()}
    return {system: {name: of_system[name] for name in measures} for system, of_system in values.items()}


def _means(task: PoolTask, found: Found, values: Values) -> dict[str, dict[str, float]]:
    """Return the published means: over all queries, those that nothing is relevant to counting 0."""
    return {
        system: {
            name: sum(of_query.values()) / len(of_query)
            for name, of_query in of_system.items()
            if len(found.unasked[system]) < len(task.queries)
        }
        for system, of_system in values.items()
    }


def _reports(plan: Plan, task: PoolTask, found: Found, values: Values) -> dict[str, Report]:
    labels = [query.id for query in judged(task)]
    return {
        system: summarise(
            {name: {one: of_query[one] for one in labels} for name, of_query in of_system.items()},
            Answers(run=dict(found.runs[system]), unasked=found.unasked[system]),
            task,
            seed=plan.seed,
        )
        for system, of_system in values.items()
    }


def _wanted(task: PoolTask, best: Run) -> set[str]:
    """Return the ids of what is relevant, and of what the model found first."""
    first = (ranking(scores, query=query)[:_SHOWN] for query, scores in best.items())
    relevant = (grades for grades in task.qrels.values())
    return {name for names in (*first, *relevant) for name in names}


def _noted(candidates: Iterable[Candidate], wanted: set[str], shown: dict[str, Shown]) -> Iterator[Candidate]:
    """Yield candidates, and keep what a person sees of those that are wanted."""
    for candidate in candidates:
        if candidate.id in wanted:
            side = candidate.side
            shown[candidate.id] = Shown(candidate.id, text=side.text[:_LONGEST], image=side.image)
        yield candidate


def _wrong_modality(task: PoolTask, best: Run, shown: Mapping[str, Shown]) -> float | None:
    """Return the share of queries whose first hit is of a modality that nothing relevant to them is of.

    Of those that found anything, and to which something in the pool is relevant; None if there are none.
    """
    wrong = []
    for query, scores in best.items():
        relevant = {_modality(shown[name]) for name in task.qrels[query] if name in shown}
        if scores and relevant:
            wrong.append(_modality(shown[ranking(scores)[0]]) not in relevant)
    return sum(wrong) / len(wrong) if wrong else None


def _modality(one: Shown) -> tuple[bool, bool]:
    return bool(one.text.strip()), bool(one.image)


def _depth(measure: str) -> int:
    """Return the K of a measure of a protocol, which all have one."""
    return depth_of(measure) or Measure.parse(measure).k or 1
