"""plait eval m2kr:PATH, ret-m2kr:PATH and mbeir:PATH."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from plait.cli.console import JsonOption, fail, print_json, progress_bar, warn
from plait.cli.eval_options import (
    BaselinesOption,
    ForceOption,
    ModelOption,
    OutOption,
    SeedOption,
    StrictOption,
)
from plait.errors import PlaitError

if TYPE_CHECKING:
    from plait.evaluation.protocols.benchmarks import Benchmark
    from plait.evaluation.protocols.running import BenchmarkResult
    from plait.library.reports import ProgressCallback

_SECONDS_BETWEEN_LINES = 60

TasksOption = Annotated[
    str | None,
    typer.Option("--tasks", help="With commas between.", show_default="all whose files are there"),
]
ImagesOption = Annotated[
    Path | None,
    typer.Option(
        "--images", help="Folder that pictures' paths start from.", show_default="where they are published"
    ),
]
KOption = Annotated[
    int | None,
    typer.Option("--k", "-k", min=1, help="Hits a query in run files.", show_default="what is measured"),
]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="Only so many queries a task, to try: not the protocol then."),
]
DeviceOption = Annotated[
    Literal["auto", "cpu", "cuda"], typer.Option("--device", help="Where the model computes.")
]
BatchOption = Annotated[int, typer.Option("--batch-size", min=1, help="Inputs encoded at a time.")]
WorkOption = Annotated[
    Path | None,
    typer.Option(
        "--work",
        help="Folder for vectors, with which an interrupted run goes on, and others begin.",
        show_default="OUT.work",
    ),
]


def m2kr(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="m2kr:PATH",
            help="m2kr:PATH, texts to be found, or ret-m2kr:PATH, texts with pictures; as published.",
            show_default=False,
        ),
    ],
    model: ModelOption = None,
    tasks: TasksOption = None,
    approximate: Annotated[
        bool,
        typer.Option(
            "--approximate",
            help="Search as the published figures were made: PLAID, 500 hits. Default: exact.",
        ),
    ] = False,
    images: ImagesOption = None,
    k: KOption = None,
    limit: LimitOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    batch_size: BatchOption = 32,
    baselines: BaselinesOption = True,
    strict: StrictOption = False,
    out: OutOption = None,
    force: ForceOption = False,
    work: WorkOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fill the papers' table of M2KR, or of ReT-M2KR: R@K and Pseudo-Recall@K beside published figures."""
    from plait.evaluation.protocols.benchmarks import open_benchmark

    def read(watch: Callable[[Path], None]) -> Benchmark:
        return open_benchmark(
            spec, tasks=_named(tasks), limit=limit, images=images, strict=strict, watch=watch
        )

    _run(
        read,
        model=model,
        k=k,
        baselines=baselines,
        approximate=approximate,
        seed=seed,
        device=device,
        batch_size=batch_size,
        out=out,
        force=force,
        work=work,
        as_json=as_json,
    )


