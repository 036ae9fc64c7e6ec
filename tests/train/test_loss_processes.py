"""Two processes that hold unlike many rows train as one that holds all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.helpers.sentence_models import save_colbert
from tests.train.loss_worker_training import (
    CASES,
    MODELS,
    OBJECTIVES,
    PARTS,
    batch,
    columns,
    model_and_loss,
)
from tests.train.objectives.encoders import assert_same_gradients, given, gradients, targets
from tests.train.objectives.made import part

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ret"
WORKER = Path(__file__).with_name("loss_worker_training.py")
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return where both processes have written what they computed."""
    folder = tmp_path_factory.mktemp("processes")
    case = load_file(FIXTURES / "loss_two_ranks" / "loss_two_ranks.safetensors")
    labels = json.loads((FIXTURES / "loss_two_ranks" / "meta.json").read_text())["labels"]
    labels = [*labels[0], *labels[1]]
    entity = torch.tensor([labels.index(label) for label in labels])
    save_file(case | {"entity": entity}, folder / "official.safetensors")
    save_colbert(folder / "colbert")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    workers = [
        subprocess.Popen([sys.executable, str(WORKER), str(rank), str(folder)], env=environment)
        for rank in range(2)
    ]
    assert [worker.wait(timeout=280) for worker in workers] == [0, 0]
    return folder


@pytest.mark.parametrize("mini_batch_size", [None, 3])
def test_losses_and_gradients_are_the_official_ones(folder, mini_batch_size):
    case = load_file(FIXTURES / "loss_two_ranks" / "loss_two_ranks.safetensors")
    for rank in range(2):
        found = load_file(folder / f"official-{mini_batch_size}-{rank}")
        for name, value in found.items():
            expected = case[f"rank{rank}.{name}"].reshape(value.shape)
            torch.testing.assert_close(value, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        case
        for case in product(OBJECTIVES, ((3, 4), (4,)))
        if case[0] != "alone" and case != ("matryoshka", (4,))
    ],
)
def test_averaged_over_processes_objectives_are_those_of_one(folder, name, shape):
    queries, documents, everyone = batch(name, shape)
    objective = OBJECTIVES[name]()
    loss = objective(queries, documents, everyone)
    loss.backward()
    expected = {"loss": loss.detach(), "queries": queries.grad, "documents": documents.grad}
    expected |= gradients(objective)
    parts = [load_file(folder / f"{name}-{len(shape)}-{rank}") for rank in range(2)]
    assert parts[0].keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close((parts[0][key] + parts[1][key]) / 2, value, msg=f"{key} of {name}")


@pytest.mark.parametrize("shape", [(3, 4), (4,)], ids=["tokens", "single"])
def test_processes_that_do_not_gather_are_each_on_its_own(folder, shape):
    for rank in range(2):
        queries, documents, everyone = batch("alone", shape)
        loss = OBJECTIVES["alone"]()(*part(queries, documents, everyone, *PARTS[rank]))
        loss.backward()
        found = load_file(folder / f"alone-{len(shape)}-{rank}")
        torch.testing.assert_close(found["loss"], loss.detach())
        torch.testing.assert_close(found["queries"], queries.grad)
        torch.testing.assert_close(found["documents"], documents.grad)


@pytest.mark.parametrize("name", MODELS)
def test_data_parallel_training_gives_the_gradients_of_one_process(folder, name):
    model, criterion = model_and_loss(name, folder)
    model.zero_grad()
    sum(criterion(columns(name, model, *given()), targets().to_dict()).values()).backward()
    expected = gradients(model, criterion.objective)
    assert any("log_temperature" in key for key in expected)
    for case, rank in product([case for case in CASES if case[0] == name], range(2)):
        found = load_file(folder / f"{'-'.join(case)}-{rank}")
        untouched = found.keys() - expected.keys()  # by the maths, but by processes with gradient zero
        assert all((found.pop(key) == 0).all() for key in untouched), case
        assert_same_gradients(found, expected, atol=1e-6)


def test_all_processes_raise_when_one_is_at_fault(folder):
    told = [json.loads((folder / f"errors-{rank}").read_text()) for rank in range(2)]
    for rank in range(2):
        assert "3 of 5 queries have no relevant document, the first is 2" in told[rank][0]
    assert "that of another process is not finite" in told[0][1]
    assert "3 of 3 queries were encoded as NaN or infinity" in told[1][1]
