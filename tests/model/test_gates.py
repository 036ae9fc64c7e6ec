"""Gates are watched from outside: they are those of the equations, and the folded model tells the same."""

from __future__ import annotations

import threading

import pytest
import torch
from PIL import Image
from tests.helpers.tiny_ret import save_tiny_checkpoint, tiny_model, tiny_processor
from torch import nn

from plait.encode.ret import RetEncoder
from plait.model.gates import watched_gates
from plait.model.recurrence import LayerStates, RecurrenceConfig, RecurrentCell
from plait.schema import Query


@pytest.fixture
def cell():
    torch.manual_seed(0)
    return RecurrentCell(RecurrenceConfig(width=8, tokens=3, heads=2, input_gate_prior=-1.0)).eval()


@pytest.fixture
def model(cell):
    return nn.ModuleDict({"cell": cell})


def states(batch, seed):
    return LayerStates(torch.randn(batch, 5, 8, generator=torch.Generator().manual_seed(seed)))


def test_a_gate_is_the_mean_of_the_sigmoid_of_its_logits_and_prior(cell, model):
    for reader in (cell.text, cell.vision):
        nn.init.zeros_(reader.input_gate.weight)
    nn.init.constant_(cell.text.input_gate.bias, 1.0)
    nn.init.constant_(cell.vision.input_gate.bias, 3.0)

    with watched_gates(model) as opened, torch.no_grad():
        cell(cell.start(2), states(2, 1), states(2, 2))

    assert opened["text"] == [pytest.approx(0.5)]  # sigmoid(1 - 1)
    assert opened["image"] == [pytest.approx(0.880797)]  # sigmoid(3 - 1)


def test_each_step_tells_and_a_missing_side_does_not(cell, model):
    with watched_gates(model) as opened, torch.no_grad():
        h = cell(cell.start(1), states(1, 1))
        cell(h, states(1, 2))

    assert len(opened["text"]) == 2
    assert not opened["image"]


def test_nothing_is_told_of_other_threads_or_afterwards(cell, model):
    def step():
        with torch.no_grad():
            cell(cell.start(1), states(1, 1))

    with watched_gates(model) as opened:
        other = threading.Thread(target=step)
        other.start()
        other.join()
        assert not opened["text"]
        step()
    step()

    assert len(opened["text"]) == 1


def test_a_folded_model_tells_what_the_model_does_and_the_encoder_tells_it(tmp_path):
    encoder = RetEncoder.load(str(save_tiny_checkpoint(tmp_path)), threads=1, precision="float32")
    picture = Image.new("RGB", (20, 20), "red")
    picture.save(tmp_path / "red.png")
    model, processor = tiny_model().eval(), tiny_processor()

    with watched_gates(model) as opened, torch.no_grad():
        model.encode_queries(**processor(["a red square"], [picture]))
    found = encoder.gates(Query.of("a red square", image=str(tmp_path / "red.png")))

    assert found == pytest.approx({side: sum(steps) / len(steps) for side, steps in opened.items()}, abs=1e-5)
    assert encoder.gates(Query.of("a red square")).keys() == {"text"}
    assert encoder.gates(Query(images=(str(tmp_path / "red.png"),))).keys() == {"image"}
