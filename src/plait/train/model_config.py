"""Which model is trained, and what of it: one that is there, or a new one over pretrained backbones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from plait.errors import InputError
from plait.train.settings_file import ModelName

Training = Literal["frozen", "full", "lora"]


@dataclass(frozen=True, slots=True)
class SideConfig:
    """Choices of `RetConfig` (`Ret2Config` for ReT-2), whose docstrings explain them; null: its default."""

    layer_strategy: str | None = None
    text_layers: tuple[int, ...] | None = None
    vision_layers: tuple[int, ...] | None = None
    hidden_size: int | None = None
    num_queries: int | None = None
    num_attention_heads: int | None = None
    intermediate_size: int | None = None
    late_proj_output_size: int | None = None
    dropout_p: float | None = None
    attention_dropout: float | None = None
    activation_fn: str | None = None
    use_tanh: bool | None = None
    input_gate_bias_prior: float | None = None
    forget_gate_bias_prior: float | None = None
    output: str | None = None
    pooling: str | None = None
    global_features: str | None = None


@dataclass(frozen=True, slots=True)
class FromBackbones:
    """A new model: pretrained backbones under a random head.

    Attributes:
        family: "ret", token vectors by default, or "ret2", one vector.
        text, vision: the backbones; a combined one, such as CLIP, may be both.
        side: of queries and documents alike.
        query, document: of one side, instead of what `side` says.
        share_sides, share_text_tower, share_vision_tower, late_interaction: of `RetRetrievalConfig`.
    """

    text: ModelName
    vision: ModelName
    family: Literal["ret", "ret2"] = "ret"
    side: SideConfig = field(default_factory=SideConfig)
    query: SideConfig = field(default_factory=SideConfig)
    document: SideConfig = field(default_factory=SideConfig)
    share_sides: bool | None = None
    share_text_tower: bool | None = None
    share_vision_tower: bool | None = None
    late_interaction: bool | None = None


@dataclass(frozen=True, slots=True)
class BackboneTraining:
    """What of the backbones trains.

    Attributes:
        text, vision: "frozen", "full", or "lora": low-rank adapters (needs the extra "lora"). None: as the
            model says of itself, which is frozen for ReT and full for other models.
        text_lora_rank, vision_lora_rank: of the adapters, where there are any.
        lora_alpha: the adapters' update is scaled by lora_alpha / rank.
        lora_dropout: of the adapters' input, in [0, 1).
    """

    text: Training | None = None
    vision: Training | None = None
    text_lora_rank: int = 8
    vision_lora_rank: int = 8
    lora_alpha: float = 16.0
    lora_dropout: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What is trained: a model that is there (`start`), or a new one (`from_backbones`).

    Attributes:
        start: a ReT or ReT-2 checkpoint, or any model of sentence-transformers.
        backbones: what of it trains, besides the head.
        max_text_tokens: texts are cut to so many; None: the model's own limit.
    """

    start: ModelName | None = None
    from_backbones: FromBackbones | None = None
    backbones: BackboneTraining = field(default_factory=BackboneTraining)
    max_text_tokens: int | None = None

    def __post_init__(self) -> None:
        if (self.start is None) == (self.from_backbones is None):
            raise InputError("give either start, a model that is there, or from_backbones, a new one")
