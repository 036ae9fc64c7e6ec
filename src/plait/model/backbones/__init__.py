"""Pretrained backbones as towers: which layers are read, how they are built, loaded, read and adapted."""

from plait.model.backbones.adapting import adapt, merge_adapters
from plait.model.backbones.configs import (
    depth,
    image_size,
    layer_widths,
    max_tokens,
    pads_to_max,
    pooled_width,
    text_config,
    vision_config,
)
from plait.model.backbones.efficientnet_lite import EfficientNetLiteConfig
from plait.model.backbones.pretrained import load_pretrained, source_config, source_folder
from plait.model.backbones.reading import TowerStates, read_text, read_vision
from plait.model.backbones.towers import text_tower, vision_tower
from plait.model.layers import STRATEGIES, LayerStrategy, strategy

__all__ = [
    "STRATEGIES",
    "EfficientNetLiteConfig",
    "LayerStrategy",
    "TowerStates",
    "adapt",
    "depth",
    "image_size",
    "layer_widths",
    "load_pretrained",
    "max_tokens",
    "merge_adapters",
    "pads_to_max",
    "pooled_width",
    "read_text",
    "read_vision",
    "source_config",
    "source_folder",
    "strategy",
    "text_config",
    "text_tower",
    "vision_config",
    "vision_tower",
]
