"""What a tower gives: the states after the chosen layers, and one pooled vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig

from plait.errors import ModelError, ShapeError
from plait.model.backbones.configs import image_size, max_tokens, pads_to_max
from plait.model.backbones.kinds import family_of


@dataclass(frozen=True, slots=True)
class TowerStates:
    """What a tower gives for B texts or pictures.

    Attributes:
        layers: for each layer read (B, n, width), before any final norm.
        pooled: (B, pooled width); None when not asked for.
    """

    layers: list[Tensor]
    pooled: Tensor | None = None


def read_text(
    tower: nn.Module,
    layers: Sequence[int],
    *,
    input_ids: Tensor,
    attention_mask: Tensor | None,
    pooled: bool = False,
) -> TowerStates:
    """Return the states of texts; no gradient goes through a frozen tower.

    Args:
        input_ids: (B, n), padded on the right; to `max_tokens` where `pads_to_max`.
        attention_mask: (B, n), 0 at padding; None when nothing is padded. A tower that `pads_to_max`
            attends the padding nevertheless.

    Raises:
        ShapeError: texts that are too long or not padded as the tower needs, or a mask that does not fit.
        ModelError: a pooled vector of a tower built without.
    """
    config: PreTrainedConfig = tower.config
    family = family_of(config.model_type, "text")
    _check_text(config, input_ids, attention_mask)
    mask = None if family.pads_to_max else attention_mask
    out = _run(tower, pooled, {"input_ids": input_ids, "attention_mask": mask})
    if pooled and family.pooling == "mean":
        states = out.last_hidden_state
        for norm in family.final:
            states = tower.get_submodule(norm).normed(states)  # type: ignore[operator]  # a LateNorm
        return TowerStates(_chosen(out, layers, config), _mean(states, mask))
    return TowerStates(_chosen(out, layers, config), out.pooler_output if pooled else None)


def read_vision(
    tower: nn.Module, layers: Sequence[int], *, pixel_values: Tensor, pooled: bool = False
) -> TowerStates:
    """Return the states of pictures; no gradient goes through a frozen tower.

    Args:
        pixel_values: (B, 3, height, width), as the image processor gives them: of the side `image_size`
            for CLIP and SigLIP, of any that are whole patches for DINOv2 and SigLIP 2's NaFlex form.

    Returns:
        n is the patches, and first a class token (CLIP, DINOv2; then its registers); for EfficientNet
        the cells of the stage.

    Raises:
        ShapeError: pictures of a size that the tower cannot read.
        ModelError: a pooled vector of a tower built without.
    """
    config: PreTrainedConfig = tower.config
    _check_pixels(config, pixel_values)
    naflex = config.model_type == "siglip2_vision_model"
    inputs = _patches(pixel_values, config.patch_size) if naflex else {"pixel_values": pixel_values}
    out = _run(tower, pooled, inputs)
    return TowerStates(_chosen(out, layers, config), out.pooler_output if pooled else None)


def _run(tower: nn.Module, pooled: bool, inputs: Mapping[str, Tensor | None]) -> Any:
    if pooled and not tower.pools:
        raise ModelError("this tower was built without its pooling: build it with pooled=True")
    trainable = any(parameter.requires_grad for parameter in tower.parameters())
    with torch.set_grad_enabled(torch.is_grad_enabled() and trainable):
        return tower(**inputs, output_hidden_states=True)


def _chosen(out: Any, layers: Sequence[int], config: PreTrainedConfig) -> list[Tensor]:
    states = out.hidden_states[-config.num_hidden_layers :]  # without the embedding's
    return [states[layer] for layer in layers]


def _mean(states: Tensor, mask: Tensor | None) -> Tensor:
    """Return (B, width), the mean over each text's tokens."""
    if mask is None:
        return states.mean(1)
    words = mask[:, :, None].to(states.dtype)
    return (states * words).sum(1) / words.sum(1).clamp(min=1)


def _patches(pixels: Tensor, side: int) -> dict[str, Tensor]:
    """Return pictures as SigLIP 2's NaFlex form reads them: as rows of patches, none of them padding."""
    batch, channels, height, width = pixels.shape
    rows, columns = height // side, width // side
    cut = pixels.reshape(batch, channels, rows, side, columns, side).permute(0, 2, 4, 3, 5, 1)
    return {
        "pixel_values": cut.reshape(batch, rows * columns, side * side * channels),
        "pixel_attention_mask": torch.ones(batch, rows * columns, dtype=torch.long, device=pixels.device),
        "spatial_shapes": torch.tensor([[rows, columns]] * batch, device=pixels.device),
    }


def _check_text(config: PreTrainedConfig, input_ids: Tensor, attention_mask: Tensor | None) -> None:
    limit, seen = max_tokens(config), tuple(input_ids.shape)
    if input_ids.ndim != 2 or seen[1] > limit:
        raise ShapeError(f"token ids are {seen}, expected (B, n) with n up to {limit}: cut longer texts")
    if pads_to_max(config) and seen[1] != limit:
        raise ShapeError(
            f"token ids are {seen}, expected (B, {limit}): this backbone was trained on texts padded to the "
            "limit, so pad them all to it"
        )
    if attention_mask is not None and attention_mask.shape != input_ids.shape:
        raise ShapeError(f"the attention mask is {tuple(attention_mask.shape)}, but token ids are {seen}")


def _check_pixels(config: PreTrainedConfig, pixels: Tensor) -> None:
    sizes, seen = family_of(config.model_type, "vision").sizes, tuple(pixels.shape)
    if pixels.ndim != 4:
        raise ShapeError(
            f"pixel values are {seen}, expected (B, 3, height, width): resize pictures, do not cut them into "
            "patches"
        )
    if sizes == "fixed" and seen[2:] != (image_size(config),) * 2:
        raise ShapeError(f"pictures are {seen[2]} x {seen[3]}, expected {image_size(config)} on both sides")
    if sizes == "patches" and (seen[2] % config.patch_size or seen[3] % config.patch_size):
        raise ShapeError(f"pictures are {seen[2]} x {seen[3]}, expected multiples of {config.patch_size}")
