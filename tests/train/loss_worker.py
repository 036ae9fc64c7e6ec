"""One process of a two-process loss: loads its rows, writes its loss and gradients (run by test_losses)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import distributed

from plait.train.losses import late_interaction_loss


def main(rank: int, world: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
    try:
        case = json.loads((folder / "case.json").read_text())
        start, end = case["rows"][rank]
        tensors = load_file(folder / "inputs.safetensors")
        query, document = (
            tensors[name][start:end].clone().requires_grad_() for name in ("query", "document")
        )
        labels = None if case["labels"] is None else case["labels"][start:end]
        mask = tensors["document_mask"][start:end] if "document_mask" in tensors else None
        loss = late_interaction_loss(query, document, labels, symmetric=case["symmetric"], document_mask=mask)
        loss.backward()
        out = {"loss": loss.detach(), "grad_query": query.grad, "grad_document": document.grad}
        save_file(out, folder / f"out{rank}.safetensors")
    finally:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
