"""What a training run can be told: the settings of `plait train`, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from plait.errors import InputError
from plait.train.data_config import DataSource
from plait.train.model_config import ModelConfig

Reporter = Literal["tensorboard", "trackio", "wandb"]


@dataclass(frozen=True, slots=True)
class ContrastiveConfig:
    """Options of `Contrastive` (plait.train.objectives), which explains them.

    Attributes:
        weight: of its loss in the sum.
        temperature: null: the model's own, `loss_temperature` of ReT and ReT-2 (1 and 0.02 by default);
            for other models 1 with token vectors, 0.05 with single ones.
    """

    weight: float = 1.0
    symmetric: bool = False
    temperature: float | None = None
    learn_temperature: bool = False
    false_negative_margin: float | None = None
    gather: bool = True


@dataclass(frozen=True, slots=True)
class DistillationConfig:
    """Options of `Distillation` (plait.train.objectives); the data must hold a teacher's scores."""

    weight: float = 1.0
    kind: Literal["kl", "margin_mse"] = "kl"
    temperature: float = 1.0
    student_temperature: float | None = None


@dataclass(frozen=True, slots=True)
class MatryoshkaSize:
    """A smaller output that is trained to be of use too: the first `tokens` tokens, `width` numbers of each.

    Attributes:
        tokens, width: null: all of them.
        weight: of its loss; the whole output's is 1.
    """

    tokens: int | None = None
    width: int | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ModalityDropoutConfig:
    """How often, in training, a side that has both text and picture loses one of them.

    Attributes:
        text, image: of queries and documents alike; 1 together at most.
        document_text, document_image: of documents instead.
    """

    text: float = 0.0
    image: float = 0.0
    document_text: float | None = None
    document_image: float | None = None


@dataclass(frozen=True, slots=True)
class ObjectiveConfig:
    """What is minimised; scores are MaxSim or inner products, as the model's output has it.

    Attributes:
        contrastive, distillation: summed by their weights; null leaves one out.
        matryoshka: sizes that are trained besides the whole; they too are summed by weight.
        mini_batch_size: inputs of one side that are encoded at a time (GradCache): gradients stay those
            of the whole batch, memory does not grow with it. null: all at once.
        modality_dropout: so that a missing text or picture is nothing new.
        hard_negatives: how many of a row's are used, at most, others each epoch; null: all.
    """

    contrastive: ContrastiveConfig | None = field(default_factory=ContrastiveConfig)
    distillation: DistillationConfig | None = None
    matryoshka: tuple[MatryoshkaSize, ...] = ()
    mini_batch_size: int | None = None
    modality_dropout: ModalityDropoutConfig = field(default_factory=ModalityDropoutConfig)
    hard_negatives: int | None = None

    def __post_init__(self) -> None:
        if self.contrastive is None and self.distillation is None:
            raise InputError("contrastive and distillation are both null: nothing would be minimised")
        _at_least(self, 1, "mini_batch_size")
        _at_least(self, 0, "hard_negatives")


@dataclass(frozen=True, slots=True)
class TrainerConfig:
    """How it is minimised: AdamW, without decay unless asked for.

    Attributes:
        batch_size: rows of a step, over all processes.
        epochs: the schedule is laid out for so many; a part of one counts.
        steps: the schedule is laid out for so many steps instead.
        stop_after_steps: end there, wherever the schedule stands.
        learning_rate: at its highest, of all that trains.
        backbone_learning_rate: of the backbones instead.
        schedule: "cosine" and "linear" fall to 0 at their end.
        warmup: steps in which the rate rises from 0; below 1, a share of the schedule.
        weight_decay: of matrices only.
        max_gradient_norm: longer gradients are shortened to it; 0: none are.
        precision: of activations; weights stay float32.
        gradient_checkpointing: of backbones that train: slower, with less memory.
        seed: of weights, order, dropout.
        workers: processes that open pictures; 0: the training process itself.
        device: "auto" takes a GPU where there is one.
        threads: of torch on a CPU; null: torch's own choice.
        log_every, checkpoint_every: steps.
        keep_checkpoints: the latest so many stay, and the best.
        report_to: the run is shown there too; each needs its package.
    """

    batch_size: int = 64
    epochs: float = 1.0
    steps: int | None = None
    stop_after_steps: int | None = None
    learning_rate: float = 5e-5
    backbone_learning_rate: float | None = None
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = 0.0
    weight_decay: float = 0.0
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    max_gradient_norm: float = 1.0
    precision: Literal["float32", "bfloat16"] = "float32"
    gradient_checkpointing: bool = False
    seed: int = 42
    workers: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = None
    log_every: int = 50
    checkpoint_every: int = 500
    keep_checkpoints: int = 2
    report_to: tuple[Reporter, ...] = ()

    def __post_init__(self) -> None:
        _at_least(self, 1, "steps", "stop_after_steps", "threads", "log_every", "checkpoint_every")
        _at_least(self, 1, "keep_checkpoints")
        _at_least(self, 0, "workers", "warmup", "weight_decay", "max_gradient_norm", "seed")
        if self.batch_size < 2:
            raise InputError(f"batch_size is {self.batch_size}, expected 2 or more, to contrast rows")
        for name in ("epochs", "learning_rate"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name)}, expected more than 0")


