"""ReT: token vectors of text, image, or both, by a recurrence over the layers of two backbones.

Source: Caffagni et al., Recurrence-Enhanced Vision-and-Language Transformers for Robust Multimodal
Document Retrieval (arXiv 2503.01980). Reproduces the official release; `convert.py` reads its files.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, initialization
from transformers.utils import ModelOutput

from plait.errors import ModelError
from plait.model import backbones
from plait.model.recurrence import Attention, RecurrentCell, sinusoids
from plait.model.ret import convert
from plait.model.ret.configuration_ret import RetConfig, RetRetrievalConfig
from plait.model.ret.inputs import RetInputs
from plait.model.ret.sides import RetHead, RetOutput, Towers
from plait.model.ret.stored import stored
from plait.scoring.contrastive import contrastive_loss
from plait.scoring.dense import inner_products
from plait.scoring.maxsim import maxsim


@dataclass
class RetRetrievalOutput(ModelOutput):  # type: ignore[misc]  # transformers is not typed
    """What `RetForRetrieval` gives.

    Attributes:
        loss: scalar.
        logits: (Q, N) scores of this process's queries and documents, higher is better.
        query_features, document_features: (Q, q, d) and (N, n, d), or (Q, d) and (N, d) when single
            vectors are compared; unit length along d.
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
        """Return the stored model, in evaluation mode.

        Args:
            path: a folder, an installed pip package that carries one, or a name on the hub, which is
                fetched unless `local_files_only`.
            options: of transformers' own `from_pretrained`: `dtype`, `device_map`, `local_files_only`, ...

        Raises:
            ModelError: there is no such model, or its weights are missing, left over, of another shape or
                not finite: none is ever left random.
        """
        folder = None if path is None else _folder(path, options)
        model, report = super().from_pretrained(folder, output_loading_info=True, **options)
        for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
            if report[what]:
                seen = f"{len(report[what])} {what.replace('_', ' ')}, such as {min(report[what])}"
                raise ModelError(f"{path or 'the given weights'}: {seen}; is this a ReT checkpoint?")
        check_finite(model, str(path or "the given weights"))
        for towers in model.modules():
            if isinstance(towers, Towers):
                towers.freeze()  # loading makes every weight anew, and trainable
        if path is not None:
            model.config.name_or_path = str(path)
        return model  # type: ignore[no-any-return]

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, RecurrentCell):
            module.reset_parameters()
            initialization.copy_(module.position, sinusoids(module.config.tokens, module.config.width))
        elif isinstance(module, Attention | nn.Linear | nn.LayerNorm):
            module.reset_parameters()


