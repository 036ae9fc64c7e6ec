"""Sentence-transformers' trainers, made to resume bit by bit and to leave nothing half-written."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import MultiVectorEncoderTrainer, SentenceTransformerTrainer
from torch import Tensor, distributed, nn
from torch.utils.data import DataLoader
from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from plait.errors import TrainError
from plait.scoring.contrastive import in_processes
from plait.train import checkpoints
from plait.train.batches import ShuffledBatches
from plait.train.callbacks import Interrupts, leave_signals_to_the_trainer

_LOSS_FILE = "loss.pt"  # what the loss itself has learnt, such as a temperature


class _Loop:
    """What both trainers below do otherwise than those they extend.

    Args:
        checkpoint_folder: where checkpoints go.
        keep: how many of the latest stay.
        facts: what every checkpoint says of the run.
        schedule_steps: the learning rate's schedule is laid out for so many.
        resume_command: what the user runs to go on.
        interrupts: asks for an end.
    """

    def __init__(
        self,
        *,
        checkpoint_folder: Path,
        keep: int,
        facts: Mapping[str, Any],
        schedule_steps: int,
        resume_command: str,
        interrupts: Interrupts,
        **options: Any,  # of sentence-transformers' trainers
    ) -> None:
        self.checkpoint_folder, self.keep, self.facts = checkpoint_folder, keep, dict(facts)
        self.schedule_steps, self.resume_command, self.interrupts = schedule_steps, resume_command, interrupts
        self.batches: ShuffledBatches | None = None
        self.stopping = False
        super().__init__(**options)
        self.remove_callback(PrinterCallback)  # type: ignore[attr-defined]
        self.add_callback(_Between(self))  # type: ignore[attr-defined]

    # --- what is read, in which order ---

    def get_batch_sampler(self, dataset: Any, batch_size: int, **options: Any) -> ShuffledBatches:
        """Return batches whose order can be resumed."""
        self.batches = ShuffledBatches(len(dataset), batch_size=batch_size, seed=options["seed"])
        return self.batches

    def _build_dataloader(self, dataset: Any, batch_size: int, dataset_kind: str) -> DataLoader[Any]:
        loader: DataLoader[Any] = super()._build_dataloader(dataset, batch_size, dataset_kind)  # type: ignore[misc]
        loader.worker_init_fn = leave_signals_to_the_trainer
        # Without one of its own, it draws the workers' seeds from the generator that dropout draws from.
        loader.generator = torch.Generator().manual_seed(self.args.seed)  # type: ignore[attr-defined]
        return loader

    # --- steps ---

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Return the schedule, laid out for its own length, of which training may do only a part."""
        return super().create_scheduler(self.schedule_steps, optimizer)  # type: ignore[misc]

    def get_decay_parameter_names(self, model: nn.Module) -> list[str]:
        """Return the names of what decays: matrices, not biases, norms, gates' priors or a temperature."""
        matrices = {name for name, weight in model.named_parameters() if weight.ndim > 1}
        names: list[str] = super().get_decay_parameter_names(model)  # type: ignore[misc]
        return [name for name in names if name in matrices]

    def training_step(self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """Return the loss of a step, after its backward pass.

        Raises:
            TrainError: it is not a finite number.
        """
        try:
            loss: Tensor = super().training_step(model, inputs, num_items_in_batch)  # type: ignore[misc]
        except TrainError as error:  # of the loss, in all processes alike
            raise self._diverged(str(error).partition("; resume")[0]) from error
        self.stopping = _in_any_process(self.interrupts.wanted, loss.device)
        return loss

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm)  # type: ignore[misc]
        if not np.isfinite(float(norm)):
            raise self._diverged("the gradient is not a finite number")
        return norm

    def evaluate(self, *given: Any, **options: Any) -> dict[str, float]:
        """Return the metrics of an evaluation, after which training goes on as if there had been none."""
        devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices=devices):
            return super().evaluate(*given, **options)  # type: ignore[misc, no-any-return]

    def own_of_loss(self) -> dict[str, nn.Parameter]:
        """Return what trains in the loss but not in the model, such as a temperature, by name."""
        loss: nn.Module = self.loss  # type: ignore[attr-defined]
        return {name: one for name, one in loss.named_parameters() if not name.startswith("model.")}

    # --- checkpoints ---

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        self.store_flos()  # type: ignore[attr-defined]
        states = _gathered(rng_states())
        failed = None
        if self.args.should_save:  # type: ignore[attr-defined]
            failed = self._written(states)
        if failed := _gathered(failed)[0]:
            raise TrainError(failed)

    def _written(self, states: list[dict[str, Any]]) -> str | None:
        """Write a checkpoint, and remove old ones; return why it failed, if it did."""
        step: int = self.state.global_step  # type: ignore[attr-defined]
        advice = f"; make room, then {self.resume_command}"
        try:
            with checkpoints.writing(
                self.checkpoint_folder, step=step, facts=self.facts, advice=advice
            ) as draft:
                self._write(draft, states)
        except TrainError as error:
            return str(error)
        best: int | None = self.state.best_global_step or None  # type: ignore[attr-defined]
        checkpoints.prune(self.checkpoint_folder, keep=self.keep, best=best)
        return None

    def _write(self, draft: Path, states: list[dict[str, Any]]) -> None:
        self._save(str(draft))
        self._save_optimizer_and_scheduler(str(draft))  # type: ignore[attr-defined]
        self._save_scaler(str(draft))  # type: ignore[attr-defined]
        torch.save({name: one.detach().cpu() for name, one in self.own_of_loss().items()}, draft / _LOSS_FILE)
        for rank, state in enumerate(states):
            # Under the names by which transformers looks for them.
            torch.save(state, draft / ("rng_state.pth" if len(states) == 1 else f"rng_state_{rank}.pth"))
        self.state.save_to_json(str(draft / "trainer_state.json"))  # type: ignore[attr-defined]

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        # Without the card, which would ask the model its examples at every checkpoint.
        self.model.save_pretrained(output_dir, create_model_card=False)  # type: ignore[attr-defined]

    def _load_from_checkpoint(self, checkpoint_path: str, model: Any = None) -> None:
        super()._load_from_checkpoint(checkpoint_path)  # type: ignore[misc]
        stored = torch.load(Path(checkpoint_path) / _LOSS_FILE, weights_only=True)
        with torch.no_grad():
            for name, one in self.own_of_loss().items():
                one.copy_(stored[name])

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        is_best: bool = super()._determine_best_metric(metrics, trial)  # type: ignore[misc]
        if is_best:
            self.control.should_save = True  # type: ignore[attr-defined]
        return is_best

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Do nothing: theirs writes rows of the training data into the card."""

    def _diverged(self, what: str) -> TrainError:
        step = self.state.global_step + 1  # type: ignore[attr-defined]
        kept = checkpoints.whole(self.checkpoint_folder)
        advice = "lower trainer.learning_rate, raise trainer.warmup, or use float32"
        if kept:
            good = kept[-1].folder
            advice = (
                f"{good} is the last good one. Begin another run from it with a lower rate: --set "
                f"model.start={good} --set trainer.learning_rate=... --output FOLDER"
            )
        return TrainError(f"step {step}: {what}. Nothing of that step was kept; {advice}")


class MultiVectorTrainer(_Loop, MultiVectorEncoderTrainer):  # type: ignore[misc]  # not typed
    """Trains token vectors."""


class SingleVectorTrainer(_Loop, SentenceTransformerTrainer):  # type: ignore[misc]  # not typed
    """Trains single vectors."""


class _Between(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Seeds processes apart, orders each epoch's batches, and ends training when an end was asked for."""

    def __init__(self, loop: _Loop) -> None:
        self.loop = loop

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Give each process random numbers of its own; a resumed one then takes up its old ones."""
        seed = args.seed + args.process_index
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Say which epoch it is: a resumed loader, or one of several processes, would not hear of it."""
        batches = self.loop.batches
        assert batches is not None, "the loader was made before the first epoch"
        epoch = state.global_step // max(1, len(batches) // args.world_size)
        batches.set_epoch(epoch)
        self.loop.data_collator.set_epoch(epoch)  # type: ignore[attr-defined]

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """End here, with a checkpoint, when an end was asked for."""
        if self.loop.stopping:
            control.should_training_stop = control.should_save = True


def rng_states() -> dict[str, Any]:
    """Return the state of every random generator of this process, as transformers restores it."""
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "cpu": torch.random.get_rng_state(),
    }
    if torch.cuda.is_available():
        random_of = torch.cuda.random
        states["cuda"] = random_of.get_rng_state_all() if in_processes() else random_of.get_rng_state()
    return states


def _in_any_process(value: bool, device: torch.device) -> bool:
    if not in_processes():
        return value
    flag = torch.tensor(value, dtype=torch.int32, device=device)
    distributed.all_reduce(flag, op=distributed.ReduceOp.MAX)
    return bool(flag)


def _gathered(value: Any) -> list[Any]:
    """Return every process's value, by rank."""
    if not in_processes():
        return [value]
    values: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(values, value)
    return values
