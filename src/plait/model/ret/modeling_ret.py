"""ReT: token vectors of text, image, or both, by a recurrence over the layers of two backbones.

Source: Caffagni et al., Recurrence-Enhanced Vision-and-Language Transformers for Robust Multimodal
Document Retrieval (arXiv 2503.01980). Reproduces the official release; `convert.py` reads its files.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, initialization
from transformers.utils import ModelOutput

from plait.errors import ModelError, ShapeError
from plait.model import backbones
from plait.model.recurrence import Attention, LayerStates, RecurrentCell, sinusoids
from plait.model.ret import convert
from plait.model.ret.configuration_ret import RetConfig, RetRetrievalConfig
from plait.scoring.contrastive import contrastive_loss
from plait.scoring.dense import inner_products
from plait.scoring.maxsim import maxsim


@dataclass
class RetRetrievalOutput(ModelOutput):  # type: ignore[misc]  # transformers is not typed
    """What `RetForRetrieval` gives.

    Attributes:
        loss: scalar.
        logits: (Q, N) scores of this process's queries and documents, higher is better.
        query_features, document_features: (Q, q, d) and (N, n, d), or (Q, d) and (N, d) when pooled;
            unit length along d.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    query_features: Tensor | None = None
    document_features: Tensor | None = None


class RetPreTrainedModel(PreTrainedModel):  # type: ignore[misc]  # transformers is not typed
    """What both models below share with transformers."""

    base_model_prefix = "ret"
    main_input_name = "input_ids"
    _supports_sdpa = True
    _no_split_modules = ("RecurrentCell", "CLIPEncoderLayer")

    @classmethod
    def from_pretrained(cls, path: str | os.PathLike[str] | None, **options: Any) -> Self:
        """Return the model stored in a folder, in evaluation mode.

        Args:
            path: a folder, or a name on the hub.
            options: of transformers' own `from_pretrained`: `dtype`, `device_map`, `local_files_only`, ...

        Raises:
            ModelError: weights are missing, left over, or of another shape: none is ever left random.
        """
        model, report = super().from_pretrained(path, output_loading_info=True, **options)
        for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
            if report[what]:
                seen = f"{len(report[what])} {what.replace('_', ' ')}, such as {min(report[what])}"
                raise ModelError(f"{path or 'the given weights'}: {seen}; is this a ReT checkpoint?")
        for towers in model.modules():
            if isinstance(towers, Towers):
                towers.freeze()  # loading makes every weight anew, and trainable
        return model  # type: ignore[no-any-return]

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, RecurrentCell):
            module.reset_parameters()
            initialization.copy_(module.position, sinusoids(module.config.tokens, module.config.width))
        elif isinstance(module, Attention | nn.Linear | nn.LayerNorm):
            module.reset_parameters()


@dataclass(frozen=True, slots=True)
class RetInputs:
    """A batch of B inputs, each with text, an image, both or neither.

    Attributes:
        input_ids, attention_mask: (B, n), or (P, n) for only the P rows that have text; right-padded.
        pixel_values: (B, 3, height, width), or (P, 3, height, width) for only the rows with an image.
        text_mask, image_mask: (B,), nonzero where the row has the modality; None: every row does,
            or none when its tensors are not given.
    """

    input_ids: Tensor | None = None
    attention_mask: Tensor | None = None
    pixel_values: Tensor | None = None
    text_mask: Tensor | None = None
    image_mask: Tensor | None = None

    @property
    def batch(self) -> int:
        """B.

        Raises:
            ShapeError: nothing given, or masks of different lengths.
        """
        text = self.input_ids if self.text_mask is None else self.text_mask
        image = self.pixel_values if self.image_mask is None else self.image_mask
        rows = [len(modality) for modality in (text, image) if modality is not None]
        if not rows:
            raise ShapeError("nothing to encode: give input_ids, pixel_values, or a mask of zeros")
        if len(set(rows)) > 1:
            raise ShapeError(f"texts and images disagree about the batch: {rows[0]} and {rows[1]} rows")
        return rows[0]


class RetModel(RetPreTrainedModel):
    """One side: backbones, recurrence and projection."""

    config_class = RetConfig
    config: RetConfig

    def __init__(self, config: RetConfig) -> None:
        super().__init__(config)
        self.towers = Towers(config)
        self.head = RetHead(config)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        text_mask: Tensor | None = None,
        image_mask: Tensor | None = None,
    ) -> Tensor:
        """Return (B, tokens, d) features, or (B, d) when pooled, not normalised.

        The arguments are those of `RetInputs`. A backbone runs only for the rows with its modality.

        Raises:
            ShapeError: nothing given, or tensors that do not fit the masks.
        """
        inputs = RetInputs(input_ids, attention_mask, pixel_values, text_mask, image_mask)
        text, vision = self.towers.text_states(inputs), self.towers.vision_states(inputs)
        return self.head(inputs.batch, text, vision)  # type: ignore[no-any-return]


