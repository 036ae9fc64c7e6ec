"""Configuration of ReT-2: what differs from ReT's, with every choice that was never published by name.

Known of ReT-2 (arXiv 2509.08897, read through a review and its authors' answers, not its code): one
encoder for queries and documents, three layers a backbone (early, middle, late), fewer tokens than
ReT, one vector compared by inner product, trainable backbones. Not known: which three layers, how many
tokens, the widths, how tokens become one vector, how the backbones' global features are added, and the
temperature. Each of these is a field here; its default is ours. So a model made here follows the
paper's design, and is not claimed to equal its authors' one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from transformers import PreTrainedConfig

from plait.model.ret.configuration_ret import RetConfig, RetRetrievalConfig


class Ret2Config(RetConfig):
    """The encoder of ReT-2; see `RetConfig` for what is not described here.

    Args:
        layer_strategy: "early_middle_late" is the last layer of each third. Known: three layers, early,
            middle and late; their indices are not.
        text_layers, vision_layers: other layers, by index.
        hidden_size, late_proj_output_size: widths of the recurrence and of the vector; not known, 768
            is ours.
        num_queries: tokens of the recurrence; known to be fewer than ReT's 32, 4 is ours.
        pooling: how the tokens become the vector; not known, "mean" is ours, as in ReT's pooled form.
        global_features: the backbones' own pooled features, projected and added to the vector. That
            they are is remembered, not verified; which, is not known: "both" is ours, "none" leaves them out.
        is_text_frozen, is_vision_frozen: known: the backbones train, and a frozen variant exists.
    """

    model_type = "plait-ret2"

    def __init__(
        self,
        *,
        text_config: PreTrainedConfig | dict[str, Any] | None = None,
        vision_config: PreTrainedConfig | dict[str, Any] | None = None,
        layer_strategy: str = "early_middle_late",
        text_layers: Sequence[int] | None = None,
        vision_layers: Sequence[int] | None = None,
        hidden_size: int = 768,
        num_queries: int = 4,
        late_proj_output_size: int = 768,
        output: str = "pooled",
        pooling: str = "mean",
        global_features: str = "both",
        is_text_frozen: bool = False,
        is_vision_frozen: bool = False,
        **kwargs: Any,  # RetConfig's other fields, and transformers' own
    ) -> None:
        super().__init__(
            text_config=text_config,
            vision_config=vision_config,
            layer_strategy=layer_strategy,
            text_layers=text_layers,
            vision_layers=vision_layers,
            hidden_size=hidden_size,
            num_queries=num_queries,
            late_proj_output_size=late_proj_output_size,
            output=output,
            pooling=pooling,
            global_features=global_features,
            is_text_frozen=is_text_frozen,
            is_vision_frozen=is_vision_frozen,
            **kwargs,
        )


class Ret2RetrievalConfig(RetRetrievalConfig):
    """ReT-2 for retrieval; see `RetRetrievalConfig` for what is not described here.

    Args:
        query_config: the encoder of both sides, unless `share_sides` is False.
        share_sides: known: one encoder serves both.
        late_interaction: known: single vectors are compared.
        loss_temperature: of the loss; not known, 0.02 is ours: inner products of unit vectors differ too
            little for a loss without one.
    """

    model_type = "plait-ret2-retrieval"
    side_class: ClassVar[type[RetConfig]] = Ret2Config
    sub_configs: ClassVar[dict[str, Any]] = {"query_config": Ret2Config, "document_config": Ret2Config}

    def __init__(
        self,
        *,
        query_config: RetConfig | dict[str, Any] | None = None,
        document_config: RetConfig | dict[str, Any] | None = None,
        share_sides: bool = True,
        late_interaction: bool = False,
        loss_temperature: float = 0.02,
        **kwargs: Any,  # RetRetrievalConfig's other fields, and transformers' own
    ) -> None:
        super().__init__(
            query_config=query_config,
            document_config=document_config,
            share_sides=share_sides,
            late_interaction=late_interaction,
            loss_temperature=loss_temperature,
            **kwargs,
        )
