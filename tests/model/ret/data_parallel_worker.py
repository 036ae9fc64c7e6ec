"""One process of a data-parallel step on a tiny ReT; writes its gradients (run by test_data_parallel)."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tests.helpers.tiny_ret import tiny_model
from torch import distributed
from torch.nn.parallel import DistributedDataParallel


def main(rank: int, world: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
    try:
        save_file(_gradients(rank, folder), folder / f"out{rank}.safetensors")
    finally:
        distributed.destroy_process_group()


def _gradients(rank: int, folder: Path) -> dict[str, torch.Tensor]:
    """Return this process's gradients; the wrapped model ends here, before the group of processes does.

    A wrapped model that outlives `destroy_process_group` ends the group itself while it holds Python's lock,
    and waits for ever where a thread of gloo needs that lock to end (seen in 1 of 5 runs of torch 2.13).
    """
    rows = slice(2 * rank, 2 * rank + 2)
    tensors = load_file(folder / "inputs.safetensors")
    sides = [
        {name.partition(".")[2]: t[rows] for name, t in tensors.items() if name.startswith(side)}
        for side in ("query", "document")
    ]
    model = DistributedDataParallel(tiny_model())
    model(*sides).loss.backward()
    return {name: p.grad for name, p in model.module.named_parameters() if p.grad is not None}


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
