"""Two processes train as one: no weight is left without a gradient, and none gets a wrong one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tests.helpers.tiny_ret import tiny_model

WORKER = Path(__file__).with_name("data_parallel_worker.py")
ROOT = Path(__file__).parents[3]


def sides():
    """Four pairs; each half holds text, images, and a row that lacks one."""
    generator = torch.Generator().manual_seed(0)
    out = {}
    for side, text, image in (
        ("query", [1, 0, 1, 1], [1, 1, 0, 1]),
        ("document", [1, 1, 0, 1], [0, 1, 1, 1]),
    ):
        ids = torch.randint(1, 60, (4, 5), generator=generator)
        out[f"{side}.input_ids"] = ids
        out[f"{side}.attention_mask"] = torch.ones_like(ids)
        out[f"{side}.pixel_values"] = torch.randn(4, 3, 16, 16, generator=generator)
        out[f"{side}.text_mask"], out[f"{side}.image_mask"] = torch.tensor(text), torch.tensor(image)
    return out


def test_two_processes_give_the_gradients_of_one(tmp_path):
    tensors = sides()
    save_file(tensors, tmp_path / "inputs.safetensors")
    command, environment = [sys.executable, str(WORKER)], {**os.environ, "PYTHONPATH": str(ROOT)}
    workers = [
        subprocess.Popen([*command, str(rank), "2", str(tmp_path)], env=environment) for rank in range(2)
    ]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]

    model = tiny_model()
    query, document = (
        {name.partition(".")[2]: t for name, t in tensors.items() if name.startswith(side)}
        for side in ("query", "document")
    )
    model(query, document).loss.backward()
    expected = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    for rank in range(2):
        found = load_file(tmp_path / f"out{rank}.safetensors")
        assert found.keys() == expected.keys()
        for name, gradient in expected.items():
            torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6, msg=name)
