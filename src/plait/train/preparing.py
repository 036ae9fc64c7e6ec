"""All that a training run needs before its first step: rows, model, loss, evaluator, trainer."""

from __future__ import annotations

import hashlib
import math
import os
import random
from dataclasses import dataclass
from typing import Any

import torch
from pyarrow import compute
from sentence_transformers import MultiVectorEncoder
from transformers import TrainerCallback, set_seed

from plait.data.training.report import ReadReport
from plait.data.training.splitting import held_out
from plait.errors import InputError
from plait.extras import require
from plait.train.arguments import arguments_of, remarks
from plait.train.building import build_loss, build_model
from plait.train.callbacks import Interrupts, Patience, ProgressCallback, Tell
from plait.train.collating import TrainingCollator
from plait.train.config import TrainConfig
from plait.train.data import to_dataset
from plait.train.data_config import DataSource, sources_of
from plait.train.evaluating import RetrievalEvaluator, held_out_of
from plait.train.loop import MultiVectorTrainer, SingleVectorTrainer
from plait.train.settings_file import to_plain

_ROWS_AT_A_TIME = 10_000


@dataclass(frozen=True, slots=True)
class Rows:
    """What is trained on and what is held out.

    Attributes:
        train: a `datasets.Dataset`.
        evaluator: asks what is held out; None: nothing is.
        read: what became of the rows of the training data.
        digest: tells these training rows from others, and from these in another order.
    """

    train: Any
    evaluator: RetrievalEvaluator | None
    read: ReadReport
    digest: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that can begin.

    Attributes:
        trainer: of sentence-transformers.
        encoder: what is trained.
        schedule_steps: what the learning rate's schedule is laid out for.
        steps: where training ends.
        notes: what the user should know before.
    """

    trainer: Any
    encoder: Any
    rows: Rows
    schedule_steps: int
    steps: int
    notes: tuple[str, ...]


def read_rows(config: TrainConfig) -> Rows:
    """Return the rows of a run, read once and kept in its cache.

    Raises:
        InputError: too few rows that can be used, or nothing that can be held out.
        PlaitError: files that cannot be read, or a full disk.
        MissingExtraError: `datasets` is not installed.
    """
    seed, validation = config.trainer.seed, config.validation
    train, read = _dataset(config, config.data, "training")
    evaluator = None
    if validation is not None:
        if validation.share is not None:
            train, held = held_out(train, share=validation.share, by=validation.by, seed=seed)
        else:
            held, _ = _dataset(config, validation.data, "validation")
        drawn = random.Random(seed).sample(range(len(held)), min(len(held), validation.rows))
        evaluator = RetrievalEvaluator(
            held_out_of(held.select(sorted(drawn)).to_list()),
            metric=config.evaluation.metric,
            measures=config.evaluation.measures,
            batch_size=config.evaluation.batch_size,
        )
    if len(train) < config.trainer.batch_size:
        raise InputError(
            f"{len(train):,} training rows make no batch of {config.trainer.batch_size}: lower "
            "trainer.batch_size, or give more data"
        )
    return Rows(train, evaluator, read, _digest(train))


def prepare(
    config: TrainConfig,
    rows: Rows,
    *,
    resume_command: str,
    resuming: bool = False,
    interrupts: Interrupts | None = None,
    progress: ProgressCallback | None = None,
) -> Prepared:
    """Return a run of these rows.

    Args:
        resume_command: what the user is told to run when training ends before its time.
        resuming: from a checkpoint, so that what is asked before the first step was asked.

    Raises:
        InputError: settings that do not fit the model, the data or this machine.
        ModelError: the model cannot be loaded.
        MissingExtraError: a package that the settings ask for is not installed.
    """
    options = config.trainer
    reporters = [require(name).__name__ for name in options.report_to]
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    set_seed(options.seed)
    encoder = build_model(config.model, device="cpu", gradient_checkpointing=options.gradient_checkpointing)
    loss = build_loss(encoder, config.objective)
    steps_per_epoch = len(rows.train) // options.batch_size
    schedule_steps = options.steps or math.ceil(options.epochs * steps_per_epoch)
    steps = min(schedule_steps, options.stop_after_steps or schedule_steps)
    arguments = arguments_of(
        config, encoder, steps=steps, evaluates=rows.evaluator is not None, at_start=not resuming
    )
    kind = MultiVectorTrainer if isinstance(encoder, MultiVectorEncoder) else SingleVectorTrainer
    trainer = kind(
        model=encoder,
        args=arguments,
        train_dataset=rows.train,
        loss=loss,
        evaluator=rows.evaluator,
        data_collator=TrainingCollator(
            encoder.preprocess,
            prompts=dict(encoder.prompts),
            negatives_per_query=config.objective.hard_negatives,
            seed=options.seed,
        ),
        callbacks=[*_callbacks(config, progress), *_boards(config, reporters)],
        checkpoint_folder=config.output.folder / "checkpoints",
        keep=options.keep_checkpoints,
        facts={
            "settings": to_plain(config),
            "rows": len(rows.train),
            "data": rows.digest,
            "processes": arguments.world_size,
        },
        schedule_steps=schedule_steps,
        resume_command=resume_command,
        interrupts=interrupts or Interrupts(),
    )
    return Prepared(trainer, encoder, rows, schedule_steps, steps, remarks(arguments))


def is_first_process() -> bool:
    """Return whether this process is the one that writes and speaks, before a process group is up."""
    return os.environ.get("RANK", "0") == "0"


def _dataset(config: TrainConfig, data: tuple[DataSource, ...], purpose: str) -> tuple[Any, ReadReport]:
    cache = config.cache or config.output.folder / "data"
    sources = sources_of(data, seed=config.trainer.seed, store=cache / "pictures")
    try:
        return to_dataset(sources, cache, max_bad_share=config.max_bad_share, progress=is_first_process())
    except InputError as error:
        raise InputError(f"{purpose} data: {error}") from error


def _digest(rows: Any) -> str:
    """Return a hash of the rows' ids and of the lengths of their texts, in order.

    Neither of all texts, which takes long for millions of rows, nor of pictures' paths, which may move.
    """
    told = hashlib.sha256(str(len(rows)).encode())
    for table in rows.with_format("arrow").iter(batch_size=_ROWS_AT_A_TIME):
        query, documents = (table[name].combine_chunks() for name in ("query", "documents"))
        told.update(repr(table.select(["source", "id"]).to_pydict()).encode())
        for texts in (compute.struct_field(side, "text") for side in (query, documents.flatten())):
            told.update(compute.binary_length(texts).to_numpy().tobytes())
    return told.hexdigest()


def _callbacks(config: TrainConfig, progress: ProgressCallback | None) -> list[TrainerCallback]:
    callbacks: list[TrainerCallback] = []
    evaluation = config.evaluation
    if evaluation.patience is not None:
        callbacks.append(
            Patience(evaluation.metric, patience=evaluation.patience, least_gain=evaluation.least_gain)
        )
    if progress is not None and is_first_process():
        callbacks.append(Tell(progress, batch_size=config.trainer.batch_size))
    return callbacks


def _boards(config: TrainConfig, reporters: list[str]) -> list[TrainerCallback]:
    """Return what shows the run elsewhere; only the first process does."""
    if not reporters or not is_first_process():
        return []
    from transformers import integrations

    boards: list[TrainerCallback] = []
    if "tensorboard" in reporters:
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(str(config.output.folder / "tensorboard"))
        boards.append(integrations.TensorBoardCallback(writer))
    if "trackio" in reporters:
        boards.append(integrations.TrackioCallback())
    if "wandb" in reporters:
        boards.append(integrations.WandbCallback())
    return boards
