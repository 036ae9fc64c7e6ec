"""What happens between steps: how far it has come, when to stop, and what Ctrl-C does."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import TrainerControl, TrainerState

# torchrun passes Ctrl-C on to processes that the terminal has already told.
_ECHO_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far training has come.

    Attributes:
        step, steps: optimizer steps done, and of how many.
        loss: mean since the last one told; None with metrics alone.
        rows_per_second: of all processes, since the last one told.
        seconds_left: at this rate.
        metrics: of an evaluation, by name.
    """

    step: int
    steps: int
    loss: float | None = None
    rows_per_second: float = 0.0
    seconds_left: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)


ProgressCallback = Callable[[Progress], None]


class Tell(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Tell a callback of every loss logged, and of every evaluation."""

    def __init__(self, tell: ProgressCallback, *, batch_size: int) -> None:
        self.tell, self.batch_size = tell, batch_size
        self.since, self.at_step, self.evaluated = 0.0, 0, 0.0

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Start the clock."""
        self.since, self.at_step = time.monotonic(), state.global_step

    def on_log(
        self, args: Any, state: TrainerState, control: TrainerControl, logs: Mapping[str, Any], **others: Any
    ) -> None:
        """Tell of a loss, or of metrics, whose time does not count as training's."""
        now = time.monotonic()
        metrics = validation_metrics(logs)
        if metrics:
            self.tell(Progress(state.global_step, state.max_steps, metrics=metrics))
            self.since += logs.get("eval_runtime", 0.0)
        elif "loss" in logs and state.global_step > self.at_step:
            seconds = max(now - self.since, 1e-9) / (state.global_step - self.at_step)
            left = seconds * (state.max_steps - state.global_step)
            rate = self.batch_size / seconds
            self.tell(Progress(state.global_step, state.max_steps, float(logs["loss"]), rate, left))
            self.since, self.at_step = now, state.global_step


class Patience(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """End training after `patience` evaluations in which a metric did not gain more than `least_gain`.

    It looks at the evaluations logged so far, which checkpoints hold, so it goes on where it stood.
    """

    def __init__(self, metric: str, *, patience: int, least_gain: float) -> None:
        self.metric, self.patience, self.least_gain = metric, patience, least_gain

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Ask for the end, and for a checkpoint there."""
        if self.exhausted(state.log_history):
            control.should_training_stop = control.should_save = True

    def exhausted(self, history: Sequence[Mapping[str, Any]]) -> bool:
        """Return whether the last evaluations brought no gain."""
        values = [entry[f"eval_{self.metric}"] for entry in history if f"eval_{self.metric}" in entry]
        best, waited = float("-inf"), 0
        for value in values:
            gained = value > best + self.least_gain
            best, waited = (value, 0) if gained else (best, waited + 1)
        return waited >= self.patience


class Interrupts:
    """While it is entered, the first Ctrl-C (or SIGTERM) asks for an end, and the second is an end at once.

    Attributes:
        wanted: whether an end was asked for.
    """

    def __init__(self) -> None:
        self.wanted = False
        self._first = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():  # others may not set handlers
            self._before = {
                number: signal.signal(number, self._asked) for number in (signal.SIGINT, signal.SIGTERM)
            }
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        if not self.wanted:
            self.wanted, self._first = True, time.monotonic()
        elif time.monotonic() - self._first > _ECHO_SECONDS:
            raise KeyboardInterrupt


def leave_signals_to_the_trainer(worker: int) -> None:
    """Take a process that prepares batches out of reach of Ctrl-C, which only its trainer should hear.

    The trainer needs it up to the end of the step, and then ends it.
    """
    os.setpgid(0, 0)  # a terminal tells the group of the process that it started
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # not the trainer's, which a forked process has too


def validation_metrics(logs: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics of an evaluation by their own names, out of what the trainer logged."""
    return {
        name.removeprefix("eval_"): float(value)
        for name, value in logs.items()
        if name.startswith("eval_validation_")
    }
