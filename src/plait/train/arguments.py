"""The settings of a run as sentence-transformers' trainer takes them, fitted to this machine."""

from __future__ import annotations

from typing import Any

import torch
from sentence_transformers import (
    MultiVectorEncoder,
    MultiVectorEncoderTrainingArguments,
    SentenceTransformerTrainingArguments,
)

from plait.errors import InputError
from plait.train.building import backbone_pattern, ret_of
from plait.train.config import TrainConfig


def arguments_of(config: TrainConfig, encoder: Any, *, steps: int, evaluates: bool, at_start: bool) -> Any:
    """Return the settings of sentence-transformers' trainer.

    Args:
        encoder: what is trained.
        steps: where training ends.
        evaluates, at_start: whether held-out queries are asked, and before the first step too.

    Raises:
        InputError: this machine cannot do what they ask for, or the batch cannot be shared out.
    """
    options, evaluation = config.trainer, config.evaluation
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InputError("trainer.device is cuda, but torch sees no GPU here: use auto or cpu")
    several = isinstance(encoder, MultiVectorEncoder)
    kind = MultiVectorEncoderTrainingArguments if several else SentenceTransformerTrainingArguments
    try:
        arguments = kind(
            output_dir=str(config.output.folder),
            max_steps=steps,
            learning_rate=options.learning_rate,
            lr_scheduler_type="constant_with_warmup" if options.schedule == "constant" else options.schedule,
            warmup_steps=options.warmup,
            weight_decay=options.weight_decay,
            adam_beta1=options.adam_beta1,
            adam_beta2=options.adam_beta2,
            max_grad_norm=options.max_gradient_norm,
            bf16=options.precision == "bfloat16",
            use_cpu=options.device == "cpu",
            seed=options.seed,
            dataloader_num_workers=options.workers,
            dataloader_persistent_workers=options.workers > 0,
            dataloader_pin_memory=torch.cuda.is_available(),
            dataloader_drop_last=True,
            remove_unused_columns=False,
            logging_strategy="steps",
            logging_steps=min(options.log_every, steps),
            logging_nan_inf_filter=False,
            save_strategy="steps",
            save_steps=options.checkpoint_every,
            eval_strategy="steps" if evaluates else "no",
            eval_steps=evaluation.every or options.checkpoint_every,
            eval_on_start=evaluates and evaluation.at_start and at_start,
            metric_for_best_model=f"eval_{evaluation.metric}" if evaluates else None,
            greater_is_better=True,
            # Every pass through a ReT model reaches all its weights.
            ddp_find_unused_parameters=False if ret_of(encoder) is not None else None,
            learning_rate_mapping=_rates(config, encoder),
            project="plait",
            run_name=config.output.name or config.output.folder.name,
            report_to="none",
            disable_tqdm=True,
        )
        processes = arguments.world_size
    except ValueError as error:  # such as bfloat16 on a GPU without it
        raise InputError(f"these settings cannot be trained with here: {error}") from error
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # else DataParallel, which splits packed pictures wrongly
    if options.batch_size % processes:
        raise InputError(
            f"trainer.batch_size {options.batch_size} cannot be shared out to {processes} processes: make it "
            f"a multiple of {processes}"
        )
    arguments.per_device_train_batch_size = options.batch_size // processes
    return arguments


def remarks(arguments: Any) -> tuple[str, ...]:
    """Return what the user should know of how it is trained here."""
    idle = torch.cuda.device_count() - 1
    if arguments.device.type == "cuda" and arguments.world_size == 1 and idle > 0:
        several = f"torchrun --nproc-per-node {idle + 1} -m plait train ..."
        return (f"one of {idle + 1} GPUs is used: {several} uses all of them",)
    return ()


def _rates(config: TrainConfig, encoder: Any) -> dict[str, float]:
    rate = config.trainer.backbone_learning_rate
    return {} if rate is None else {backbone_pattern(encoder): rate}
