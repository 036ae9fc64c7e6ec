"""One of two processes that train a tiny encoder; writes its gradients (run by test_data_parallel)."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from sentence_transformers.multi_vector_encoder.losses import (
    CachedMultiVectorMultipleNegativesRankingLoss,
    MultiVectorMultipleNegativesRankingLoss,
)
from tests.encode.st.test_data_parallel import CASES, columns, encoder
from torch import distributed
from torch.nn.parallel import DistributedDataParallel


def main(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    try:
        for case in CASES:
            save_file(gradients(rank, *case), folder / f"{rank}-{'-'.join(case)}.safetensors")
    finally:
        distributed.destroy_process_group()


def gradients(rank: int, loss: str, unused: str) -> dict[str, torch.Tensor]:
    """Return this process's gradients after one step on its half of the rows."""
    model = encoder()
    parallel = DistributedDataParallel(model, find_unused_parameters=unused == "searched")
    kinds = {
        "plain": (MultiVectorMultipleNegativesRankingLoss, {}),
        "cached": (CachedMultiVectorMultipleNegativesRankingLoss, {"mini_batch_size": 1}),
    }
    kind, options = kinds[loss]
    criterion = kind(model, gather_across_devices=True, **options)
    criterion.model = parallel
    criterion(columns(model, slice(2 * rank, 2 * rank + 2))).backward()
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
