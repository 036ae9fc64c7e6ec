"""A training run, from its settings to a model with its card."""

from __future__ import annotations

import json
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerState

from plait.encode.quiet import no_progress_bars
from plait.errors import TrainError
from plait.evaluation.manifest import versions
from plait.train import checkpoints
from plait.train.callbacks import Interrupts, Patience, ProgressCallback
from plait.train.cards import write_card
from plait.train.checkpoints import Checkpoint
from plait.train.config import TrainConfig
from plait.train.preparing import Prepared, is_first_process, prepare, read_rows
from plait.train.report import (
    PACKAGES,
    Ended,
    TrainReport,
    evaluations_of,
    hardware,
    last_loss,
    peak_gpu_memory_mb,
    peak_memory_mb,
)
from plait.train.resuming import Resume, alone, check_fits, start_of
from plait.train.settings_file import to_plain

_COMMAND = "run the same command again, which goes on from the last checkpoint"


def train(
    config: TrainConfig,
    *,
    resume: Resume = "auto",
    progress: ProgressCallback | None = None,
    say: Callable[[str], None] | None = None,
    resume_command: str = _COMMAND,
) -> TrainReport:
    """Train a model, and return what was done.

    The output folder gets checkpoints/; at the end model/, the model that was best by `evaluation.metric`,
    or the last one where nothing is held out, with its card; settings.json and report.json.

    From any checkpoint on, a run ends with the weights that it would have had without a break, bit by bit, on
    the same kind of machine and as many processes. Ctrl-C (or SIGTERM) ends it after the step, with a
    checkpoint; a second one at once.

    Started by torchrun or `accelerate launch`, all its processes train as one; the first one writes.

    Args:
        resume: "auto": from the latest whole checkpoint in the output folder, if any; "never": what is there
            is set aside; or a checkpoint's folder.
        progress: called with the losses logged, and with evaluations.
        say: called with remarks: what was read, and what one should know.
        resume_command: what messages tell the user to do to go on.

    Raises:
        InputError: settings, data or a checkpoint that cannot be used, or that do not fit each other.
        ModelError: the model cannot be loaded.
        MissingExtraError: a package is not installed.
        TrainError: training could not go on; the message says what is intact.
        KeyboardInterrupt: a second Ctrl-C, or one outside of training.
    """
    folder, first = config.output.folder, is_first_process()
    say = say if say is not None and first else _in_silence
    with alone(folder, first=first), no_progress_bars():
        start = start_of(folder, resume, first=first)
        rows = read_rows(config)
        say(str(rows.read))
        if start is not None:
            check_fits(start, to_plain(config), data=rows.digest, rows=len(rows.train))
            say(f"going on from {start.folder.name}")
        interrupts = Interrupts()
        run = prepare(
            config,
            rows,
            resume_command=resume_command,
            resuming=start is not None,
            interrupts=interrupts,
            progress=progress,
        )
        for note in run.notes:
            say(note)
        if first:
            (folder / "settings.json").write_text(json.dumps(to_plain(config), indent=1) + "\n")
        over = start is not None and _is_over(run, config, start)
        if over and (done := _done_before(folder, start)) is not None:
            say("this run is at its end: nothing was done; --fresh begins anew")
            return done
        began = time.monotonic()
        with interrupts:
            ended = _trained(run, config, start, over=over)
        seconds = time.monotonic() - began
        report = _report(run, config, start, ended=ended, seconds=seconds)
        if first and ended != "interrupted":
            _finish(run, config, report)
        return report


def _trained(run: Prepared, config: TrainConfig, start: Checkpoint | None, *, over: bool) -> Ended:
    """Train as far as was asked, unless that is over, and return why it ended."""
    trainer = run.trainer
    if start is not None and over:
        trainer.state = TrainerState.load_from_json(str(start.folder / "trainer_state.json"))
        trainer._load_from_checkpoint(str(start.folder))
    else:
        with _explained(trainer, config):
            trainer.train(resume_from_checkpoint=None if start is None else str(start.folder))
    if trainer.state.global_step >= run.steps:
        return "finished"
    return "interrupted" if trainer.stopping else "early"