@dataclass(frozen=True, slots=True)
class ValidationConfig:
    """What is held out, and asked during training.

    Attributes:
        data: sources of its own; without any, a part of the training data is held out.
        share: of the training data's rows to hold out instead.
        by: what is held out whole: sources, or labels (without them, relevant documents).
        rows: at most so many of them are drawn: their queries are asked over their documents.
    """

    data: tuple[DataSource, ...] = ()
    share: float | None = None
    by: Literal["source", "label"] = "label"
    rows: int = 1000

    def __post_init__(self) -> None:
        if bool(self.data) == (self.share is not None):
            raise InputError("give either data, sources of its own, or share, a part of the training data")
        if self.share is not None and not 0 < self.share < 1:
            raise InputError(f"share is {self.share}, expected more than 0 and less than 1")
        _at_least(self, 1, "rows")


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """When the held-out queries are asked, and what follows from it.

    Attributes:
        metric: the best model is the one with the highest; `plait train --check` lists those there are.
        every: steps; null: as often as checkpoints are written.
        at_start: ask before the first step too.
        patience: training ends after so many evaluations without a gain; null: never.
        least_gain: what counts as one.
        batch_size: inputs encoded at a time.
        measures: of `plait.evaluation.measures`.
    """

    metric: str = "validation_mrr@10"
    every: int | None = None
    at_start: bool = True
    patience: int | None = None
    least_gain: float = 0.0
    batch_size: int = 32
    measures: tuple[str, ...] = ("success@1", "success@10", "recall@10", "mrr@10", "ndcg@10")

    def __post_init__(self) -> None:
        _at_least(self, 1, "every", "patience", "batch_size")


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """Where everything is written, and what the model card says that only you know.

    Attributes:
        folder: gets checkpoints/, model/ (the best model), report.json and settings.json.
        name: of the model.
        licence: of the model, as an SPDX id such as "apache-2.0".
        languages: codes such as "en".
        authors: who trained it.
        description: what it is for.
    """

    folder: Path
    name: str | None = None
    licence: str | None = None
    languages: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A training run.

    Attributes:
        data: sources, all of which are shuffled together.
        max_bad_share: of rows that cannot be used; more of them end the run before it begins.
        cache: folder of the data as it is read once; null: data/ in the output folder.
    """

    model: ModelConfig
    data: tuple[DataSource, ...]
    output: OutputConfig
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    validation: ValidationConfig | None = None
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    max_bad_share: float = 0.1
    cache: Path | None = None

    def __post_init__(self) -> None:
        if not self.data:
            raise InputError("data names no source: give at least one")
        if not 0 <= self.max_bad_share <= 1:
            raise InputError(f"max_bad_share is {self.max_bad_share}, expected 0 to 1")
        if self.evaluation.patience is not None and self.validation is None:
            raise InputError("evaluation.patience needs validation: say what is held out")


def _at_least(settings: object, least: int, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if value is not None and value < least:
            raise InputError(f"{name} is {value}, expected {least} or more")
