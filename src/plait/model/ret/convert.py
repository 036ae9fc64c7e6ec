"""Checkpoints of the official ReT release (aimagelab/ReT), read into our configuration and names.

Its folders hold `config.json` and `model.safetensors`. Backbone weights are named with a doubled prefix
(`query_model.text_model.text_model.`) when written by transformers 4, with a single one by transformers 5.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPVisionConfig, PreTrainedConfig

from plait.errors import ModelError
from plait.model.ret.configuration_ret import RetConfig, RetRetrievalConfig

Weights = dict[str, Tensor]

_SIDE = re.compile(r"(query|passage)_model\.(.+)")
_BACKBONE = re.compile(r"(text|vision)_model\.(?:\1_model\.)?(.+)")
_ADAPTER = re.compile(r"(text|vision)_adapter\.(.+)")
_CELL = {
    "query_hidden_states": "initial",
    "query_state_ids": "position",
    "xa_ln": "norm",
    "sa": "self_attention",
    "mlp_ln": "mlp_norm",
    "mlp": "mlp",
    **{
        f"{modality}_{theirs}": f"{modality}.{ours}"
        for modality in ("text", "vision")
        for theirs, ours in {
            "ln": "norm",
            "xa": "attention",
            "input_gate_w": "input_gate",
            "forget_gate_w": "forget_gate",
        }.items()
    },
}
# Stored, and never used by the release: a norm of the cell, the backbones' final norms, position counters.
_UNUSED = re.compile(r"ret_cell\.sa_ln\.|final_layer_norm\.|post_layernorm\.|embeddings\.position_ids$")
_PRIOR = re.compile(r"ret_cell\.(input_gate_bias_prior|forget_gate_bias_prior)$")


def is_official(folder: Path) -> bool:
    """Return whether a folder holds a checkpoint as the official release writes it."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("model_type") == "retriever"


def load_official(folder: Path) -> tuple[RetRetrievalConfig, Weights]:
    """Return the configuration and weights of an official checkpoint, under our names.

    Raises:
        ModelError: a missing or unreadable file, or a weight that has no place in our model.
    """
    config = official_config(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    weights: Weights = {}
    for name, tensor in _read(folder).items():
        prior = _PRIOR.search(name)
        if prior:
            _set_prior(config, name, prior[1], float(tensor))
        elif (ours := our_name(name, config)) is not None:
            weights[ours] = tensor
    return config, weights


def official_config(values: dict[str, Any]) -> RetRetrievalConfig:
    """Return our configuration of an official `config.json`; its dict is left as it was."""
    return RetRetrievalConfig(
        query_config=_side_config(values["query_config"]),
        document_config=_side_config(values["passage_config"]),
        share_sides=values.get("share_query_passage_models", False),
        share_text_tower=values.get("share_text_models", True),
        share_vision_tower=values.get("share_vision_models", True),
        late_interaction=values.get("fg_loss", True),
        symmetric_loss=values.get("simmetric_loss", False),  # spelt so in the release
    )


def our_name(official: str, config: RetRetrievalConfig) -> str | None:
    """Return our name of an official weight; None for one that nothing uses.

    Raises:
        ModelError: a name that the release never writes.
    """
    side = _SIDE.fullmatch(official)
    if side is None:
        raise ModelError(f"unknown weight {official!r}: is this a checkpoint of the official ReT release?")
    document, rest = side[1] == "passage", side[2]
    if _UNUSED.search(rest) or (document and config.share_sides):
        return None
    head = "document_head" if document else "query_head"
    if match := _BACKBONE.fullmatch(rest):
        return _backbone_name(match[1], match[2], document, config)
    if match := _ADAPTER.fullmatch(rest):
        return f"{head}.{match[1]}_adapters.{match[2]}"
    if rest == "late_proj.weight":
        return f"{head}.projection.weight"
    part, _, leaf = rest.removeprefix("ret_cell.").partition(".")
    if rest.startswith("ret_cell.") and part in _CELL:
        return f"{head}.cell.{_CELL[part]}" + (f".{leaf}" if leaf else "")
    raise ModelError(f"unknown weight {official!r}: is this a checkpoint of the official ReT release?")


def _backbone_name(modality: str, rest: str, document: bool, config: RetRetrievalConfig) -> str | None:
    """Return our name of a backbone weight; None when the other side's serves, or its layer is never read."""
    shared = config.share_text_tower if modality == "text" else config.share_vision_tower
    if document and shared:
        return None
    side = config.document_config if document else config.query_config
    last = (side.layers.text if modality == "text" else side.layers.vision)[-1]
    layer = re.match(r"encoder\.layers\.(\d+)\.", rest)
    if layer and int(layer[1]) > last:
        return None
    return f"{'document_towers' if document else 'towers'}.{modality}.{rest}"


def _side_config(values: dict[str, Any]) -> RetConfig:
    """Return one side, without the generation settings that transformers 4 wrote into every file."""
    return RetConfig(
        output="pooled" if values.get("use_pooler_features", False) else "tokens",
        text_config=_known(CLIPTextConfig(), values["text_config"]),
        vision_config=_known(CLIPVisionConfig(), values["vision_config"]),
        **_known(RetConfig(), {k: v for k, v in values.items() if not k.endswith("_config")}),
    )


def _known(example: PreTrainedConfig, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values that a configuration of this kind has; "torch_dtype" is not one."""
    names = set(example.to_dict()) - {"model_type", "architectures", "transformers_version", "output"}
    return {name: value for name, value in values.items() if name in names}


def _set_prior(config: RetRetrievalConfig, weight: str, name: str, value: float) -> None:
    """Keep a gate's prior, which the release stores twice; the stored tensor is the one it computes with."""
    side = config.query_config if weight.startswith("query") else config.document_config
    setattr(side, name, value)


def _read(folder: Path) -> Weights:
    """Return all tensors of a checkpoint, whole or in shards.

    Raises:
        ModelError: no safetensors file, or one that cannot be read.
    """
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        raise ModelError(f"{folder} has a config.json but no model.safetensors: was the download complete?")
    weights: Weights = {}
    for file in files:
        try:
            weights.update(load_file(file))
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{file} cannot be read ({error}): fetch it again") from error
    return weights
