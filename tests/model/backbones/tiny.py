"""A tiny random configuration of every family, and inputs that it reads."""

from __future__ import annotations

import torch

from plait.model import backbones
from plait.model.backbones.kinds import FAMILIES

DEPTH = 4
TOKENS = 12
SIDE = 16

_SIZES = {
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": DEPTH,
    "num_attention_heads": 2,
}
_WORDS = {
    "vocab_size": 64,
    "max_position_embeddings": TOKENS,
    "pad_token_id": 1,
    "bos_token_id": 62,
    "eos_token_id": 63,
}
_PIXELS = {"image_size": SIDE, "patch_size": 4}
_OWN = {
    "siglip_text_model": {"projection_size": 6},
    "siglip2_text_model": {"projection_size": 6},
    "roberta": {"max_position_embeddings": TOKENS + 2},
    "xlm-roberta": {"max_position_embeddings": TOKENS + 2},
    "distilbert": {"dim": 8, "hidden_dim": 16, "n_layers": DEPTH, "n_heads": 2},
    "modernbert": {
        "local_attention": 4,
        "global_attn_every_n_layers": 2,
        "cls_token_id": 62,
        "sep_token_id": 63,
    },
    "siglip2_vision_model": {"num_patches": (SIDE // 4) ** 2},
    "dinov2": {"mlp_ratio": 2},
    "dinov2_with_registers": {"mlp_ratio": 2, "num_register_tokens": 3},
}

TEXT = [name for name, family in FAMILIES.items() if family.side == "text"]
VISION = [name for name, family in FAMILIES.items() if family.side == "vision"]
LITE = "plait-efficientnet-lite"


def values(model_type):
    """Return the values of a tiny configuration; EfficientNet's sizes cannot be chosen."""
    if model_type == LITE:
        return {"model_type": LITE, "image_size": 64, "grid": 3, "num_hidden_layers": DEPTH}
    sizes = {} if model_type == "distilbert" else _SIZES
    inputs = _WORDS if model_type in TEXT else _PIXELS
    return {"model_type": model_type, **sizes, **inputs, **_OWN.get(model_type, {})}


def config(model_type):
    """Return a tiny configuration."""
    make = backbones.text_config if model_type in TEXT else backbones.vision_config
    return make(values(model_type))


def tower(model_type, layers, *, pooled=False, seed=0):
    """Return a tiny tower in evaluation mode, with weights far enough from 0 to tell layers apart."""
    torch.manual_seed(seed)
    make = backbones.text_tower if model_type in TEXT else backbones.vision_tower
    made = make(config(model_type), layers, pooled=pooled).eval()
    if model_type != LITE:
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return made


def inputs(model_type, *, batch=2):
    """Return what `read` takes for a batch: the last text is shorter than the others."""
    random = torch.Generator().manual_seed(1)
    if model_type in VISION:
        side = 64 if model_type == LITE else SIDE
        return {"pixel_values": torch.randn(batch, 3, side, side, generator=random)}
    length = TOKENS if backbones.pads_to_max(config(model_type)) else 6
    ids = torch.randint(3, 60, (batch, length), generator=random)
    mask = torch.ones_like(ids)
    ids[:, 0], ids[:, -1] = 62, 63
    ids[-1, 3], ids[-1, 4:], mask[-1, 4:] = 63, 1, 0
    return {"input_ids": ids, "attention_mask": mask}


def read(made, layers, given, *, pooled=False):
    """Return what a tower makes of a batch."""
    reader = backbones.read_text if "input_ids" in given else backbones.read_vision
    return reader(made, layers, **given, pooled=pooled)