class RetModel(RetPreTrainedModel):
    """One side: backbones, recurrence and projection."""

    config_class = RetConfig
    config: RetConfig

    def __init__(self, config: RetConfig) -> None:
        super().__init__(config)
        self.towers = Towers(config)
        self.head = RetHead(config)
        self.post_init()
        self.towers.adapt()  # after the initialisation, which would undo that adapters begin at nothing

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        text_mask: Tensor | None = None,
        image_mask: Tensor | None = None,
    ) -> RetOutput:
        """Return token vectors, one vector or both, as configured, not normalised.

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
        self._adapt()

    @classmethod
    def from_pretrained(cls, path: str | os.PathLike[str] | None, **options: Any) -> Self:
        """Return the stored model, ours or the official release's, in evaluation mode.

        Options and errors are those of `RetPreTrainedModel.from_pretrained`.
        """
        if path is None:
            return super().from_pretrained(None, **options)
        folder = _folder(path, options)
        if not convert.is_official(folder):
            model = super().from_pretrained(folder, **options)
        else:
            config, weights = convert.load_official(folder)
            given = {"config": config, "state_dict": weights, **options}
            model = super().from_pretrained(None, **given)
        model.config.name_or_path = str(path)
        return model

    @classmethod
    def from_backbones(
        cls, text: str | os.PathLike[str], vision: str | os.PathLike[str], config: Any = None
    ) -> Self:
        """Return a model to train: pretrained backbones under a random head (seed torch first).

        Args:
            text, vision: where each backbone lies: a folder, a pip package that carries one, or a hub
                name that was downloaded. A combined model, such as CLIP, serves as both.
            config: everything but the backbones' own configurations, which the sources bring; None takes
                the defaults with every layer of the shallower backbone.

        Raises:
            ModelError: a source that is missing, or does not fit.
        """
        config = copy.deepcopy(config or cls.config_class(query_config={"layer_strategy": "all"}))
        for side in (config.query_config, config.document_config):
            side.text_config = backbones.source_config(text, "text")
            side.vision_config = backbones.source_config(vision, "vision")
        model = cls(_without_adapters(config))
        for towers in (model.towers, model.document_towers):
            if towers is not None and towers.text is not None:
                backbones.load_pretrained(towers.text, text)
            if towers is not None and towers.vision is not None:
                backbones.load_pretrained(towers.vision, vision)
        model._take_adapters(config)
        model.eval()
        return model

    def merge_adapters(self) -> Self:
        """Bake low-rank adapters into the backbones' own weights, and return the model, now without any."""
        for side in (self.config.query_config, self.config.document_config):
            side.text_lora_rank = side.vision_lora_rank = 0
        for towers in self._all_towers():
            for tower in (towers.text, towers.vision):
                if tower is not None:
                    backbones.merge_adapters(tower)
            towers.freeze()
        return self

    def encode_queries(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        text_mask: Tensor | None = None,
        image_mask: Tensor | None = None,
    ) -> Tensor:
        """Return the unit vectors of queries that scores compare; arguments of `RetInputs`.

        Returns:
            (B, tokens, d) under late interaction, else (B, d).
        """
        inputs = RetInputs(input_ids, attention_mask, pixel_values, text_mask, image_mask)
        return self._compared(self.query_output(inputs).normalized())

    def encode_documents(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        text_mask: Tensor | None = None,
        image_mask: Tensor | None = None,
    ) -> Tensor:
        """Return the unit vectors of documents, as `encode_queries` does those of queries."""
        inputs = RetInputs(input_ids, attention_mask, pixel_values, text_mask, image_mask)
        return self._compared(self.document_output(inputs).normalized())

    def query_features(self, inputs: RetInputs) -> Tensor:
        """Return what `encode_queries` does, not normalised."""
        return self._compared(self.query_output(inputs))

    def document_features(self, inputs: RetInputs) -> Tensor:
        """Return what `encode_documents` does, not normalised."""
        return self._compared(self.document_output(inputs))

    def query_output(self, inputs: RetInputs) -> RetOutput:
        """Return all that the query side gives out, not normalised."""
        text, vision = self.towers.text_states(inputs), self.towers.vision_states(inputs)
        return self.query_head(inputs.batch, text, vision)  # type: ignore[no-any-return]

    def document_output(self, inputs: RetInputs) -> RetOutput:
        """Return all that the document side gives out, not normalised."""
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
        config = self.config
        score = maxsim if config.late_interaction else inner_products
        loss = contrastive_loss(
            query,
            document,
            labels,
            score=score,
            symmetric=config.symmetric_loss,
            scale=1 / config.loss_temperature,
        )
        return RetRetrievalOutput(
            loss=loss, logits=score(query, document), query_features=query, document_features=document
        )

    def _compared(self, output: RetOutput) -> Tensor:
        vectors = output.token_vectors if self.config.late_interaction else output.vector
        assert vectors is not None, "the configuration checked that its sides give what is compared"
        return vectors

    def _all_towers(self) -> list[Towers]:
        return [towers for towers in (self.towers, self.document_towers) if towers is not None]

    def _adapt(self) -> None:
        for towers in self._all_towers():
            towers.adapt()

    def _take_adapters(self, config: RetRetrievalConfig) -> None:
        """Take over what a configuration says of adapters, and insert them."""
        for ours, theirs in (
            (self.config.query_config, config.query_config),
            (self.config.document_config, config.document_config),
        ):
            ours.text_lora_rank, ours.vision_lora_rank = theirs.text_lora_rank, theirs.vision_lora_rank
        self._adapt()


def check_finite(model: nn.Module, name: str) -> None:
    """Check that every weight is a finite number.

    Raises:
        ModelError: one is not; the message names the tensor and how many of its numbers are bad.
    """
    for weight, values in model.state_dict().items():
        if values.is_floating_point() and not bool(torch.isfinite(values.sum())):
            bad = int((~torch.isfinite(values)).sum())
            if bad:  # else only their sum was too large
                raise ModelError(
                    f"{name}: {bad} of the {values.numel()} numbers in {weight} are NaN or infinite: the "
                    "training diverged or the file is damaged; take an earlier checkpoint"
                )


def _folder(path: str | os.PathLike[str], options: dict[str, Any]) -> Path:
    """Return where a model lies, and take out the options that only said where."""
    local = options.get("local_files_only", False)
    return stored(path, local_files_only=local, revision=options.pop("revision", None))


def _without_adapters(config: RetRetrievalConfig) -> RetRetrievalConfig:
    config = copy.deepcopy(config)
    for side in (config.query_config, config.document_config):
        side.text_lora_rank = side.vision_lora_rank = 0
    return config
