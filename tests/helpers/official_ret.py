"""Checkpoints in the official layout for every layer strategy, and the maths read straight from their names.

The reference is written from the formulas, with none of our model's code: whole CLIP towers, torch's own
attention modules, one loop. Layers are as the release lists them, typed again.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn import MultiheadAttention, functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModel

LAYERS = {
    "clip_vit_b": ([*range(12)], [*range(12)]),
    "clip_vit_l": ([*range(12)], [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]),
    "openclip_vit_h": (
        [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23],
        [0, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 31],
    ),
    "openclip_vit_g": (
        [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 31],
        [2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35, 38, 41, 44, 47],
    ),
}
DEPTHS = {"openclip_vit_h": (24, 32), "openclip_vit_g": (32, 48)}


def write_openclip(source: Path, target: Path, strategy: str) -> Path:
    """Write an official checkpoint of an OpenCLIP strategy: `source`'s shapes, its depths, random weights."""
    torch.manual_seed(len(strategy))
    steps, depths = len(LAYERS[strategy][0]), dict(zip(("text", "vision"), DEPTHS[strategy], strict=True))
    weights = {}
    for name, tensor in load_file(source / "model.safetensors").items():
        layer = re.search(r"(text|vision)_model\.encoder\.layers\.(\d+)\.", name)
        adapter = re.search(r"_adapter\.(\d+)\.", name)
        if (layer and layer[2] != "0") or (adapter and adapter[1] != "0"):
            continue
        copies = depths[layer[1]] if layer else steps if adapter else 1
        for k in range(copies):
            copied = re.sub(r"(layers|adapter)\.0\.", rf"\g<1>.{k}.", name)
            kept = "prior" in name or "state_ids" in name
            weights[copied] = tensor if kept else tensor + 0.1 * torch.randn_like(tensor)
    config = json.loads((source / "config.json").read_text())
    for side in ("query_config", "passage_config"):
        config[side]["layer_strategy"] = strategy
        for modality, depth in depths.items():
            config[side][f"{modality}_config"] |= {"num_hidden_layers": depth, "hidden_act": "gelu"}
    target.mkdir(exist_ok=True)
    (target / "config.json").write_text(json.dumps(config))
    save_file(weights, target / "model.safetensors")
    return target


def reference_features(folder: Path, side: str, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the features of a side ("query" or "passage"), not normalised; backbones are the query's."""
    config = json.loads((folder / "config.json").read_text())[f"{side}_config"]
    everything = load_file(folder / "model.safetensors")
    own = {name.removeprefix(f"{side}_model."): t for name, t in everything.items() if name.startswith(side)}
    cell = {n.removeprefix("ret_cell."): t for n, t in own.items() if n.startswith("ret_cell.")}
    text_layers, vision_layers = LAYERS[config["layer_strategy"]]
    with torch.inference_mode():
        text = _states(everything, config, "text", {k: inputs[k] for k in ("input_ids", "attention_mask")})
        vision = _states(everything, config, "vision", {"pixel_values": inputs["pixel_values"]})
        m_text, m_vision = (inputs[f"{name}_mask"].float()[:, None, None] for name in ("text", "image"))
        heads = config["num_attention_heads"]
        h = cell["query_hidden_states"].expand(len(m_text), -1, -1)
        for step, (t, v) in enumerate(zip(text_layers, vision_layers, strict=True)):
            h = h + cell["query_state_ids"]
            x = _norm(cell, "xa_ln", h)
            h = h + _attend(cell, "sa", heads, x, x)
            z_text = _read(own, cell, "text", step, heads, x, text[t], inputs["attention_mask"] == 0)
            z_vision = _read(own, cell, "vision", step, heads, x, vision[v], None)
            i_text = (_linear(cell, "text_input_gate_w", z_text) + cell["input_gate_bias_prior"]).sigmoid()
            i_vision = (
                _linear(cell, "vision_input_gate_w", z_vision) + cell["input_gate_bias_prior"]
            ).sigmoid()
            forget = (
                _linear(cell, "text_forget_gate_w", z_text) * m_text
                + _linear(cell, "vision_forget_gate_w", z_vision) * m_vision
                + cell["forget_gate_bias_prior"]
            ).sigmoid()
            h = forget * h + i_text * m_text * z_text + i_vision * m_vision * z_vision
            inner = functional.gelu(_linear(cell, "mlp.0", _norm(cell, "mlp_ln", h)))
            h = h + _linear(cell, "mlp.3", inner)
        return h @ own["late_proj.weight"].T


def _states(everything, config, modality, inputs):
    """Return the whole tower's states after each layer."""
    kind, made = {
        "text": (CLIPTextModel, CLIPTextConfig),
        "vision": (CLIPVisionModel, CLIPVisionConfig),
    }[modality]
    values = config[f"{modality}_config"]
    tower = kind(made(**{k: v for k, v in values.items() if k in made().to_dict() and k != "model_type"}))
    start = f"query_model.{modality}_model.{modality}_model."
    tower.load_state_dict({n.removeprefix(start): t for n, t in everything.items() if n.startswith(start)})
    return tower.eval()(**inputs, output_hidden_states=True).hidden_states[1:]


def _read(own, cell, modality, step, heads, x, states, padding):
    adapted = _linear(own, f"{modality}_adapter.{step}", states)
    return _attend(cell, f"{modality}_xa", heads, x, _norm(cell, f"{modality}_ln", adapted), padding)


def _attend(cell, name, heads, x, states, padding=None):
    attention = MultiheadAttention(
        x.shape[2], heads, bias=f"{name}.in_proj_bias" in cell, batch_first=True
    ).eval()
    attention.load_state_dict(
        {n.removeprefix(f"{name}."): t for n, t in cell.items() if n.startswith(f"{name}.")}
    )
    return attention(x, states, states, key_padding_mask=padding, need_weights=False)[0]


def _norm(weights, name, values):
    return functional.layer_norm(
        values, values.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], eps=1e-5
    )


def _linear(weights, name, values):
    return functional.linear(values, weights[f"{name}.weight"], weights[f"{name}.bias"])
