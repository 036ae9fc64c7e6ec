"""The two parts of a side of ReT: its backbones (`Towers`), and what is learned on top (`RetHead`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor, nn
from torch.nn import functional
from transformers.utils import ModelOutput

from plait.model import backbones
from plait.model.recurrence import LayerStates, RecurrentCell
from plait.model.ret.configuration_ret import RetConfig
from plait.model.ret.inputs import RetInputs, expect_none, present_rows, take


@dataclass(frozen=True, slots=True)
class Seen:
    """What a backbone says of a batch.

    Attributes:
        steps: its states at each step.
        feature: (P, width) its own pooled feature of the rows that have the modality; None unless asked for.
    """

    steps: list[LayerStates]
    feature: Tensor | None = None

    @property
    def rows(self) -> Tensor | None:
        """(P,) which rows of the batch have the modality; None: all."""
        return self.steps[0].rows


@dataclass
class RetOutput(ModelOutput):  # type: ignore[misc]  # transformers is not typed
    """What a side gives out.

    Attributes:
        token_vectors: (B, tokens, d); None unless the configuration's `output` asks for them.
        vector: (B, d) likewise.
    """

    token_vectors: Tensor | None = None
    vector: Tensor | None = None

    def normalized(self) -> RetOutput:
        """Return the same at unit length along d."""
        return RetOutput(
            token_vectors=_unit(self.token_vectors),
            vector=_unit(self.vector),
        )


class Towers(nn.Module):
    """The backbones of a side, and the layers read from them; either may be absent."""

    def __init__(self, config: RetConfig, *, text: bool = True, vision: bool = True) -> None:
        super().__init__()
        self.config = config
        self.layers = config.layers
        self.text = (
            backbones.text_tower(config.text_config, self.layers.text, pooled=config.reads_text_feature)
            if text
            else None
        )
        self.vision = (
            backbones.vision_tower(
                config.vision_config, self.layers.vision, pooled=config.reads_vision_feature
            )
            if vision
            else None
        )
        self.freeze()

    def adapt(self) -> None:
        """Insert low-rank adapters where the configuration asks for them."""
        config = self.config
        for tower, rank in ((self.text, config.text_lora_rank), (self.vision, config.vision_lora_rank)):
            if tower is not None and rank:
                backbones.adapt(tower, rank=rank, alpha=config.lora_alpha, dropout=config.lora_dropout)
        self.freeze()

    def freeze(self) -> None:
        """Keep frozen weights from training, and let the others train: adapters, or whole backbones."""
        for tower, frozen, rank in self._choices():
            if tower is None:
                continue
            for name, parameter in tower.named_parameters():
                parameter.requires_grad_("lora_" in name if rank else not frozen)

    def train(self, mode: bool = True) -> Self:
        """Set training mode, but leave frozen backbones in evaluation mode."""
        super().train(mode)
        for tower, frozen, rank in self._choices():
            if tower is not None and frozen and not rank:
                tower.eval()
        return self

    def text_states(self, inputs: RetInputs) -> Seen | None:
        """Return what the text backbone says of the rows that have text; None when no row has."""
        rows = present_rows(inputs.text_mask)
        if self.text is None or inputs.input_ids is None or (rows is not None and not len(rows)):
            expect_none(rows, inputs.text_mask, "text")
            return None
        ids = take(inputs.input_ids, inputs.text_mask, rows)
        mask = None if inputs.attention_mask is None else take(inputs.attention_mask, inputs.text_mask, rows)
        read = backbones.read_text(
            self.text,
            self.layers.text,
            input_ids=ids,
            attention_mask=mask,
            pooled=self.config.reads_text_feature,
        )
        words = None if mask is None else mask.bool()
        return Seen([LayerStates(values, words, rows) for values in read.layers], read.pooled)

    def vision_states(self, inputs: RetInputs) -> Seen | None:
        """Return what the vision backbone says of the rows that have an image; None when no row has."""
        rows = present_rows(inputs.image_mask)
        if self.vision is None or inputs.pixel_values is None or (rows is not None and not len(rows)):
            expect_none(rows, inputs.image_mask, "image")
            return None
        read = backbones.read_vision(
            self.vision,
            self.layers.vision,
            pixel_values=take(inputs.pixel_values, inputs.image_mask, rows),
            pooled=self.config.reads_vision_feature,
        )
        return Seen([LayerStates(values, None, rows) for values in read.layers], read.pooled)

    def _choices(self) -> tuple[tuple[nn.Module | None, bool, int], ...]:
        """Return each backbone, whether it is frozen, and the rank of its adapters."""
        config = self.config
        return (
            (self.text, config.is_text_frozen, config.text_lora_rank),
            (self.vision, config.is_vision_frozen, config.vision_lora_rank),
        )


class RetHead(nn.Module):
    """What a side learns: an adapter for each layer read, the shared cell, and the last projections."""

    def __init__(self, config: RetConfig) -> None:
        super().__init__()
        self.config = config
        layers, width, given = config.layers, config.hidden_size, config.late_proj_output_size
        self.text_adapters = _adapters(backbones.layer_widths(config.text_config, layers.text), width)
        self.vision_adapters = _adapters(backbones.layer_widths(config.vision_config, layers.vision), width)
        self.cell = RecurrentCell(config.recurrence)
        self.projection = nn.Linear(width, given, bias=False)
        self.text_feature = (
            nn.Linear(backbones.pooled_width(config.text_config), given)
            if config.reads_text_feature
            else None
        )
        self.vision_feature = (
            nn.Linear(backbones.pooled_width(config.vision_config), given)
            if config.reads_vision_feature
            else None
        )

    def forward(self, batch: int, text: Seen | None, vision: Seen | None) -> RetOutput:
        """Return what the configuration asks for, not normalised, from what the backbones say."""
        h = self.cell.start(batch)
        for step in range(len(self.text_adapters)):
            h = self.cell(
                h, _adapted(self.text_adapters, text, step), _adapted(self.vision_adapters, vision, step)
            )
        return self.give(self.projection(h), text, vision)

    def give(self, tokens: Tensor, text: Seen | None, vision: Seen | None) -> RetOutput:
        """Return the output of projected tokens, (B, tokens, d), and the backbones' own features."""
        config = self.config
        vector = None
        if config.gives_vector:
            vector = pooled(tokens, config.pooling)
            vector = _added(vector, self.text_feature, text)
            vector = _added(vector, self.vision_feature, vision)
        return RetOutput(token_vectors=tokens if config.gives_tokens else None, vector=vector)


def pooled(tokens: Tensor, pooling: str) -> Tensor:
    """Return (B, d) of (B, tokens, d), by the configuration's `pooling`."""
    if pooling == "first":
        return tokens[:, 0]
    return tokens.amax(1) if pooling == "max" else tokens.mean(1)


def _adapters(widths: Sequence[int], width: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Linear(of_layer, width) for of_layer in widths)


def _adapted(adapters: nn.ModuleList, seen: Seen | None, step: int) -> LayerStates | None:
    if seen is None:
        return None
    states = seen.steps[step]
    return replace(states, values=adapters[step](states.values))


def _added(vector: Tensor, projection: nn.Linear | None, seen: Seen | None) -> Tensor:
    """Return (B, d) with a backbone's projected feature added in the rows that have the modality."""
    if projection is None or seen is None or seen.feature is None:
        return vector
    feature: Tensor = projection(seen.feature)
    if seen.rows is None:
        return vector + feature
    return vector.index_add(0, seen.rows, feature.to(vector.dtype))


def _unit(vectors: Tensor | None) -> Tensor | None:
    return None if vectors is None else functional.normalize(vectors, dim=-1)