def mbeir(
    spec: Annotated[
        str,
        typer.Argument(metavar="mbeir:PATH", help="The folder as published.", show_default=False),
    ],
    model: ModelOption = None,
    tasks: TasksOption = None,
    pools: Annotated[
        str, typer.Option("--pools", help="What is searched, with commas between: local, union.")
    ] = "local,union",
    instructions: Annotated[
        Literal["first", "random"],
        typer.Option("--instructions", help="Which of its kind's prompts goes before a query."),
    ] = "first",
    images: ImagesOption = None,
    k: KOption = None,
    limit: LimitOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    batch_size: BatchOption = 32,
    baselines: BaselinesOption = True,
    strict: StrictOption = False,
    out: OutOption = None,
    force: ForceOption = False,
    work: WorkOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fill the table of M-BEIR: Recall@5 and @10 on 16 tasks, in their own pools and in all together."""
    from plait.evaluation.protocols.benchmarks import open_benchmark, pools_named

    def read(watch: Callable[[Path], None]) -> Benchmark:
        return open_benchmark(
            spec,
            tasks=_named(tasks),
            pools=pools_named(_named(pools) or ()),
            instructions=instructions,
            seed=seed,
            limit=limit,
            images=images,
            strict=strict,
            watch=watch,
        )

    _run(
        read,
        model=model,
        k=k,
        baselines=baselines,
        approximate=False,
        seed=seed,
        device=device,
        batch_size=batch_size,
        out=out,
        force=force,
        work=work,
        as_json=as_json,
    )


def _run(
    read: Callable[[Callable[[Path], None]], Benchmark],
    *,
    model: str | None,
    k: int | None,
    baselines: bool,
    approximate: bool,
    seed: int,
    device: str,
    batch_size: int,
    out: Path | None,
    force: bool,
    work: Path | None,
    as_json: bool,
) -> None:
    """Run a benchmark and print its table; exit code 1 if something in its files could not be used."""
    from plait.evaluation.manifest import typed_command
    from plait.evaluation.protocols.entrants import entrants_of
    from plait.evaluation.protocols.keeping import Results
    from plait.evaluation.protocols.measuring import Plan
    from plait.evaluation.protocols.running import run_benchmark
    from plait.settings import load_settings

    name = model or load_settings().model
    with _explained(work, out), redirect_stdout(sys.stderr), _stages() as watch, _folder(work, out) as place:
        benchmark = read(lambda file: watch(f"reading {file}", 0, 0))
        entrants = entrants_of(
            name, device=device, batch_size=batch_size, baselines=baselines, approximate=approximate
        )
        plan = Plan(
            benchmark,
            name,
            k=k,
            baselines=baselines,
            approximate=approximate,
            seed=seed,
            command=typed_command(),
        )
        fingerprint = entrants[0].encoder.fingerprint
        results = None if out is None else Results(out, plan, fingerprint=fingerprint, force=force)
        result = run_benchmark(
            plan,
            entrants,
            work=place,
            save=lambda one: None if results is None else results.save(one),
            watch=watch,
            say=warn,
        )
        if results is not None:
            results.finish(result, fingerprint=fingerprint)
    _print(result, out, as_json=as_json)


def _print(result: BenchmarkResult, out: Path | None, *, as_json: bool) -> None:
    print_json(result.to_dict()) if as_json else print(result.to_markdown(), end="")
    if out is not None:
        warn(f"stored in {out}, a folder for each task; next:  plait eval compare OTHER/TASK {out}/TASK")
    if any(one.facts["problems"] for one in result.tasks):
        sys.exit(1)


@contextmanager
def _explained(work: Path | None, out: Path | None) -> Iterator[None]:
    """Say how an interrupted run goes on, and of what the file system refuses what can be done about it.

    Raises:
        PlaitError: instead of an OSError.
    """
    try:
        yield
    except KeyboardInterrupt:
        command = shlex.join(["plait", *sys.argv[1:]])
        kept = work is not None or out is not None
        fail(f"interrupted; {f'{command}  goes on' if kept else 'nothing is kept without --out'}", 130)
    except PlaitError:
        raise
    except OSError as error:
        raise PlaitError(
            f"{error.filename or work or out} could not be read or written ({error.strerror or error}): see "
            "that the disk has room, and that files may be read and written; the same command then goes on"
        ) from error


@contextmanager
def _stages() -> Iterator[Callable[[str, int, int], None]]:
    """Give a callback that draws a bar for each stage of the work, or where none can be, a line at times."""
    from plait.library.reports import Progress

    stage, began, told, before = "", 0.0, 0.0, 0
    show: ProgressCallback = lambda event: None  # noqa: E731
    with ExitStack() as bars:

        def watch(what: str, done: int, total: int) -> None:
            nonlocal stage, began, told, before, show
            now = time.monotonic()
            if what != stage:
                bars.close()
                stage, began, told, before = what, now, now, done
                show = bars.enter_context(progress_bar("evaluating"))
            show(Progress(done, total, what))
            if not sys.stderr.isatty() and now - told > _SECONDS_BETWEEN_LINES and done > before:
                told = now
                warn(_line(what, done, total, (done - before) / (now - began)))

        yield watch


def _line(what: str, done: int, total: int, a_second: float) -> str:
    """Return how far a stage is, in words."""
    minutes = (total - done) / a_second / 60
    return f"{what}: {done:,} of {total:,}, {a_second:,.1f}/s, about {minutes:.0f} minutes left"


@contextmanager
def _folder(work: Path | None, out: Path | None) -> Iterator[Path]:
    """Give the folder for vectors: beside the results if they are kept, else for now only."""
    if work is None and out is None:
        with TemporaryDirectory(prefix="plait-eval-") as folder:
            yield Path(folder)
    elif work is not None:
        yield work
    elif out is not None:
        yield out.with_name(f"{out.name}.work")


def _named(text: str | None) -> Sequence[str] | None:
    """Return the names between commas, None if there are none."""
    return [name.strip() for name in (text or "").split(",") if name.strip()] or None
