"""What the gates of a recurrent cell let in, watched from outside while the model reads."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from plait.model.inference.head import Reader
from plait.model.recurrence import GatedReader

Opened = dict[str, list[float]]  # "text" and "image" -> the mean of the input gate, step by step
_SIDES = {"text": "text", "vision": "image"}


@contextmanager
def watched_gates(model: nn.Module) -> Iterator[Opened]:
    """Give what the input gates of a model let in, each in [0, 1], as this thread's forward passes fill it.

    Of a modality that is not there, nothing is told; nor by graphs that were compiled or exported, which
    call no modules.
    """
    opened: Opened = defaultdict(list)
    hooks = [
        _watched(module, opened[_SIDES[name.rpartition(".")[2]]].append)
        for name, module in model.named_modules()
        if isinstance(module, GatedReader | Reader)
    ]
    try:
        yield opened
    finally:
        for hook in hooks:
            hook.remove()


def _watched(reader: GatedReader | Reader, tell: Callable[[float], None]) -> RemovableHandle:
    """Have a reader tell the mean of its input gate whenever this thread uses it."""
    thread = threading.get_ident()

    def entry(_: nn.Module, inputs: Any, output: tuple[Tensor, Tensor, Tensor]) -> None:
        if threading.get_ident() == thread:
            tell(float(output[1].sigmoid().mean()))  # the prior is folded in

    if isinstance(reader, Reader):
        return reader.register_forward_hook(entry)
    prior = reader.prior

    def gate(_: nn.Module, inputs: Any, logits: Tensor) -> None:
        if threading.get_ident() == thread:
            tell(float((logits + prior).sigmoid().mean()))

    return reader.input_gate.register_forward_hook(gate)