@contextmanager
def _explained(trainer: Any, config: TrainConfig) -> Iterator[None]:
    """Say of what ends training from without what can be done about it.

    Raises:
        TrainError: the memory was too small, or a process that opens pictures was ended.
    """
    try:
        with warnings.catch_warnings():
            # What sentence-transformers tells torch of buffers; it concerns nobody else.
            warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
            yield
    except torch.OutOfMemoryError as error:
        raise TrainError(
            f"step {trainer.state.global_step + 1} did not fit in the GPU's memory: lower "
            f"objective.mini_batch_size (now {config.objective.mini_batch_size}), which changes no gradient, "
            "and give another --output"
        ) from error
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise TrainError(
            f"a process that opens pictures was ended, perhaps for want of memory ({error}): lower "
            f"trainer.workers (now {config.trainer.workers}), then {trainer.resume_command}"
        ) from error


def _is_over(run: Prepared, config: TrainConfig, start: Checkpoint) -> bool:
    """Return whether nothing is left to train, as when a run was killed after its last checkpoint."""
    evaluation = config.evaluation
    if start.step >= run.steps:
        return True
    if evaluation.patience is None:
        return False
    state = TrainerState.load_from_json(str(start.folder / "trainer_state.json"))
    patience = Patience(evaluation.metric, patience=evaluation.patience, least_gain=evaluation.least_gain)
    return patience.exhausted(state.log_history)


def _done_before(folder: Path, start: Checkpoint | None) -> TrainReport | None:
    """Return the report of a run whose model was written from its last checkpoint."""
    report = TrainReport.load(folder / "report.json") if (folder / "model").is_dir() else None
    return report if report is not None and start is not None and report.step == start.step else None


def _report(
    run: Prepared, config: TrainConfig, start: Checkpoint | None, *, ended: Ended, seconds: float
) -> TrainReport:
    state, folder = run.trainer.state, config.output.folder
    step: int = state.global_step
    done = step - (start.step if start is not None else 0)
    return TrainReport(
        ended=ended,
        folder=folder,
        model=None if ended == "interrupted" else folder / "model",
        step=step,
        schedule_steps=run.schedule_steps,
        best_step=state.best_global_step or step,
        rows=len(run.rows.train),
        batch_size=config.trainer.batch_size,
        loss=last_loss(state.log_history),
        evaluations=evaluations_of(state.log_history),
        metric=config.evaluation.metric if run.rows.evaluator is not None else None,
        resumed_from=None if start is None else start.step,
        seconds=seconds,
        rows_per_second=done * config.trainer.batch_size / seconds,
        peak_memory_mb=peak_memory_mb(),
        peak_gpu_memory_mb=peak_gpu_memory_mb(),
        processes=run.trainer.args.world_size,
        hardware=hardware(),
        versions=versions(PACKAGES),
        notes=(*run.notes, *_notes(run, start)),
    )


def _notes(run: Prepared, start: Checkpoint | None) -> list[str]:
    """Return what one should know of a run that is over."""
    notes = []
    damaged, processes = run.trainer.data_collator.damaged, run.trainer.args.world_size
    if damaged.pictures:
        notes.append(f"while training: {damaged}")
    before = processes if start is None else start.facts.get("processes")
    if before != processes:
        notes.append(f"begun by {before} processes, ended by {processes}: neither gives this bit by bit")
    history, evaluator = evaluations_of(run.trainer.state.log_history), run.rows.evaluator
    if evaluator is not None and history and history[0].step == 0:
        first, best = history[0].metrics[evaluator.primary_metric], run.trainer.state.best_metric
        if best is not None and first > best:
            notes.append(f"the model was better before training, at {first:.4f}")
    return notes


def _finish(run: Prepared, config: TrainConfig, report: TrainReport) -> None:
    """Write the best model with its card, and the report.

    Raises:
        TrainError: they cannot be written; the checkpoints stay.
    """
    folder = config.output.folder
    best = folder / "checkpoints" / f"checkpoint-{report.best_step}"
    if report.best_step != report.step and best.is_dir():
        run.trainer._load_from_checkpoint(str(best))
    draft = folder / "model.writing"
    try:
        shutil.rmtree(draft, ignore_errors=True)
        run.encoder.eval()
        run.encoder.save_pretrained(str(draft), create_model_card=False)
        write_card(run.encoder, draft, config=config, report=report, read=run.rows.read)
        checkpoints.move_into_place(draft, folder / "model")
        report.save(folder / "report.json")
        _remove_if_empty(folder / "eval")  # which sentence-transformers makes for evaluators that write
    except (OSError, RuntimeError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise TrainError(
            f"the trained model could not be written to {folder / 'model'} ({error}); its checkpoints are "
            "whole: make room, and run the same command again, which trains nothing anew"
        ) from error


def _in_silence(remark: str) -> None:
    """Say nothing."""


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
