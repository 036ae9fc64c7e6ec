"""The families of backbones: for each, where transformers keeps its parts, and how it is used."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from typing import Any, Literal

from plait.errors import ModelError

Side = Literal["text", "vision"]


@dataclass(frozen=True, slots=True)
class Family:
    """One family of backbones.

    Attributes:
        side: what it reads.
        name: what the names of its classes begin with; they are imported on first use, which takes
            seconds for BERT.
        layers: where in the model the list of its layers is.
        final: modules after the last layer, which only a pooled vector passes.
        unused: modules and parameters that nothing here ever reads.
        pooling: whether the pooled vector is the model's own, or the mean over a text's tokens.
        pads_to_max: it was trained on texts padded to the limit, and attends the padding.
        sizes: of the pictures it reads: "fixed", whole "patches", or "any".
        module: where the classes are.
    """

    side: Side
    name: str
    layers: str
    final: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    pooling: Literal["own", "mean"] = "own"
    pads_to_max: bool = False
    sizes: Literal["fixed", "patches", "any"] = "fixed"
    module: str = "transformers"

    @property
    def config_class(self) -> Any:
        """The class of its configuration."""
        return getattr(importlib.import_module(self.module), f"{self.name}Config")

    @property
    def model_class(self) -> Any:
        """The class of its model."""
        return getattr(importlib.import_module(self.module), f"{self.name}Model")


def _clip(name: str, side: Side, *final: str, pads_to_max: bool = False) -> Family:
    name += side.capitalize()
    return Family(side, name, "encoder.layers", final=final, pads_to_max=pads_to_max)


def _siglip2_vision() -> Family:
    return replace(_clip("Siglip2", "vision", "post_layernorm", "head"), sizes="patches")


def _bert(name: str, layers: str = "encoder.layer", *final: str) -> Family:
    return Family("text", name, layers, final=final, unused=("pooler",), pooling="mean")


def _dinov2(name: str) -> Family:
    # The mask token stands in for hidden patches in pretraining.
    return Family(
        "vision",
        name,
        "encoder.layer",
        final=("layernorm",),
        unused=("embeddings.mask_token",),
        sizes="patches",
    )


# model_type -> family. OpenCLIP's H and G are CLIP's classes with another activation.
FAMILIES = {
    "clip_text_model": _clip("CLIP", "text", "final_layer_norm"),
    "siglip_text_model": _clip("Siglip", "text", "final_layer_norm", "head", pads_to_max=True),
    "siglip2_text_model": _clip("Siglip2", "text", "final_layer_norm", "head", pads_to_max=True),
    "bert": _bert("Bert"),
    "roberta": _bert("Roberta"),
    "xlm-roberta": _bert("XLMRoberta"),
    "distilbert": _bert("DistilBert", "transformer.layer"),
    "modernbert": _bert("ModernBert", "layers", "final_norm"),
    "clip_vision_model": _clip("CLIP", "vision", "post_layernorm"),
    "siglip_vision_model": _clip("Siglip", "vision", "post_layernorm", "head"),
    "siglip2_vision_model": _siglip2_vision(),
    "dinov2": _dinov2("Dinov2"),
    "dinov2_with_registers": _dinov2("Dinov2WithRegisters"),
    "plait-efficientnet-lite": Family(
        "vision",
        "EfficientNetLite",
        "network.stages",
        sizes="any",
        module="plait.model.backbones.efficientnet_lite",
    ),
}

# model_type of a model of both sides -> the class of its configuration
COMBINED = {"clip": "CLIPConfig", "siglip": "SiglipConfig", "siglip2": "Siglip2Config"}


def family_of(model_type: str, side: Side | None = None) -> Family:
    """Return the family of backbones of a model type.

    Args:
        side: what it must read; None when either will do.

    Raises:
        ModelError: it is of no family that is supported, or of the other side.
    """
    family = FAMILIES.get(model_type)
    if family is None or side not in (None, family.side):
        known = ", ".join(name for name, family in FAMILIES.items() if side in (None, family.side))
        raise ModelError(f"{model_type!r} is no supported {side or 'kind of'} backbone: use one of {known}")
    return family
