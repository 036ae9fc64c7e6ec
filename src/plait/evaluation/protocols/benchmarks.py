"""The papers' benchmarks as one asks for them: "m2kr:PATH", "ret-m2kr:PATH", "mbeir:PATH"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast, get_args

from plait.data.collections.m2kr import read_m2kr
from plait.data.collections.mbeir import read_mbeir
from plait.data.collections.pools import PoolTask
from plait.data.collections.ret_m2kr import read_ret_m2kr
from plait.errors import InputError
from plait.evaluation.protocols.published import PublishedTable, m2kr_table, mbeir_table

Instructions = Literal["first", "random"]
PoolName = Literal["local", "union"]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The tasks that were asked for, and what was published on them.

    Attributes:
        spec: as it was typed.
        tasks: in the order of the paper's table.
        tables: to fill.
        options: what was asked for of them that changes numbers.
        is_whole: whether every query of every task is asked, as the protocol has it.
    """

    spec: str
    tasks: tuple[PoolTask, ...]
    tables: tuple[PublishedTable, ...]
    options: Mapping[str, object]
    is_whole: bool = True


def open_benchmark(
    spec: str,
    *,
    tasks: Sequence[str] | None = None,
    pools: Sequence[PoolName] = ("local", "union"),
    instructions: Instructions = "first",
    seed: int = 0,
    limit: int | None = None,
    images: Path | None = None,
    strict: bool = False,
    watch: Callable[[Path], None] | None = None,
) -> Benchmark:
    """Return a benchmark as it lies on disk.

    Args:
        spec: its name and its folder, "mbeir:/data/M-BEIR".
        tasks: which; None: all whose files are there.
        pools: of M-BEIR, what is searched.
        instructions: of M-BEIR, which of the prompts for its kind goes before a query.
        seed: of those drawn at random.
        limit: only so many queries of each task, to try things; then it is not the protocol.
        images: the folder that pictures' paths start from; None: where the publishers put them.
        strict: anything that cannot be used is an error.
        watch: told of each file as its reading begins.

    Raises:
        InputError: an unknown benchmark or task, or files that are not in its format.
        MissingPathError: files are not there.
    """
    if limit is not None and limit < 1:
        raise InputError(f"--limit is {limit}: expected 1 or more queries a task")
    name, _, folder = spec.partition(":")
    if name == "mbeir":
        read = read_mbeir(
            Path(folder),
            tasks=tasks,
            pools=pools,
            instructions=instructions,
            seed=seed,
            images=images,
            strict=strict,
            watch=watch,
        )
        tables = tuple(mbeir_table(pool) for pool in pools)
        options: dict[str, object] = {"instructions": instructions}
        options |= {"instruction_seed": seed} if instructions == "random" else {}
    elif name in ("m2kr", "ret-m2kr"):
        reader = read_m2kr if name == "m2kr" else read_ret_m2kr
        read = reader(Path(folder), tasks=tasks, images=images, strict=strict, watch=watch)
        tables, options = (m2kr_table(with_pictures=name == "ret-m2kr"),), {}
    else:
        raise InputError(f"unknown benchmark {spec!r}: expected m2kr:PATH, ret-m2kr:PATH or mbeir:PATH")
    if limit is None:
        return Benchmark(spec, tuple(read), tables, options)
    cut = tuple(_first_queries(task, limit) for task in read)
    return Benchmark(spec, cut, tables, options | {"limit": limit}, is_whole=False)


def pools_named(names: Sequence[str]) -> tuple[PoolName, ...]:
    """Return the kinds of pools that names stand for, each once.

    Raises:
        InputError: one stands for none, or there is none.
    """
    unknown = [name for name in names if name not in get_args(PoolName)]
    if unknown or not names:
        raise InputError(f"pools are {', '.join(names) or 'none'}: expected local, union, or both")
    return tuple(cast(PoolName, name) for name in dict.fromkeys(names))


def _first_queries(task: PoolTask, count: int) -> PoolTask:
    queries = task.queries[:count]
    return replace(task, queries=queries, qrels={query.id: task.qrels[query.id] for query in queries})
