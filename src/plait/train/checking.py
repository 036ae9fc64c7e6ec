"""A look at a training run before it begins: its rows, a batch, and what a step takes."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import torch

from plait.encode.quiet import no_progress_bars
from plait.train.config import TrainConfig
from plait.train.preparing import prepare, read_rows
from plait.train.report import hardware, peak_gpu_memory_mb, peak_memory_mb

_TIMED_STEPS = 2  # after a first one, which is slower
_MOMENTS = 2  # numbers that AdamW keeps for each that trains


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a run would do.

    Attributes:
        data: what was read and left out, in words.
        rows: that are trained on.
        queries, documents: held out; 0 where nothing is.
        metrics: that `evaluation.metric` may name.
        shapes: of the tensors of a batch, of this process.
        trained, parameters: numbers that train, and all.
        steps, schedule_steps: of the run, and what the learning rate's schedule is laid out for.
        seconds_per_step: measured, without evaluations and checkpoints.
        hours: of all steps at this rate.
        checkpoint_mb: about how much a checkpoint takes on disk.
        peak_memory_mb, peak_gpu_memory_mb: measured.
        hardware: what it ran on.
        notes: what one should know besides.
    """

    data: str
    rows: int
    queries: int
    documents: int
    metrics: tuple[str, ...]
    shapes: dict[str, list[int]]
    trained: int
    parameters: int
    steps: int
    schedule_steps: int
    seconds_per_step: float
    hours: float
    checkpoint_mb: float
    peak_memory_mb: float
    peak_gpu_memory_mb: float | None
    hardware: str
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)


def check(config: TrainConfig) -> CheckReport:
    """Return what a run would do; the rows stay in its cache, nothing else is written, nothing is trained.

    Raises:
        InputError, ModelError, MissingExtraError, PlaitError: as `train`.
    """
    with no_progress_bars():
        rows = read_rows(config)
        run = prepare(config, rows, resume_command="")
    trainer = run.trainer
    trainer.current_gradient_accumulation_steps = 1  # which its own loop would set
    batch = next(iter(trainer.get_train_dataloader()))
    seconds = _seconds_per_step(trainer, batch)
    numbers = [(weight.numel(), weight.requires_grad) for weight in trainer.loss.parameters()]
    trained, parameters = sum(n for n, trains in numbers if trains), sum(n for n, _ in numbers)
    evaluator = rows.evaluator
    return CheckReport(
        data=str(rows.read),
        rows=len(rows.train),
        queries=0 if evaluator is None else len(evaluator.held_out.queries),
        documents=0 if evaluator is None else len(evaluator.held_out.documents),
        metrics=() if evaluator is None else tuple(evaluator.metrics),
        shapes={name: list(value.shape) for name, value in _tensors(batch).items()},
        trained=trained,
        parameters=parameters,
        steps=run.steps,
        schedule_steps=run.schedule_steps,
        seconds_per_step=seconds,
        hours=seconds * run.steps / 3600,
        checkpoint_mb=(parameters + _MOMENTS * trained) * 4 / 1e6,
        peak_memory_mb=peak_memory_mb(),
        peak_gpu_memory_mb=peak_gpu_memory_mb(),
        hardware=hardware(),
        notes=run.notes,
    )


def _seconds_per_step(trainer: Any, batch: Any) -> float:
    """Return how long a forward and backward pass takes; no weight changes."""
    model = trainer.accelerator.prepare_model(trainer.model)
    trainer.model_wrapped = model
    taken = []
    for _ in range(1 + _TIMED_STEPS):
        began = time.perf_counter()
        trainer.training_step(model, dict(batch))
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
        trainer.loss.zero_grad()
    return sum(taken[1:]) / _TIMED_STEPS


def _tensors(batch: Any) -> dict[str, Any]:
    flat = {**batch, **{f"label.{name}": value for name, value in batch["label"].items()}}
    return {name: value for name, value in flat.items() if hasattr(value, "shape")}
