"""Configuration of ReT: one side (`RetConfig`), and queries and documents together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from transformers import AutoConfig, PreTrainedConfig

from plait.errors import ModelError
from plait.model import backbones
from plait.model.backbones import LayerStrategy
from plait.model.recurrence import RecurrenceConfig

OUTPUTS = ("tokens", "pooled", "both")
POOLINGS = ("mean", "first", "max")
GLOBAL_FEATURES = ("none", "text", "vision", "both")


class RetConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers is not typed
    """One side of ReT: two backbones, the layers read from them, the recurrence, and what it gives out.

    Names and defaults are the official release's where it has the choice.

    Args:
        text_config, vision_config: the backbones, as configurations or dicts, of any family in
            `plait.model.backbones`; None means CLIP ViT-B/32's.
        layer_strategy: a name that `backbones.strategy` knows: the release's four, or "all",
            "early_middle_late" or "last", which follow from the depths.
        text_layers, vision_layers: layers to read instead, 0-based after the embedding; both or neither.
        hidden_size: d of the recurrence.
        num_queries: tokens carried along, and given out.
        num_attention_heads: None means hidden_size / 64.
        intermediate_size: hidden width of the cell's MLP; None means 4 * hidden_size.
        late_proj_output_size: width of the vectors given out.
        dropout_p, attention_dropout: in [0, 1).
        activation_fn: "gelu", "relu" or "silu", of the cell's MLP.
        use_tanh: squash the recurrence's terms.
        input_gate_bias_prior, forget_gate_bias_prior: added to the gates' logits.
        output: "tokens", all token vectors; "pooled", one vector; "both".
        pooling: how tokens become the one vector: "mean" (the release's), "first", or "max" of each number.
        global_features: the backbones whose own pooled feature is projected and added to the one
            vector: "none", "text", "vision" or "both"; needs an output with one vector.
        is_text_frozen, is_vision_frozen: whether a backbone's weights are kept from training.
        text_lora_rank, vision_lora_rank: above 0, low-rank adapters of that rank train instead, and the
            backbone's own weights are kept; needs peft (the extra "lora").
        lora_alpha: the adapters' update is scaled by lora_alpha / rank.
        lora_dropout: of the adapters' input, in [0, 1).

    Raises:
        ModelError: a choice that does not exist or contradicts another.
    """

    model_type = "plait-ret"
    sub_configs: ClassVar[dict[str, Any]] = {"text_config": AutoConfig, "vision_config": AutoConfig}

    def __init__(
        self,
        *,
        text_config: PreTrainedConfig | dict[str, Any] | None = None,
        vision_config: PreTrainedConfig | dict[str, Any] | None = None,
        layer_strategy: str = "clip_vit_b",
        text_layers: Sequence[int] | None = None,
        vision_layers: Sequence[int] | None = None,
        hidden_size: int = 1024,
        num_queries: int = 32,
        num_attention_heads: int | None = None,
        intermediate_size: int | None = None,
        late_proj_output_size: int = 128,
        dropout_p: float = 0.05,
        attention_dropout: float = 0.05,
        activation_fn: str = "gelu",
        use_tanh: bool = False,
        input_gate_bias_prior: float = 0.0,
        forget_gate_bias_prior: float = 0.0,
        output: str = "tokens",
        pooling: str = "mean",
        global_features: str = "none",
        is_text_frozen: bool = True,
        is_vision_frozen: bool = True,
        text_lora_rank: int = 0,
        vision_lora_rank: int = 0,
        lora_alpha: float = 16.0,
        lora_dropout: float = 0.0,
        **kwargs: Any,  # transformers' own fields ("dtype", "architectures", ...)
    ) -> None:
        self.text_config = backbones.text_config(text_config)
        self.vision_config = backbones.vision_config(vision_config)
        self.layer_strategy = layer_strategy
        self.text_layers = None if text_layers is None else list(text_layers)
        self.vision_layers = None if vision_layers is None else list(vision_layers)
        self.hidden_size = hidden_size
        self.num_queries = num_queries
        self.num_attention_heads = num_attention_heads or max(1, hidden_size // 64)
        self.intermediate_size = intermediate_size or 4 * hidden_size
        self.late_proj_output_size = late_proj_output_size
        self.dropout_p = dropout_p
        self.attention_dropout = attention_dropout
        self.activation_fn = activation_fn
        self.use_tanh = use_tanh
        self.input_gate_bias_prior = input_gate_bias_prior
        self.forget_gate_bias_prior = forget_gate_bias_prior
        self.output = _one_of("output", output, OUTPUTS)
        self.pooling = _one_of("pooling", pooling, POOLINGS)
        self.global_features = _one_of("global_features", global_features, GLOBAL_FEATURES)
        self.is_text_frozen = is_text_frozen
        self.is_vision_frozen = is_vision_frozen
        self.text_lora_rank = text_lora_rank
        self.vision_lora_rank = vision_lora_rank
        self.lora_alpha = lora_alpha
        self.lora_dropout = lora_dropout
        if output == "tokens" and global_features != "none":
            raise ModelError(
                f"global_features={global_features!r} are added to the one vector, but output='tokens' gives "
                "none: use output='pooled' or 'both'"
            )
        super().__init__(**kwargs)

    @property
    def layers(self) -> LayerStrategy:
        """The layers read, one pair a step."""
        depths = backbones.depth(self.text_config), backbones.depth(self.vision_config)
        if self.text_layers is None and self.vision_layers is None:
            return backbones.strategy(self.layer_strategy, text_depth=depths[0], vision_depth=depths[1])
        return LayerStrategy(tuple(self.text_layers or ()), tuple(self.vision_layers or ()))

    def _reading(self) -> tuple[object, ...]:
        """Return what decides which layers and features are read, as it was given."""
        return self.layer_strategy, self.text_layers, self.vision_layers, self.global_features

    @property
    def gives_tokens(self) -> bool:
        """Whether token vectors are given out."""
        return self.output != "pooled"

    @property
    def gives_vector(self) -> bool:
        """Whether the one vector is given out."""
        return self.output != "tokens"

    @property
    def reads_text_feature(self) -> bool:
        """Whether the text backbone's own pooled feature is added."""
        return self.global_features in ("text", "both")

    @property
    def reads_vision_feature(self) -> bool:
        """Whether the vision backbone's own pooled feature is added."""
        return self.global_features in ("vision", "both")

    @property
    def recurrence(self) -> RecurrenceConfig:
        """The cell's configuration."""
        return RecurrenceConfig(
            width=self.hidden_size,
            tokens=self.num_queries,
            heads=self.num_attention_heads,
            inner=self.intermediate_size,
            dropout=self.dropout_p,
            attention_dropout=self.attention_dropout,
            input_gate_prior=self.input_gate_bias_prior,
            forget_gate_prior=self.forget_gate_bias_prior,
            use_tanh=self.use_tanh,
            activation=self.activation_fn,
        )


class RetRetrievalConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers is not typed
    """Both sides of ReT, what they share, and how they are compared and trained.

    Args:
        query_config, document_config: each side, as configuration or dict; a document side of None
            repeats the query's.
        share_sides: one recurrence for both; then `document_config` is not read.
        share_text_tower, share_vision_tower: one backbone for both sides.
        late_interaction: score by MaxSim over token vectors; False: by the dot product of single
            vectors. The sides' `output` must give what is scored.
        symmetric_loss: also let every document find its query.
        loss_temperature: of the loss, whose scores are divided by it; ReT has none, which is 1.

    Raises:
        ModelError: the sides' vectors cannot be compared.
    """

    model_type = "plait-ret-retrieval"
    side_class: ClassVar[type[RetConfig]] = RetConfig
    sub_configs: ClassVar[dict[str, Any]] = {"query_config": RetConfig, "document_config": RetConfig}

    def __init__(
        self,
        *,
        query_config: RetConfig | dict[str, Any] | None = None,
        document_config: RetConfig | dict[str, Any] | None = None,
        share_sides: bool = False,
        share_text_tower: bool = True,
        share_vision_tower: bool = True,
        late_interaction: bool = True,
        symmetric_loss: bool = False,
        loss_temperature: float = 1.0,
        **kwargs: Any,  # transformers' own fields ("dtype", "architectures", ...)
    ) -> None:
        self.query_config = self._side(query_config)
        document = self.query_config.to_dict() if document_config is None else document_config
        self.document_config = self._side(document)
        self.share_sides = share_sides
        self.share_text_tower = share_text_tower
        self.share_vision_tower = share_vision_tower
        self.late_interaction = late_interaction
        self.symmetric_loss = symmetric_loss
        self.loss_temperature = loss_temperature
        super().__init__(**kwargs)
        self._check()

    @property
    def document_side(self) -> RetConfig:
        """The configuration that documents are encoded with."""
        return self.query_config if self.share_sides else self.document_config

    @classmethod
    def _side(cls, values: RetConfig | dict[str, Any] | None) -> RetConfig:
        """Return a side as it is, or made of a dict, which is left as it was."""
        if isinstance(values, RetConfig):
            return values
        known = {name: value for name, value in (values or {}).items() if name != "model_type"}
        return cls.side_class(**known)

    def _check(self) -> None:
        query, document = self.query_config, self.document_side
        if query.late_proj_output_size != document.late_proj_output_size:
            raise ModelError(
                f"queries have vectors of width {query.late_proj_output_size}, documents of "
                f"{document.late_proj_output_size}: give both sides the same late_proj_output_size"
            )
        for name, side in (("queries", query), ("documents", document)):
            if not (side.gives_tokens if self.late_interaction else side.gives_vector):
                wanted = "'tokens'" if self.late_interaction else "'pooled'"
                raise ModelError(
                    f"late_interaction={self.late_interaction} compares what output={side.output!r} does "
                    f"not give for {name}: use output={wanted} or 'both'"
                )
        self._check_shared("text", self.share_text_tower)
        self._check_shared("vision", self.share_vision_tower)
        if not self.loss_temperature > 0:
            raise ModelError(f"loss_temperature is {self.loss_temperature}, expected more than 0")

    def _check_shared(self, modality: str, shared: bool) -> None:
        """Check that a backbone which serves both sides is read alike by both."""
        sides = self.query_config, self.document_side
        # Compared as given before they are resolved: from_backbones() brings the depths only later.
        if not shared or len({str(side._reading()) for side in sides}) == 1:
            return
        query, document = (
            f"layers {list(getattr(side.layers, modality))}"
            + " and its global feature" * getattr(side, f"reads_{modality}_feature")
            for side in sides
        )
        if query != document:
            raise ModelError(
                f"both sides share the {modality} backbone, but queries read {query}, documents {document}: "
                f"make them equal, or set share_{modality}_tower=False"
            )


def _one_of(name: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise ModelError(f"unknown {name} {value!r}: use one of {', '.join(known)}")
    return value