class RetForRetrieval(RetPreTrainedModel):
    """Both sides: encodes queries and documents, scores them, and computes the training loss."""

    config_class = RetRetrievalConfig
    config: RetRetrievalConfig

    def __init__(self, config: RetRetrievalConfig) -> None:
        super().__init__(config)
        own_text = not (config.share_sides or config.share_text_tower)
        own_vision = not (config.share_sides or config.share_vision_tower)
        self.towers = Towers(config.query_config)
        self.document_towers = (
            Towers(config.document_config, text=own_text, vision=own_vision)
            if own_text or own_vision
            else None
        )
        self.query_head = RetHead(config.query_config)
        self.document_head = None if config.share_sides else RetHead(config.document_config)
        self.post_init()

    @classmethod
    def from_pretrained(cls, path: str | os.PathLike[str] | None, **options: Any) -> Self:
        """Return the model stored in a folder, ours or the official release's, in evaluation mode.

        Options and errors are those of `RetPreTrainedModel.from_pretrained`.
        """
        if path is None or not convert.is_official(Path(path)):
            return super().from_pretrained(path, **options)
        config, weights = convert.load_official(Path(path))
        model = super().from_pretrained(None, **{"config": config, "state_dict": weights, **options})
        model.config.name_or_path = str(path)
        return model

    def encode_queries(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        text_mask: Tensor | None = None,
        image_mask: Tensor | None = None,
    ) -> Tensor:
        """Return (B, tokens, d) unit vectors of queries, (B, d) when pooled; arguments of `RetInputs`."""
        inputs = RetInputs(input_ids, attention_mask, pixel_values, text_mask, image_mask)
        return functional.normalize(self.query_features(inputs), dim=-1)

    def encode_documents(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        text_mask: Tensor | None = None,
        image_mask: Tensor | None = None,
    ) -> Tensor:
        """Return (B, tokens, d) unit vectors of documents, (B, d) when pooled; arguments of `RetInputs`."""
        inputs = RetInputs(input_ids, attention_mask, pixel_values, text_mask, image_mask)
        return functional.normalize(self.document_features(inputs), dim=-1)

    def query_features(self, inputs: RetInputs) -> Tensor:
        """Return what `encode_queries` does, not normalised."""
        text, vision = self.towers.text_states(inputs), self.towers.vision_states(inputs)
        return self.query_head(inputs.batch, text, vision)  # type: ignore[no-any-return]

    def document_features(self, inputs: RetInputs) -> Tensor:
        """Return what `encode_documents` does, not normalised."""
        own = self.document_towers
        text_towers = self.towers if own is None or own.text is None else own
        vision_towers = self.towers if own is None or own.vision is None else own
        head = self.query_head if self.document_head is None else self.document_head
        text, vision = text_towers.text_states(inputs), vision_towers.vision_states(inputs)
        return head(inputs.batch, text, vision)  # type: ignore[no-any-return]

    def forward(
        self,
        queries: Mapping[str, Tensor],
        documents: Mapping[str, Tensor],
        labels: Sequence[Hashable] | Tensor | None = None,
    ) -> RetRetrievalOutput:
        """Return features, scores and the loss of queries paired with documents.

        Args:
            queries, documents: what the processor gives, equally many; query k belongs to document k.
            labels: the entity of each pair: documents with a query's label are positives alike. None:
                only document k is right for query k.

        Returns:
            The loss is over the documents of all processes when a process group is up.
        """
        query, document = self.encode_queries(**queries), self.encode_documents(**documents)
        score = maxsim if self.config.late_interaction else inner_products
        loss = contrastive_loss(query, document, labels, score=score, symmetric=self.config.symmetric_loss)
        return RetRetrievalOutput(
            loss=loss, logits=score(query, document), query_features=query, document_features=document
        )


