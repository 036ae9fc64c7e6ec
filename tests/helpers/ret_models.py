"""Random ReT and ReT-2 models over towers of three and four layers, and batches for them."""

from __future__ import annotations

import torch

from plait.model.ret.configuration_ret import RetConfig, RetRetrievalConfig
from plait.model.ret.modeling_ret import RetForRetrieval
from plait.model.ret2.configuration_ret2 import Ret2Config, Ret2RetrievalConfig
from plait.model.ret2.modeling_ret2 import Ret2ForRetrieval

TEXT = {
    "vocab_size": 64, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 3,
    "num_attention_heads": 2, "max_position_embeddings": 16, "bos_token_id": 62,
    "eos_token_id": 63, "pad_token_id": 0,
}  # fmt: skip
VISION = {
    "hidden_size": 12, "intermediate_size": 16, "num_hidden_layers": 4,
    "num_attention_heads": 2, "image_size": 16, "patch_size": 8,
}  # fmt: skip


def side(**changes):
    options = {
        "text_config": TEXT, "vision_config": VISION, "text_layers": [0, 2], "vision_layers": [1, 2],
        "hidden_size": 16, "num_queries": 3, "num_attention_heads": 2, "late_proj_output_size": 8,
    }  # fmt: skip
    return RetConfig(**options | changes)


def pair(*, query=None, **changes):
    torch.manual_seed(0)
    return RetForRetrieval(RetRetrievalConfig(query_config=side(**query or {}), **changes)).eval()


def batch(rows=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, 60, (rows, 5), generator=generator)
    ids[:, 0], ids[:, -1] = 62, 63
    mask = torch.ones(rows, 5, dtype=torch.int64)
    if rows > 1:
        ids[1, 3], ids[1, 4], mask[1, 4] = 63, 0, 0
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "pixel_values": torch.randn(rows, 3, 16, 16, generator=generator),
    }


MIXED = {"text_mask": torch.tensor([1, 1, 0, 0]), "image_mask": torch.tensor([1, 0, 1, 0])}


def packed(inputs, masks):
    text, image = masks["text_mask"].bool(), masks["image_mask"].bool()
    return masks | {
        "input_ids": inputs["input_ids"][text],
        "attention_mask": inputs["attention_mask"][text],
        "pixel_values": inputs["pixel_values"][image],
    }


def ret2_side(**changes):
    options = {
        "text_config": TEXT, "vision_config": VISION, "hidden_size": 16, "num_attention_heads": 2,
        "late_proj_output_size": 8,
    }  # fmt: skip
    return Ret2Config(**options | changes)


def ret2(*, seed=0, **changes):
    torch.manual_seed(seed)
    return Ret2ForRetrieval(Ret2RetrievalConfig(query_config=ret2_side(**changes))).eval()
