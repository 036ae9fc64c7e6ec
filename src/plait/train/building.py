"""The model and the loss of a training run, from its settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from sentence_transformers import MultiVectorEncoder
from torch import nn

from plait.encode.st import RetModule, RetMultiVectorEncoder, RetSentenceTransformer
from plait.encode.starting import started
from plait.errors import InputError
from plait.extras import require
from plait.model import backbones
from plait.model.ret.configuration_ret import RetConfig, RetRetrievalConfig
from plait.model.ret.modeling_ret import RetForRetrieval
from plait.model.ret.processing_ret import RetProcessor
from plait.model.ret.sides import Towers
from plait.model.ret2.configuration_ret2 import Ret2Config, Ret2RetrievalConfig
from plait.model.ret2.modeling_ret2 import Ret2ForRetrieval
from plait.train.config import ObjectiveConfig
from plait.train.loss import TrainingLoss
from plait.train.model_config import BackboneTraining, FromBackbones, ModelConfig, SideConfig
from plait.train.objectives.contrastive import Contrastive
from plait.train.objectives.distillation import Distillation
from plait.train.objectives.matryoshka import Matryoshka
from plait.train.objectives.weighted import Weighted

_SINGLE_VECTOR_TEMPERATURE = 0.05  # sentence-transformers' own, for models that name none

_FAMILIES: Mapping[str, tuple[type[RetConfig], type[RetRetrievalConfig], type[RetForRetrieval]]] = {
    "ret": (RetConfig, RetRetrievalConfig, RetForRetrieval),
    "ret2": (Ret2Config, Ret2RetrievalConfig, Ret2ForRetrieval),
}


def build_model(config: ModelConfig, *, device: str, gradient_checkpointing: bool = False) -> Any:
    """Return the encoder to train, of sentence-transformers, in float32; seed torch first.

    Raises:
        ModelError: it is not there, or cannot be trained.
        InputError: choices that do not fit it.
        MissingExtraError: adapters are asked for, and peft is not installed.
    """
    new = config.from_backbones
    encoder = _from_backbones(new, device) if new is not None else started(str(config.start), device)
    if config.max_text_tokens is not None:
        encoder.max_seq_length = config.max_text_tokens
    ret = ret_of(encoder)
    if ret is not None:
        _choose(ret, config.backbones)
    else:
        _choose_other(encoder, config.backbones)
    if not any(weight.requires_grad for weight in encoder.parameters()):
        raise InputError("nothing of the model trains: set model.backbones.text to full or lora")
    if gradient_checkpointing:
        _checkpoint_gradients(encoder)
    return encoder.to(device)


def build_loss(encoder: Any, config: ObjectiveConfig) -> TrainingLoss:
    """Return the loss; a ReT model's configuration then says how it is trained.

    Raises:
        InputError: options out of range.
    """
    parts: list[tuple[float, nn.Module]] = []
    if (contrastive := config.contrastive) is not None:
        temperature = contrastive.temperature or own_temperature(encoder)
        contrast = Contrastive(
            symmetric=contrastive.symmetric,
            temperature=temperature,
            learn_temperature=contrastive.learn_temperature,
            false_negative_margin=contrastive.false_negative_margin,
            gather=contrastive.gather,
        )
        parts.append((contrastive.weight, contrast))
        if (ret := ret_of(encoder)) is not None:
            ret.config.loss_temperature, ret.config.symmetric_loss = temperature, contrastive.symmetric
    if (distillation := config.distillation) is not None:
        taught = Distillation(
            distillation.kind,
            temperature=distillation.temperature,
            student_temperature=distillation.student_temperature,
        )
        parts.append((distillation.weight, taught))
    objective: nn.Module = parts[0][1] if len(parts) == 1 and parts[0][0] == 1 else Weighted(parts)
    if config.matryoshka:
        sizes = [(size.tokens, size.width, size.weight) for size in config.matryoshka]
        objective = Matryoshka(objective, [(None, None, 1.0), *sizes])
    dropout = config.modality_dropout
    of_documents = (
        dropout.text if dropout.document_text is None else dropout.document_text,
        dropout.image if dropout.document_image is None else dropout.document_image,
    )
    return TrainingLoss(
        encoder,
        objective,
        mini_batch_size=config.mini_batch_size,
        modality_dropout=(dropout.text, dropout.image),
        document_modality_dropout=of_documents,
    )


def ret_of(encoder: Any) -> RetForRetrieval | None:
    """Return the ReT or ReT-2 model within an encoder; None where it is another kind."""
    first = encoder[0]
    return first.model if isinstance(first, RetModule) else None


def own_temperature(encoder: Any) -> float:
    """Return the temperature that a model is trained with unless told otherwise."""
    if (ret := ret_of(encoder)) is not None:
        return float(ret.config.loss_temperature)
    return 1.0 if isinstance(encoder, MultiVectorEncoder) else _SINGLE_VECTOR_TEMPERATURE


def backbone_pattern(encoder: Any) -> str:
    """Return a pattern of the names that backbones' weights have in the loss.

    Raises:
        InputError: none of them trains.
    """
    pattern = r"^model\.0\.model\.(document_)?towers\." if ret_of(encoder) is not None else r"^model\.0\."
    places = _backbones(encoder)
    if not any(weight.requires_grad for place in places for weight in place.parameters()):
        raise InputError(
            "trainer.backbone_learning_rate is set, but no backbone trains: set model.backbones.text or "
            "vision to full or lora, or leave it out"
        )
    return pattern


def _from_backbones(new: FromBackbones, device: str) -> Any:
    """Return the encoder of a new model."""
    side_class, config_class, model_class = _FAMILIES[new.family]
    query, document = (_given(new.side) | _given(side) for side in (new.query, new.document))
    if new.family == "ret":
        query, document = _every_layer(query), _every_layer(document)
    names = ("share_sides", "share_text_tower", "share_vision_tower", "late_interaction")
    shared = {name: value for name in names if (value := getattr(new, name)) is not None}
    config = config_class(query_config=side_class(**query), document_config=side_class(**document), **shared)
    model = model_class.from_backbones(new.text, new.vision, config)
    model.config.name_or_path = ""
    processor = RetProcessor.from_backbones(new.text, new.vision)
    kind = RetMultiVectorEncoder if config.late_interaction else RetSentenceTransformer
    return kind.from_ret(model, processor, device=device)


def _given(side: SideConfig) -> dict[str, Any]:
    """Return the choices that were made."""
    values = ((field.name, getattr(side, field.name)) for field in dataclasses.fields(side))
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values
        if value is not None
    }


def _every_layer(side: dict[str, Any]) -> dict[str, Any]:
    """Return a side that reads every layer unless it says which: ReT's own default is of CLIP's depth."""
    chosen = {"layer_strategy", "text_layers", "vision_layers"} & side.keys()
    return side if chosen else {"layer_strategy": "all", **side}


def _choose(ret: RetForRetrieval, choice: BackboneTraining) -> None:
    """Say what of a ReT model's backbones trains."""
    sides = (ret.config.query_config, ret.config.document_config)
    for side in sides:
        side.lora_alpha, side.lora_dropout = choice.lora_alpha, choice.lora_dropout
    for modality in ("text", "vision"):
        training = getattr(choice, modality)
        rank = getattr(choice, f"{modality}_lora_rank") if training == "lora" else 0
        if training is None:
            continue
        for side in sides:
            setattr(side, f"is_{modality}_frozen", training != "full")
        for towers in _towers(ret):
            tower = getattr(towers, modality)
            if tower is not None:
                _fit_adapters(tower, getattr(towers.config, f"{modality}_lora_rank"), rank, choice)
        for side in sides:
            setattr(side, f"{modality}_lora_rank", rank)
    for towers in _towers(ret):
        towers.freeze()


