"""Two processes train as one, with either loss and whether or not unused weights are searched for."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from sentence_transformers.multi_vector_encoder.losses import MultiVectorMultipleNegativesRankingLoss
from tests.helpers.tiny_ret import tiny_model, tiny_processor

from plait.encode.st import RetMultiVectorEncoder

CASES = list(product(("plain", "cached"), ("searched", "unsearched")))
WORKER = Path(__file__).with_name("data_parallel_worker.py")
ROOT = Path(__file__).parents[3]


def encoder():
    return RetMultiVectorEncoder.from_ret(tiny_model(), tiny_processor(), device="cpu").eval()


def columns(model, rows):
    """Return two columns of four rows; the last query and the first document of a half are text only."""
    red, blue = Image.new("RGB", (20, 20), "red"), Image.new("RGB", (20, 20), "blue")
    queries = [{"text": "red", "image": red}, "a blue circle", blue, "turn"]
    documents = ["grey paper", {"text": "turn left", "image": blue}, "the green circle", red]
    return [
        model.preprocess(column[rows]) | {"task": task}
        for column, task in ((queries, "query"), (documents, "document"))
    ]


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_one(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    workers = [
        subprocess.Popen([sys.executable, str(WORKER), str(rank), str(tmp_path)], env=environment)
        for rank in range(2)
    ]
    assert [worker.wait(timeout=250) for worker in workers] == [0, 0]

    model = encoder()
    MultiVectorMultipleNegativesRankingLoss(model)(columns(model, slice(None))).backward()
    expected = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    for rank, case in product(range(2), CASES):
        found = load_file(tmp_path / f"{rank}-{'-'.join(case)}.safetensors")
        assert found.keys() == expected.keys(), case
        for name, gradient in expected.items():
            torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6, msg=f"{case} {name}")
