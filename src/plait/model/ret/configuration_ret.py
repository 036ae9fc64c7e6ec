"""Configuration of ReT: one side (`RetConfig`), and queries and documents together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from transformers import CLIPTextConfig, CLIPVisionConfig, PreTrainedConfig

from plait.model.backbones import LayerStrategy, strategy
from plait.model.recurrence import RecurrenceConfig


class RetConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers is not typed
    """One side of ReT: two backbones, the layers read from them, and the recurrence.

    Names and defaults are the official release's.

    Args:
        text_config, vision_config: the backbones, as configurations or dicts; None means CLIP ViT-B/32's.
        layer_strategy: a name in `backbones.STRATEGIES`.
        text_layers, vision_layers: layers to read instead, 0-based after the embedding; both or neither.
        hidden_size: d of the recurrence.
        num_queries: tokens carried along, and given out.
        num_attention_heads: None means hidden_size / 64.
        intermediate_size: hidden width of the cell's MLP; None means 4 * hidden_size.
        late_proj_output_size: width of the token vectors given out.
        dropout_p, attention_dropout: in [0, 1).
        activation_fn: "gelu", "relu" or "silu", of the cell's MLP.
        use_tanh: squash the recurrence's terms.
        input_gate_bias_prior, forget_gate_bias_prior: added to the gates' logits.
        use_pooler_features: give out one vector, the mean over tokens, instead of all of them.
        is_text_frozen, is_vision_frozen: whether a backbone's weights are kept from training.
    """

    model_type = "plait-ret"
    sub_configs: ClassVar[dict[str, Any]] = {"text_config": CLIPTextConfig, "vision_config": CLIPVisionConfig}

    def __init__(
        self,
        *,
        text_config: CLIPTextConfig | dict[str, Any] | None = None,
        vision_config: CLIPVisionConfig | dict[str, Any] | None = None,
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
        use_pooler_features: bool = False,
        is_text_frozen: bool = True,
        is_vision_frozen: bool = True,
        **kwargs: Any,  # transformers' own fields ("dtype", "architectures", ...)
    ) -> None:
        self.text_config = _sub_config(CLIPTextConfig, text_config)
        self.vision_config = _sub_config(CLIPVisionConfig, vision_config)
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
        self.use_pooler_features = use_pooler_features
        self.is_text_frozen = is_text_frozen
        self.is_vision_frozen = is_vision_frozen
        super().__init__(**kwargs)

    @property
    def layers(self) -> LayerStrategy:
        """The layers read, one pair a step."""
        if self.text_layers is None and self.vision_layers is None:
            return strategy(self.layer_strategy)
        return LayerStrategy(tuple(self.text_layers or ()), tuple(self.vision_layers or ()))

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
    """Both sides of ReT, what they share, and how they are trained.

    Args:
        query_config, document_config: each side, as configuration or dict; a document side of None
            repeats the query's.
        share_sides: one recurrence for both; then `document_config` is not read.
        share_text_tower, share_vision_tower: one backbone for both sides.
        late_interaction: score by MaxSim over token vectors; False: by the dot product of single
            vectors, which needs `use_pooler_features`.
        symmetric_loss: also let every document find its query.
    """

    model_type = "plait-ret-retrieval"
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
        **kwargs: Any,  # transformers' own fields ("dtype", "architectures", ...)
    ) -> None:
        self.query_config = _sub_config(RetConfig, query_config)
        document = self.query_config.to_dict() if document_config is None else document_config
        self.document_config = _sub_config(RetConfig, document)
        self.share_sides = share_sides
        self.share_text_tower = share_text_tower
        self.share_vision_tower = share_vision_tower
        self.late_interaction = late_interaction
        self.symmetric_loss = symmetric_loss
        super().__init__(**kwargs)


def _sub_config(kind: type[Any], values: Any) -> Any:
    """Return a configuration as it is, or made of a dict, which is left as it was."""
    return values if isinstance(values, kind) else kind(**dict(values or {}))
