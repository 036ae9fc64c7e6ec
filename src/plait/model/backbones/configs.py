"""Configurations of backbones: made of what a checkpoint or a user gives, and what they say of sizes."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import transformers
from huggingface_hub.errors import StrictDataclassError
from transformers import PreTrainedConfig

from plait.errors import ModelError
from plait.model.backbones.kinds import COMBINED, Side, family_of
from plait.model.layers import check_layers

_DEFAULTS = {"text": "clip_text_model", "vision": "clip_vision_model"}


def text_config(values: PreTrainedConfig | dict[str, Any] | None) -> PreTrainedConfig:
    """Return the configuration of a text backbone.

    Args:
        values: a configuration, or a dict, which is left as it was, and whose "model_type" says what
            it is (none means CLIP); one that holds both sides, such as CLIP's, gives its text side;
            None gives CLIP ViT-B/32's.

    Raises:
        ModelError: no such family of text backbones, or values that it refuses.
    """
    return _side(values, "text")


def vision_config(values: PreTrainedConfig | dict[str, Any] | None) -> PreTrainedConfig:
    """Return the configuration of a vision backbone, as `text_config` does that of a text backbone."""
    return _side(values, "vision")


def depth(config: PreTrainedConfig) -> int:
    """Return how many layers a backbone has; an EfficientNet's are its stages."""
    layers: int = config.num_hidden_layers
    return layers


def layer_widths(config: PreTrainedConfig, layers: Sequence[int]) -> tuple[int, ...]:
    """Return the width of the states after each of these layers.

    Raises:
        ModelError: the backbone has fewer layers.
    """
    check_layers(layers, depth(config), backbone=family_of(config.model_type).side)
    widths = getattr(config, "widths", None)
    return tuple(widths[layer] if widths else config.hidden_size for layer in layers)


def pooled_width(config: PreTrainedConfig) -> int:
    """Return the width of the pooled vector."""
    width: int = getattr(config, "projection_size", None) or layer_widths(config, [depth(config) - 1])[0]
    return width


def max_tokens(config: PreTrainedConfig) -> int:
    """Return the tokens of the longest text that a text backbone reads.

    Raises:
        ModelError: it is a vision backbone.
    """
    family_of(config.model_type, "text")
    places: int = config.max_position_embeddings
    # RoBERTa counts places from behind the padding's.
    return places - config.pad_token_id - 1 if config.model_type in ("roberta", "xlm-roberta") else places


def image_size(config: PreTrainedConfig) -> int:
    """Return the side of the square pictures that a vision backbone was trained on, in pixels.

    Raises:
        ModelError: it is a text backbone, or its pictures are no squares.
    """
    family_of(config.model_type, "vision")
    if config.model_type == "siglip2_vision_model":
        return math.isqrt(config.num_patches) * int(config.patch_size)
    size = config.image_size
    height, width = size if isinstance(size, list | tuple) else (size, size)
    if height != width:
        raise ModelError(f"the vision backbone reads pictures of {height} x {width}, expected squares")
    return int(height)


def pads_to_max(config: PreTrainedConfig) -> bool:
    """Return whether texts must be padded to `max_tokens`: SigLIP was trained so, attending the padding."""
    return family_of(config.model_type).pads_to_max


def _side(values: PreTrainedConfig | dict[str, Any] | None, side: Side) -> PreTrainedConfig:
    """Return one side's configuration."""
    given = values or {}
    config = _made({"model_type": _DEFAULTS[side], **given}, side) if isinstance(given, dict) else given
    if config.model_type in COMBINED:
        config = getattr(config, f"{side}_config")
    family_of(config.model_type, side)
    return config


def _made(values: dict[str, Any], side: Side) -> PreTrainedConfig:
    """Return the configuration that a dict describes, which is left as it was: of one side, or of both."""
    model_type = str(values["model_type"])
    both = COMBINED.get(model_type)
    kind = getattr(transformers, both) if both else family_of(model_type, side).config_class
    try:
        return kind.from_dict(copy.deepcopy(values))
    except (StrictDataclassError, TypeError, ValueError, KeyError) as error:
        raise ModelError(f"these values make no {kind.__name__}: {' '.join(str(error).split())}") from error
