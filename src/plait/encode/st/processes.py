"""Models in several processes: pickled for another one, and trained data-parallel."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn
from transformers import PreTrainedModel


def forget_captures(model: nn.Module) -> None:
    """Take out the hooks by which transformers reads hidden states: closures, which cannot be pickled.

    It installs them anew in the next forward pass.
    """
    for module in model.modules():
        hooks = module._forward_hooks
        for key in [
            key for key, hook in hooks.items() if getattr(hook, "__name__", "") == "output_capturing_hook"
        ]:
            del hooks[key]
        if isinstance(module, PreTrainedModel):
            module._output_capturing_hooks_installed = False


def announce_classes(model: nn.Module) -> None:
    """Tell transformers of the classes in an unpickled model, without which it reads no hidden states.

    It learns of a class whenever one is made; here that costs no memory.
    """
    found = {type(module): module.config for module in model.modules() if isinstance(module, PreTrainedModel)}
    found.pop(type(model), None)
    with torch.device("meta"):
        for kind, config in found.items():
            kind(config)


def touched_by_all(vectors: Tensor, model: nn.Module) -> Tensor:
    """Return the vectors as they are, but made to depend on every weight that trains.

    Data-parallel training adds up gradients over processes as the backward pass reaches the weights. One
    that it does not reach, such as the other side's head or an absent modality's adapter, is then added up
    wrongly (by cached losses, in silence) or not waited for. So each pass reaches all, with gradient zero.
    """
    if not torch.is_grad_enabled() or not distributed.is_available() or not distributed.is_initialized():
        return vectors
    reached = [weight.flatten()[:1] for weight in model.parameters() if weight.requires_grad]
    return vectors + 0 * torch.cat(reached).sum() if reached else vectors
