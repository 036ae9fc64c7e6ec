"""Backbones for inference: the same modules, their linear maps packed."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn

from plait.model.inference.linear import Packing, packed

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
        else:
            pack_linears(part, how)
