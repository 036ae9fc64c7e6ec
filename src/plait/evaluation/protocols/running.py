"""A benchmark from its files to the paper's table: encode, search, measure."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plait.data.collections.pools import Pool, PoolTask
from plait.errors import InputError
from plait.evaluation.protocols.benchmarks import Benchmark
from plait.evaluation.protocols.encoding import VectorStore, Watch
from plait.evaluation.protocols.entrants import Entrant
from plait.evaluation.protocols.measuring import Plan, TaskResult, measured, name_of
from plait.evaluation.protocols.searching import Member, PoolSearch
from plait.evaluation.protocols.sharing import Places
from plait.evaluation.protocols.tables import FilledTable, OurRow
from plait.evaluation.stored import Evaluation

_Group = tuple[Pool, list[tuple[PoolTask, str]]]  # a pool, the tasks over it, and which of theirs it is


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """A benchmark's tables, filled, and the tasks behind them."""

    plan: Plan
    tables: tuple[FilledTable, ...]
    tasks: tuple[TaskResult, ...]

    def to_markdown(self) -> str:
        """Return a page with the tables."""
        spec = self.plan.benchmark.spec
        return "\n\n".join([f"# {spec}", *(one.to_markdown() for one in self.tables)]) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: the tables, and the tasks with every measure."""
        benchmark = self.plan.benchmark
        return {
            "benchmark": benchmark.spec,
            "is_protocol": benchmark.is_whole,
            "model": self.plan.model,
            "approximate": self.plan.approximate,
            "options": dict(benchmark.options),
            "tables": [table.to_dict() for table in self.tables],
            "tasks": [one.to_dict() for one in self.tasks],
        }


def run_benchmark(
    plan: Plan,
    entrants: Sequence[Entrant],
    *,
    work: Path,
    save: Callable[[Evaluation], object] = lambda evaluation: None,
    watch: Watch = lambda what, done, total: None,
    say: Callable[[str], None] = lambda message: None,
) -> BenchmarkResult:
    """Return what a model, and the baselines, reach on a benchmark.

    Vectors and what was found are kept in a work folder: the same call goes on from there after an
    interruption, and gives what it would have given without.

    Args:
        entrants: the model under evaluation, then the baselines if they take part.
        work: made if it is not there; may be shared by benchmarks and models.
        save: called with the records and runs of each task in each pool as soon as they are there; they
            are not kept here.
        watch: called as the work goes on.
        say: called with remarks.

    Raises:
        InputError: nothing to run, files that changed meanwhile, or a k below what is measured.
        ModelError: a model fails.
    """
    members = [
        Member(one, VectorStore(work, one.name, one.encoder, watch=watch, say=say)) for one in entrants
    ]
    groups = _by_pool(plan.benchmark)
    # Clusters of approximate search are of a whole store.
    shared = None if plan.approximate else _shared(groups)
    results: list[TaskResult] = []
    for pool, asked in groups:
        began = time.monotonic()
        search = PoolSearch(pool, [task for task, _ in asked], members, shared=shared, work=work, watch=watch)
        for task, which in asked:
            found = search.found(task, k=plan.depth(task), approximate=plan.approximate)
            result, evaluation = measured(
                plan,
                task,
                which,
                found,
                fingerprint=members[0].store.fingerprint,
                seconds=time.monotonic() - began,
            )
            for remark in result.remarks():
                say(remark)
            save(evaluation)
            results.append(result)
            began = time.monotonic()
    return BenchmarkResult(plan, _tables(plan, results), tuple(results))


def result_names(benchmark: Benchmark) -> list[str]:
    """Return what the tasks' results will be called.

    Raises:
        InputError: there is nothing to run.
    """
    return [name_of(task, which) for _, asked in _by_pool(benchmark) for task, which in asked]


def _by_pool(benchmark: Benchmark) -> list[_Group]:
    """Return each pool with the tasks over it; the union of all pools comes last."""
    groups: dict[str, _Group] = {}
    for task in benchmark.tasks:
        for which, pool in task.pools.items():
            groups.setdefault(f"{pool.name} {pool.fingerprint}", (pool, []))[1].append((task, which))
    if not groups:
        raise InputError(f"{benchmark.spec}: no task with a pool to search was found")
    return sorted(groups.values(), key=_is_union)


def _is_union(group: _Group) -> bool:
    return any(which == "union" for _, which in group[1])


def _shared(groups: Sequence[_Group]) -> tuple[Pool, Places] | None:
    """Return the union and where its candidates stand, if others that may be parts of it are searched too."""
    pool = groups[-1][0]
    return (pool, Places(pool)) if _is_union(groups[-1]) and len(groups) > 1 else None


def _tables(plan: Plan, results: Sequence[TaskResult]) -> tuple[FilledTable, ...]:
    systems = dict.fromkeys(name for one in results for name in one.values)
    ours = [
        OurRow(
            system,
            {
                (one.task, one.pool, measure): value
                for one in results
                for measure, value in one.values.get(system, {}).items()
            },
        )
        for system in systems
    ]
    remarks = (*_remarks(plan), *(remark for one in results for remark in one.remarks()))
    return tuple(FilledTable(table, ours, remarks) for table in plan.benchmark.tables)


def _remarks(plan: Plan) -> list[str]:
    limit = plan.benchmark.options.get("limit")
    return [
        *([f"NOT THE PROTOCOL: only the first {limit} queries of each task were asked."] if limit else []),
        "Ours: approximate search (PLAID) with the model alone, all other systems exact."
        if plan.approximate
        else "Ours: exact search.",
    ]
