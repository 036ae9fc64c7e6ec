"""Building towers: backbones that end at the last layer read, and hold no weight that nothing uses.

So data-parallel training needs no search for unused parameters.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig

from plait.errors import ModelError
from plait.model.backbones.configs import depth
from plait.model.backbones.kinds import Side, family_of
from plait.model.layers import check_layers


def text_tower(config: PreTrainedConfig, layers: Sequence[int], *, pooled: bool = False) -> nn.Module:
    """Return a text tower, randomly initialised, that ends at the last of `layers`.

    Args:
        config: of the whole backbone; it is left as it was.
        layers: those to be read, 0-based after the embedding.
        pooled: keep all layers, the final norm and the pooling, so that the tower also gives one vector
            a text: of CLIP's end token, of SigLIP's head, of BERT and its kin the mean over the tokens
            (some of their checkpoints were trained to use the first token's instead).

    Raises:
        ModelError: not a text backbone, or one with fewer layers.
    """
    return _tower(config, layers, "text", pooled)


def vision_tower(config: PreTrainedConfig, layers: Sequence[int], *, pooled: bool = False) -> nn.Module:
    """Return a vision tower, randomly initialised, that ends at the last of `layers`.

    Args:
        config: of the whole backbone; it is left as it was.
        layers: those to be read, 0-based after the embedding.
        pooled: keep all layers, the final norm and the pooling, so that the tower also gives one vector
            a picture: of CLIP's and DINOv2's class token, of SigLIP's head, of EfficientNet the mean
            over the last stage.

    Raises:
        ModelError: not a vision backbone, one with fewer layers, or to be pooled and without a head.
    """
    return _tower(config, layers, "vision", pooled)


class Skipped(nn.Identity):
    """In the place of a module that is left out."""

    def forward(self, states: Tensor, *_: Any) -> Tensor:
        """Return the states as they are."""
        return states


class LateNorm(nn.LayerNorm):
    """A final norm that the model passes by, so that its last states come out before it."""

    def forward(self, states: Tensor) -> Tensor:
        """Return the states as they are."""
        return states

    def normed(self, states: Tensor) -> Tensor:
        """Return the states after the norm."""
        return super().forward(states)


def _tower(config: PreTrainedConfig, layers: Sequence[int], side: Side, pooled: bool) -> nn.Module:
    family = family_of(config.model_type, side)
    check_layers(layers, depth(config), backbone=side)
    if pooled and not getattr(config, "vision_use_head", True):
        raise ModelError(
            "the vision backbone has no pooling head (vision_use_head is False): read its layers only"
        )
    tower: Any = family.model_class._from_config(_cut(config, layers, pooled))
    tower.pools = pooled
    for name in family.unused if pooled else family.unused + family.final:
        _leave_out(tower, name)
    if pooled and family.pooling == "mean":
        for name in family.final:
            setattr(tower, name, _late(tower.get_submodule(name)))
    return tower  # type: ignore[no-any-return]


def _cut(config: PreTrainedConfig, layers: Sequence[int], pooled: bool) -> PreTrainedConfig:
    """Return the configuration of the tower; the caller's still says how deep the whole backbone is."""
    config = copy.deepcopy(config)
    if not pooled:
        config.num_hidden_layers = max(layers) + 1
    return config


def _leave_out(tower: nn.Module, name: str) -> None:
    path, _, leaf = name.rpartition(".")
    owner = tower.get_submodule(path)
    part = getattr(owner, leaf, None)
    if isinstance(part, nn.Parameter):
        delattr(owner, leaf)
        # transformers sets it when it initialises weights, so that something must be there
        owner.register_buffer(leaf, torch.zeros_like(part), persistent=False)
    elif part is not None:
        setattr(owner, leaf, Skipped())


def _late(norm: nn.LayerNorm) -> LateNorm:
    late = LateNorm(norm.normalized_shape, eps=norm.eps)
    late.weight, late.bias = norm.weight, norm.bias
    return late
