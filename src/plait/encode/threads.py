"""How many threads torch may use while something is encoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use so many threads meanwhile; 0 leaves its own choice."""
    before = torch.get_num_threads()
    changes = bool(count) and count != before
    if changes:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if changes:
            torch.set_num_threads(before)
