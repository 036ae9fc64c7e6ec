"""What a training run did: for people, for report.json, and for the model card."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from plait.evaluation.manifest import processor
from plait.train.callbacks import validation_metrics

Ended = Literal["finished", "early", "interrupted"]
PACKAGES = ("plait", "torch", "transformers", "sentence-transformers", "accelerate", "datasets", "peft")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation.

    Attributes:
        step: optimizer steps done before it.
        metrics: by name, each in [0, 1].
    """

    step: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What a training run did.

    Attributes:
        ended: "finished", as far as was asked; "early", when patience was at its end; "interrupted".
        folder: of the run.
        model: folder of the best model; None after an interruption.
        step: optimizer steps done, in all sessions together.
        schedule_steps: what the learning rate's schedule was laid out for.
        best_step: which step's model it is.
        rows, batch_size: of the training data, and of a step.
        loss: mean of the last steps that were logged together; None when there were none.
        evaluations: in order.
        metric: by which the best model was chosen; None without validation.
        resumed_from: step of the checkpoint that this session went on from; None: from none.
        seconds, rows_per_second: of this session's training, evaluations included.
        peak_memory_mb: of this process, in this session.
        peak_gpu_memory_mb: None without a GPU.
        processes: that trained together.
        hardware, versions: what it ran on.
        notes: what one should know besides.
    """

    ended: Ended
    folder: Path
    model: Path | None
    step: int
    schedule_steps: int
    best_step: int
    rows: int
    batch_size: int
    loss: float | None
    evaluations: tuple[Evaluation, ...]
    metric: str | None
    resumed_from: int | None
    seconds: float
    rows_per_second: float
    peak_memory_mb: float
    peak_gpu_memory_mb: float | None
    processes: int
    hardware: str
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> Evaluation | None:
        """The evaluation of the best model; None where nothing was held out."""
        return next((one for one in self.evaluations if one.step == self.best_step), None)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        values = asdict(self)
        return values | {"folder": str(self.folder), "model": str(self.model) if self.model else None}

    def save(self, file: Path) -> None:
        """Write it as JSON."""
        file.write_text(json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> TrainReport | None:
        """Return the report that `save` wrote; None where there is none to be read."""
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            values["folder"], values["model"] = Path(values["folder"]), Path(values["model"])
            values["evaluations"] = tuple(Evaluation(**one) for one in values["evaluations"])
            return cls(**values | {"notes": tuple(values["notes"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None


def evaluations_of(history: Sequence[Mapping[str, Any]]) -> tuple[Evaluation, ...]:
    """Return the evaluations out of the trainer's log, in order."""
    found = ((int(entry["step"]), validation_metrics(entry)) for entry in history)
    return tuple(Evaluation(step, metrics) for step, metrics in found if metrics)


def last_loss(history: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the loss that was logged last."""
    return next((float(entry["loss"]) for entry in reversed(history) if "loss" in entry), None)


def peak_memory_mb() -> float:
    """Return the most memory that this process held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def peak_gpu_memory_mb() -> float | None:
    """Return the most memory that this process's tensors held on its GPU, in MB; None without one."""
    return torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else None


def hardware() -> str:
    """Return what this machine computes with, in words."""
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return f"{processor()}, {len(os.sched_getaffinity(0))} cores"
