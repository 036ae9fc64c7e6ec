"""Backbones for inference: the same modules, their linear maps packed."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn
from transformers.activations import QuickGELUActivation
from transformers.models.clip.modeling_clip import CLIPMLP

from plait.model.inference.linear import Packing, packed

_QUICK = 1.702  # of quick GELU

_M = TypeVar("_M", bound=nn.Module)


def shared_copy(module: _M) -> _M:
    """Return a copy whose parameters and buffers are the module's own, so that it costs no memory."""
    own = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return copy.deepcopy(module, own)


def pack_linears(module: nn.Module, how: Packing) -> None:
    """Put packed maps in the place of all linear ones, in place.

    Only plain ones: a subclass may do more than its weights say.
    """
    for name, part in list(module.named_children()):
        if type(part) is nn.Linear:
            setattr(module, name, packed(part.weight, part.bias, how))
        elif isinstance(part, CLIPMLP) and isinstance(part.activation_fn, QuickGELUActivation):
            _pack_quick_gelu(part, how)
        else:
            pack_linears(part, how)


def _pack_quick_gelu(mlp: CLIPMLP, how: Packing) -> None:
    """Pack an MLP whose activation is x sigmoid(1.702 x), which is silu(1.702 x) / 1.702.

    Its two factors go into the maps around it, so that one pass over the widest tensor of a layer is
    left of three.
    """
    first, second = mlp.fc1, mlp.fc2
    mlp.fc1 = packed(first.weight * _QUICK, first.bias * _QUICK, how)
    mlp.fc2 = packed(second.weight / _QUICK, second.bias, how)
    mlp.activation_fn = nn.SiLU(inplace=True)
