"""Low-rank adapters (LoRA) on a tower, and their merge into its weights."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import nn
from transformers import PreTrainedConfig

from plait.errors import ModelError
from plait.extras import require
from plait.model.backbones.kinds import family_of


def adapt(
    tower: nn.Module,
    *,
    rank: int,
    alpha: float,
    dropout: float = 0.0,
    targets: Sequence[str] | None = None,
) -> None:
    """Add adapters to a tower, in place: they train, and its own weights no longer do.

    At first an adapter changes nothing. Names of adapted weights gain ".base_layer".

    Args:
        rank: of each adapter's product of matrices.
        alpha: the product is scaled by alpha / rank.
        dropout: of the adapters' input in training, in [0, 1).
        targets: names of linear parts of the layers, such as "q_proj"; None takes all, of attention and
            MLP alike. EfficientNet's linear parts are its 1 x 1 convolutions.

    Raises:
        ModelError: a value out of range, a target that the layers lack, or a tower that has adapters.
        MissingExtraError: peft is not installed.

    Source: Hu et al., LoRA (arXiv 2106.09685).
    """
    peft = require("peft")
    if rank < 1 or alpha <= 0 or not 0 <= dropout < 1:
        raise ModelError(
            f"adapters of rank {rank}, alpha {alpha} and dropout {dropout}: expected rank 1 or more, alpha "
            "above 0, dropout in [0, 1)"
        )
    if has_adapters(tower):
        raise ModelError("the tower already has adapters: merge them first")
    config = peft.LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=_matching(_parts(tower, targets))
    )
    peft.inject_adapter_in_model(config, tower)


def merge_adapters(tower: nn.Module) -> None:
    """Add what the adapters learnt to the tower's own weights, and take them out, in place.

    Outputs stay what they were in evaluation mode, up to rounding, and names become those of before. The
    tower's weights stay frozen.
    """
    for name, adapter in _adapters(tower).items():
        adapter.merge()  # type: ignore[operator]  # peft's
        path, _, leaf = name.rpartition(".")
        setattr(tower.get_submodule(path), leaf, adapter.get_base_layer())  # type: ignore[operator]
    if hasattr(tower, "peft_config"):
        del tower.peft_config


def has_adapters(tower: nn.Module) -> bool:
    """Return whether a tower has adapters that were not merged."""
    return bool(_adapters(tower))


def _adapters(tower: nn.Module) -> dict[str, nn.Module]:
    return {name: part for name, part in tower.named_modules() if hasattr(part, "base_layer")}


def _parts(tower: nn.Module, targets: Sequence[str] | None) -> list[str]:
    """Return the paths of the parts to adapt."""
    config: PreTrainedConfig = tower.config
    family = family_of(config.model_type)
    layers = tower.get_submodule(family.layers)
    linear = [
        name
        for name, part in layers.named_modules()
        if isinstance(part, nn.Linear) or (isinstance(part, nn.Conv2d) and part.kernel_size == (1, 1))
    ]
    known = sorted({name.rpartition(".")[2] for name in linear})
    for target in targets or ():
        if target not in known:
            raise ModelError(f"the layers have no {target!r} to adapt: use some of {', '.join(known)}")
    wanted = set(known if targets is None else targets)
    return [f"{family.layers}.{name}" for name in linear if name.rpartition(".")[2] in wanted]


def _matching(paths: Sequence[str]) -> str:
    """Return the pattern of just these paths: peft would take plain names for endings, anywhere."""
    return "|".join(re.escape(path) for path in paths)
