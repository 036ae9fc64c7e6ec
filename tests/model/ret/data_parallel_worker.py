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
        rows = slice(2 * rank, 2 * rank + 2)
        tensors = load_file(folder / "inputs.safetensors")
        sides = [
            {name.partition(".")[2]: t[rows] for name, t in tensors.items() if name.startswith(side)}
            for side in ("query", "document")
        ]
        model = DistributedDataParallel(tiny_model())
        model(*sides).loss.backward()
        gradients = {n: p.grad for n, p in model.module.named_parameters() if p.requires_grad}
        save_file(gradients, folder / f"out{rank}.safetensors")
    finally:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