class Towers(nn.Module):
    """The backbones of a side, and the layers read from them; either may be absent."""

    def __init__(self, config: RetConfig, *, text: bool = True, vision: bool = True) -> None:
        super().__init__()
        self.layers = config.layers
        self.text = backbones.text_tower(config.text_config, self.layers.text) if text else None
        self.vision = backbones.vision_tower(config.vision_config, self.layers.vision) if vision else None
        self.frozen = (config.is_text_frozen, config.is_vision_frozen)
        self.freeze()

    def freeze(self) -> None:
        """Keep the weights of frozen backbones from training, and let the others train."""
        for tower, frozen in zip((self.text, self.vision), self.frozen, strict=True):
            if tower is not None:
                tower.requires_grad_(not frozen)

    def train(self, mode: bool = True) -> Self:
        """Set training mode, but leave frozen backbones in evaluation mode."""
        super().train(mode)
        for tower, frozen in zip((self.text, self.vision), self.frozen, strict=True):
            if tower is not None and frozen:
                tower.eval()
        return self

    def text_states(self, inputs: RetInputs) -> list[LayerStates] | None:
        """Return the states of each step for the rows that have text; None when no row has."""
        rows = _present_rows(inputs.text_mask)
        if self.text is None or inputs.input_ids is None or (rows is not None and not len(rows)):
            _expect_none(rows, inputs.text_mask, "text")
            return None
        ids = _take(inputs.input_ids, inputs.text_mask, rows)
        mask = None if inputs.attention_mask is None else _take(inputs.attention_mask, inputs.text_mask, rows)
        states = backbones.text_layers(self.text, self.layers.text, input_ids=ids, attention_mask=mask)
        return [LayerStates(values, None if mask is None else mask.bool(), rows) for values in states]

    def vision_states(self, inputs: RetInputs) -> list[LayerStates] | None:
        """Return the states of each step for the rows that have an image; None when no row has."""
        rows = _present_rows(inputs.image_mask)
        if self.vision is None or inputs.pixel_values is None or (rows is not None and not len(rows)):
            _expect_none(rows, inputs.image_mask, "image")
            return None
        pixels = _take(inputs.pixel_values, inputs.image_mask, rows)
        states = backbones.vision_layers(self.vision, self.layers.vision, pixel_values=pixels)
        return [LayerStates(values, None, rows) for values in states]


class RetHead(nn.Module):
    """What a side learns: an adapter for each layer read, the shared cell, and the last projection."""

    def __init__(self, config: RetConfig) -> None:
        super().__init__()
        steps, width = len(config.layers.text), config.hidden_size
        self.pooled = config.use_pooler_features
        self.text_adapters = _adapters(config.text_config.hidden_size, width, steps)
        self.vision_adapters = _adapters(config.vision_config.hidden_size, width, steps)
        self.cell = RecurrentCell(config.recurrence)
        self.projection = nn.Linear(width, config.late_proj_output_size, bias=False)

    def forward(
        self, batch: int, text: Sequence[LayerStates] | None, vision: Sequence[LayerStates] | None
    ) -> Tensor:
        """Return (B, tokens, d), or (B, d) when pooled, from each step's backbone states."""
        h = self.cell.start(batch)
        for step in range(len(self.text_adapters)):
            h = self.cell(
                h, _adapted(self.text_adapters, text, step), _adapted(self.vision_adapters, vision, step)
            )
        tokens: Tensor = self.projection(h)
        return tokens.mean(1) if self.pooled else tokens


def _adapters(backbone_width: int, width: int, steps: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Linear(backbone_width, width) for _ in range(steps))


def _adapted(adapters: nn.ModuleList, states: Sequence[LayerStates] | None, step: int) -> LayerStates | None:
    return None if states is None else replace(states[step], values=adapters[step](states[step].values))


def _present_rows(mask: Tensor | None) -> Tensor | None:
    """Return the rows a mask marks, (P,); None when it marks all or there is none."""
    if mask is None or bool((mask != 0).all()):
        return None
    return mask.nonzero().squeeze(1)


def _take(values: Tensor, mask: Tensor | None, rows: Tensor | None) -> Tensor:
    """Return the marked rows of `values`, which may already hold only those."""
    given, batch = len(values), len(values) if mask is None else len(mask)
    present = batch if rows is None else len(rows)
    if given == batch and rows is not None:
        return values[rows]
    if given != present:
        raise ShapeError(
            f"got {given} rows of inputs, expected {batch}, or only the {present} that the mask marks"
        )
    return values


def _expect_none(rows: Tensor | None, mask: Tensor | None, name: str) -> None:
    if mask is not None and (rows is None or len(rows)):
        raise ShapeError(f"the {name} mask marks rows with {name}, but no {name} tensors were given")