def _fit_adapters(tower: nn.Module, rank: int, wanted: int, choice: BackboneTraining) -> None:
    """Give a tower adapters of the rank wanted, unless it has them."""
    if rank and rank != wanted:
        raise InputError(
            f"the model has adapters of rank {rank}, but model.backbones asks for "
            f"{f'rank {wanted}' if wanted else 'none'}: keep them, or merge them first (merge_adapters)"
        )
    if wanted and not rank:
        backbones.adapt(tower, rank=wanted, alpha=choice.lora_alpha, dropout=choice.lora_dropout)


def _choose_other(encoder: Any, choice: BackboneTraining) -> None:
    """Say whether the one backbone of another model trains."""
    if choice.vision is not None:
        raise InputError(
            "model.backbones.vision is for ReT and ReT-2; this model has one backbone, which "
            "model.backbones.text means"
        )
    if choice.text == "frozen":
        encoder[0].requires_grad_(False)
    if choice.text == "lora":
        lora = require("peft").LoraConfig(
            r=choice.text_lora_rank,
            lora_alpha=choice.lora_alpha,
            lora_dropout=choice.lora_dropout,
            target_modules="all-linear",
        )
        encoder.add_adapter(lora)


def _checkpoint_gradients(encoder: Any) -> None:
    """Let backbones that train compute their activations anew in the backward pass.

    Raises:
        InputError: none of them can.
    """
    able: list[Any] = [
        module
        for place in _backbones(encoder)
        for module in place.modules()
        if getattr(module, "supports_gradient_checkpointing", False)
        and any(weight.requires_grad for weight in module.parameters())
    ]
    if not able:
        raise InputError(
            "trainer.gradient_checkpointing: no backbone that trains can do it; leave it out, and use "
            "objective.mini_batch_size to save memory"
        )
    for module in able:
        enable: Any = getattr(module, "activation_checkpointing_enable", None)  # in newer transformers
        (enable or module.gradient_checkpointing_enable)({"use_reentrant": False})


def _backbones(encoder: Any) -> list[nn.Module]:
    ret = ret_of(encoder)
    return [encoder[0]] if ret is None else list(_towers(ret))


def _towers(ret: RetForRetrieval) -> list[Towers]:
    return [module for module in ret.modules() if isinstance(module, Towers)]
