"""CLIP-style backbones: which of their layers are read, and the towers that give them.

A tower here stops at the last layer that is read, and has no final norm: ReT takes hidden states
before it. So no weight is held that nothing uses, and data-parallel training needs no search for
unused parameters.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModel

from plait.errors import ModelError


@dataclass(frozen=True, slots=True)
class LayerStrategy:
    """The layers of both backbones that the recurrence reads, one pair a step.

    Attributes:
        text, vision: 0-based, after the embedding, ascending; equally many.
    """

    text: tuple[int, ...]
    vision: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.text) != len(self.vision) or not self.text:
            raise ModelError(
                f"{len(self.text)} text layers but {len(self.vision)} vision layers: a step reads one of each"
            )
        for name, layers in (("text", self.text), ("vision", self.vision)):
            if layers[0] < 0 or list(layers) != sorted(set(layers)):
                raise ModelError(f"{name} layers must ascend from 0 or more, got {list(layers)}")


# As the official release names and chooses them.
STRATEGIES = {
    "clip_vit_b": LayerStrategy(tuple(range(12)), tuple(range(12))),
    "clip_vit_l": LayerStrategy(tuple(range(12)), tuple(range(0, 24, 2))),
    "openclip_vit_h": LayerStrategy(tuple(range(1, 24, 2)), (0, *range(2, 30, 3), 31)),
    "openclip_vit_g": LayerStrategy((*range(0, 29, 2), 31), tuple(range(2, 48, 3))),
}


def strategy(name: str) -> LayerStrategy:
    """Return a named choice of layers.

    Raises:
        ModelError: no such name.
    """
    if name not in STRATEGIES:
        raise ModelError(f"unknown layer strategy {name!r}: use one of {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


def text_tower(config: CLIPTextConfig, layers: Sequence[int]) -> CLIPTextModel:
    """Return a text tower, randomly initialised, that ends at the last of `layers`.

    Raises:
        ModelError: the backbone has fewer layers.
    """
    tower = CLIPTextModel._from_config(_cut(config, layers, "text"))
    tower.final_layer_norm = nn.Identity()
    return tower


def vision_tower(config: CLIPVisionConfig, layers: Sequence[int]) -> CLIPVisionModel:
    """Return a vision tower, randomly initialised, that ends at the last of `layers`.

    Raises:
        ModelError: the backbone has fewer layers.
    """
    tower = CLIPVisionModel._from_config(_cut(config, layers, "vision"))
    tower.post_layernorm = nn.Identity()
    return tower


def text_layers(
    tower: CLIPTextModel, layers: Sequence[int], *, input_ids: Tensor, attention_mask: Tensor | None
) -> list[Tensor]:
    """Return the chosen hidden states, each (B, n, width); no gradient through a frozen tower.

    Args:
        input_ids, attention_mask: (B, n).
    """
    with torch.set_grad_enabled(torch.is_grad_enabled() and _trainable(tower)):
        out = tower(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True)
    return [out.hidden_states[layer + 1] for layer in layers]


def vision_layers(tower: CLIPVisionModel, layers: Sequence[int], *, pixel_values: Tensor) -> list[Tensor]:
    """Return the chosen hidden states, each (B, 1 + patches, width); no gradient through a frozen tower.

    Args:
        pixel_values: (B, 3, height, width), as the image processor gives them.
    """
    with torch.set_grad_enabled(torch.is_grad_enabled() and _trainable(tower)):
        out = tower(pixel_values=pixel_values, output_hidden_states=True)
    return [out.hidden_states[layer + 1] for layer in layers]


def _cut(
    config: CLIPTextConfig | CLIPVisionConfig, layers: Sequence[int], name: str
) -> CLIPTextConfig | CLIPVisionConfig:
    if max(layers) >= config.num_hidden_layers:
        raise ModelError(
            f"the {name} backbone has {config.num_hidden_layers} layers, but layer {max(layers)} (from 0) "
            "is to be read: choose another layer strategy"
        )
    config = copy.deepcopy(config)  # the caller's still says how deep the whole backbone is
    config.num_hidden_layers = max(layers) + 1
    return config


def _trainable(tower: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in tower.parameters())
