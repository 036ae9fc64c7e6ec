"""Means over the queries of all processes, in parts whose gradients can be averaged."""

from __future__ import annotations

import torch
from torch import Tensor, distributed

from plait.scoring.contrastive import in_processes


def number_of_all(values: Tensor) -> int:
    """Return how many values all processes hold together."""
    number = torch.tensor(len(values), device=values.device)
    if in_processes():
        distributed.all_reduce(number)
    return int(number)


def mean_of_all(values: Tensor, number: int) -> Tensor:
    """Return this process's part of a mean: averaged over processes, the parts are the mean.

    Data-parallel training averages gradients over processes. A mean over each process's own values would
    then weigh those of a process that holds few more than others; equal where all hold equally many.

    Args:
        values: (n,) of this process.
        number: how many all processes hold, above 0.
    """
    processes = distributed.get_world_size() if in_processes() else 1
    return values.sum() * (processes / number)
