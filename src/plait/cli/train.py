"""plait train."""

from __future__ import annotations

import gc
import json
import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.console import JsonOption, fail, open_library, print_json, warn

if TYPE_CHECKING:
    from plait.schema import Unit
    from plait.train.callbacks import Progress
    from plait.train.checking import CheckReport
    from plait.train.config import TrainConfig
    from plait.train.report import TrainReport

_SECTIONS_TOLD = 1000
_NOT_REPEATED = ("--fresh", "--resume")  # on the way to going on from the last checkpoint


def train(
    config: Annotated[
        Path | None,
        typer.Argument(help="YAML file of settings; recipes/ holds some.", show_default=False),
    ] = None,
    from_library: Annotated[
        Path | None,
        typer.Option("--from-library", help="Instead: adapt the default model to this library, label-free."),
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            "--rows", help="With --from-library: write training rows of its documents there instead."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", min=0, help="With --from-library: of all that is drawn at random.", show_default="0"
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder to write into, instead of output.folder.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting to change, such as trainer.seed=1; may be given again."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", help="Checkpoint to go on from; default: the latest whole one, if any."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew; what is in the folder is set aside within it.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Read settings and data, try a batch, and train nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a model by the settings of a file; the same command goes on where it was interrupted.

    On several GPUs: torchrun --nproc-per-node 4 -m plait train CONFIG.
    """
    from plait.errors import InputError

    if (config is None) == (from_library is None):
        raise InputError("give a file of settings, or --from-library FOLDER")
    if fresh and resume is not None:
        raise InputError("--fresh begins anew and --resume goes on: give one of them")
    if from_library is not None and rows is not None:
        _write_rows(from_library, rows, output, seed=seed or 0, as_json=as_json)
        return
    if from_library is not None:
        _adapt(from_library, output, seed=seed or 0, as_json=as_json)
        return
    if rows is not None or seed is not None:
        raise InputError("--rows and --seed go with --from-library FOLDER; of a file, --set trainer.seed=1")
    assert config is not None, "one of both was given"
    settings = _settings(config, output, changes or [])
    if check:
        _check(settings, as_json=as_json)
    else:
        _train(settings, resume, fresh=fresh, as_json=as_json)


def _settings(config: Path, output: Path | None, changes: list[str]) -> TrainConfig:
    from plait.extras import require
    from plait.train.config import TrainConfig
    from plait.train.settings_file import read_settings

    # In quotes, for a path may look like something else of YAML's.
    given = [f"output.folder={json.dumps(str(output.absolute()))}"] if output is not None else []
    settings = read_settings(TrainConfig, config, changes=[*changes, *given])
    for package in (*settings.trainer.report_to, "datasets", "accelerate", "sentence_transformers"):
        require(package)
    return settings


def _write_rows(folder: Path, rows: Path, output: Path | None, *, seed: int, as_json: bool) -> None:
    """Write training rows that a library's documents give of themselves."""
    from plait.errors import InputError
    from plait.train.self_supervised.writing import write_rows

    if output is not None:
        raise InputError("--rows writes rows and --output a model: give one of them")
    with open_library(folder) as library:
        report = write_rows(_told(library.units()), rows, seed=seed)
    print_json(report.to_dict()) if as_json else print(report)
    warn(f"next: plait train {shlex.quote(str(rows / report.settings.name))}")


def _told(units: Iterable[Unit]) -> Iterator[Unit]:
    """Yield the units, and say now and then how many there were."""
    for number, unit in enumerate(units, 1):
        yield unit
        if number % _SECTIONS_TOLD == 0:
            warn(f"{number:,} sections read")


def _adapt(folder: Path, output: Path | None, *, seed: int, as_json: bool) -> None:
    """Adapt the model of a library to its documents; exit code 1 where they gained nothing by it."""
    from plait.errors import InputError
    from plait.train.adapting.adapt import adapt

    if output is None:
        raise InputError(
            "--from-library writes a model: say where, by --output FOLDER, or rows, by --rows FOLDER"
        )
    with open_library(folder) as library:
        base = library.status().model
        report = adapt(list(library.units()), base=base, out=output, seed=seed, progress=warn)
    print_json(report.to_dict()) if as_json else print(report)
    if not report.accepted:
        sys.exit(1)
    warn(f"next: PLAIT_MODEL={output} plait add FILES --library NEW_FOLDER")


def _check(settings: TrainConfig, *, as_json: bool) -> None:
    from plait.train.checking import check

    found = check(settings)
    print_json(found.to_dict()) if as_json else print(_checked(found))


def _train(settings: TrainConfig, resume: Path | None, *, fresh: bool, as_json: bool) -> None:
    from plait.train.preparing import is_first_process
    from plait.train.trainer import train

    command = _going_on()
    try:
        with redirect_stdout(sys.stderr):  # what packages print is no result
            report = train(
                settings,
                resume=resume or ("never" if fresh else "auto"),
                progress=lambda progress: warn(_progress(progress, settings.evaluation.metric)),
                say=warn,
                resume_command=f"run  {command}",
            )
    except KeyboardInterrupt:
        fail(f"interrupted at once; checkpoints that were written are whole: {command}  goes on", 130)
    _leave_processes()
    interrupted = report.ended == "interrupted"
    if not is_first_process():
        sys.exit(130 if interrupted else 0)
    print_json(report.to_dict()) if as_json else print(_shown(report))
    if interrupted:
        fail(f"interrupted after step {report.step:,}, which is stored: {command}  goes on from there", 130)


def _going_on() -> str:
    """Return the command that goes on from the last checkpoint."""
    words, skip = [], False
    for word in sys.argv[1:]:
        name = word.partition("=")[0]
        if not skip and name not in _NOT_REPEATED:
            words.append(word)
        skip = word == "--resume"
    several = os.environ.get("WORLD_SIZE", "1") != "1"
    return f"{'torchrun ... -m ' if several else ''}{shlex.join(['plait', *words])}"


def _leave_processes() -> None:
    """Leave the group of processes that torchrun started, if it did.

    What wrapped the model goes first: where it outlives the group, it ends the group's threads while it
    holds Python's lock, and waits for ever when one of them needs that lock (seen with torch 2.13 and gloo).
    """
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        gc.collect()
        distributed.destroy_process_group()


def _progress(progress: Progress, metric: str) -> str:
    where = f"step {progress.step:,}/{progress.steps:,}"
    if progress.loss is None:
        measure = metric.rpartition("_")[2]
        others = {
            name.removeprefix("validation_").removesuffix(f"_{measure}"): value
            for name, value in progress.metrics.items()
            if name.endswith(f"_{measure}") and name != metric
        }
        shown = f"{where}  {metric} {progress.metrics[metric]:.4f}"
        return shown + "".join(f"  {name} {value:.4f}" for name, value in others.items())
    left = _duration(progress.seconds_left)
    return f"{where}  loss {progress.loss:.4f}  {progress.rows_per_second:,.1f} rows/s  {left} left"


def _shown(report: TrainReport) -> str:
    words = {"finished": "as far as asked", "early": "without a gain for long", "interrupted": "interrupted"}
    lines = [
        f"model      {report.model or 'not written yet'}",
        f"steps      {report.step:,} of {report.schedule_steps:,} scheduled, {words[report.ended]}",
        f"speed      {report.rows_per_second:,.1f} rows/s, {_duration(report.seconds)}",
        f"memory     {report.peak_memory_mb:,.0f} MB"
        + (f", GPU {report.peak_gpu_memory_mb:,.0f} MB" if report.peak_gpu_memory_mb else ""),
    ]
    if report.best is not None and report.metric is not None:
        first = report.evaluations[0]
        before = f"{first.metrics[report.metric]:.4f} -> " if first.step == 0 else ""
        value = report.best.metrics[report.metric]
        lines.append(f"best       {report.metric} {before}{value:.4f} at step {report.best_step:,}")
    return "\n".join([*lines, *(f"note       {note}" for note in report.notes)])


def _checked(found: CheckReport) -> str:
    shapes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in found.shapes.items())
    gpu = f", GPU {found.peak_gpu_memory_mb:,.0f} MB" if found.peak_gpu_memory_mb else ""
    held = f"{found.queries:,} queries over {found.documents:,} documents" if found.queries else "nothing"
    lines = [
        found.data,
        f"training   {found.rows:,} rows; held out: {held}",
        f"batch      {shapes}",
        f"weights    {found.trained:,} of {found.parameters:,} train",
        f"disk       {found.checkpoint_mb:,.0f} MB a checkpoint",
        f"steps      {found.steps:,} of {found.schedule_steps:,} scheduled",
        f"time       {found.seconds_per_step:.2f} s a step, so {_duration(3600 * found.hours)} in all",
        f"memory     {found.peak_memory_mb:,.0f} MB{gpu}",
        f"hardware   {found.hardware}",
    ]
    if found.metrics:
        lines.append(f"metrics    {', '.join(found.metrics)}")
    return "\n".join([*lines, *(f"note       {note}" for note in found.notes), "nothing was trained"])


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
