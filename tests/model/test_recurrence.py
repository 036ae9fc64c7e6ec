"""The gated cell: its formula worked out by hand, and what absent modalities and padding may not do."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from plait.errors import ShapeError
from plait.model.recurrence import Attention, LayerStates, RecurrenceConfig, RecurrentCell, sinusoids

BATCH, WIDTH, TOKENS = 4, 16, 3


def random_cell(**changes):
    torch.manual_seed(0)
    cell = RecurrentCell(RecurrenceConfig(width=WIDTH, tokens=TOKENS, heads=2, **changes))
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.3)
    return cell.eval()


def states(length, seed):
    return torch.randn(BATCH, length, WIDTH, generator=torch.Generator().manual_seed(seed))


def by_formula(cell, h, text, vision, text_present, vision_present):
    """The module docstring's lines, with torch's own attention; presence is 0 or 1 a row."""
    c = cell.config

    def attend(attention, x, memory):
        official = nn.MultiheadAttention(
            WIDTH, attention.heads, bias=attention.in_proj_bias is not None, batch_first=True
        )
        official.load_state_dict(attention.state_dict())
        return official.eval()(x, memory, memory, need_weights=False)[0]

    squash = torch.tanh if c.use_tanh else lambda t: t
    m_text, m_vision = (p.float()[:, None, None] for p in (text_present, vision_present))
    h = h + cell.position
    x = cell.norm(h)
    h = h + attend(cell.self_attention, x, x)
    z_text = attend(cell.text.attention, x, cell.text.norm(text))
    z_vision = attend(cell.vision.attention, x, cell.vision.norm(vision))
    i_text = torch.sigmoid(cell.text.input_gate(z_text) + c.input_gate_prior) * m_text
    i_vision = torch.sigmoid(cell.vision.input_gate(z_vision) + c.input_gate_prior) * m_vision
    forget = cell.text.forget_gate(z_text) * m_text + cell.vision.forget_gate(z_vision) * m_vision
    f = torch.sigmoid(forget + c.forget_gate_prior)
    h = f * squash(h) + i_text * squash(z_text) + i_vision * squash(z_vision)
    return h + cell.mlp(cell.mlp_norm(h))


@pytest.mark.parametrize(
    "changes",
    [{}, {"use_tanh": True, "activation": "relu", "input_gate_prior": -0.5, "forget_gate_prior": 1.0}],
    ids=["defaults", "variant"],
)
def test_a_step_is_the_papers_formula(changes):
    cell = random_cell(**changes)
    text, vision = states(5, 1), states(7, 2)
    text_present, vision_present = torch.tensor([1, 0, 1, 0]), torch.tensor([1, 1, 0, 0])
    h = cell.start(BATCH)
    with torch.no_grad():
        expected = by_formula(cell, h, text, vision, text_present, vision_present)
        found = cell(
            h,
            LayerStates.select(text, present=text_present),
            LayerStates.select(vision, present=vision_present),
        )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_no_states_equal_states_that_no_row_has():
    cell, text, vision = random_cell(), states(5, 1), states(7, 2)
    nobody = LayerStates(vision[:0], rows=torch.zeros(0, dtype=torch.int64))
    assert LayerStates.select(vision, present=torch.zeros(BATCH)) is None
    torch.testing.assert_close(
        cell(cell.start(BATCH), LayerStates(text)),
        cell(cell.start(BATCH), LayerStates(text), nobody),
        rtol=0,
        atol=0,
    )


def test_a_row_without_a_modality_is_the_row_that_never_saw_it():
    cell, text, vision = random_cell(), states(5, 1), states(7, 2)
    h = cell.start(BATCH)
    mixed = cell(h, LayerStates(text), LayerStates.select(vision, present=torch.tensor([1, 0, 1, 1])))
    torch.testing.assert_close(mixed[1:2], cell(h[:1], LayerStates(text[1:2])), rtol=0, atol=1e-6)
    torch.testing.assert_close(
        mixed[[0, 2, 3]], cell(h, LayerStates(text), LayerStates(vision))[[0, 2, 3]], rtol=0, atol=1e-6
    )


def test_padding_is_never_attended():
    cell, text = random_cell(), states(5, 1)
    mask = torch.tensor([[1, 1, 1, 0, 0]] * BATCH)
    spoiled = text.clone()
    spoiled[:, 3:] = 1e3
    padded = cell(cell.start(BATCH), LayerStates.select(spoiled, mask=mask))
    torch.testing.assert_close(padded, cell(cell.start(BATCH), LayerStates(text[:, :3])), rtol=0, atol=1e-6)


def test_nothing_at_all_only_fades_the_tokens():
    cell = random_cell(forget_gate_prior=-2.0)
    h = cell.start(1)
    with torch.no_grad():
        before = h + cell.position
        x = cell.norm(before)
        faded = (before + cell.self_attention(x, x)) / (1 + math.exp(2.0))
        torch.testing.assert_close(cell(h), faded + cell.mlp(cell.mlp_norm(faded)))


def test_absent_rows_leave_no_gradient_in_their_states():
    cell, vision = random_cell(), states(7, 2).requires_grad_()
    cell(
        cell.start(BATCH), None, LayerStates.select(vision, present=torch.tensor([0, 1, 0, 1]))
    ).sum().backward()
    assert (vision.grad.abs().amax((1, 2)) > 0).tolist() == [False, True, False, True]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_attention_is_torchs_own_with_the_same_parameters(bias, masked):
    torch.manual_seed(0)
    official = nn.MultiheadAttention(WIDTH, 4, bias=bias, batch_first=True).eval()
    ours = Attention(WIDTH, 4, bias=bias).eval()
    ours.load_state_dict(official.state_dict())
    x, memory = states(TOKENS, 3), states(6, 4)
    mask = torch.arange(6)[None] < torch.tensor([[6], [1], [3], [5]]) if masked else None
    expected, _ = official(x, memory, memory, key_padding_mask=None if mask is None else ~mask)
    torch.testing.assert_close(ours(x, memory, mask), expected, rtol=0, atol=1e-6)


def test_positions_are_worked_out_by_hand():
    table = sinusoids(3, 4)[0]
    expected = [
        [0, 1, 0, 1],
        *([math.sin(p), math.cos(p), math.sin(p / 100), math.cos(p / 100)] for p in (1, 2)),
    ]
    torch.testing.assert_close(table, torch.tensor(expected, dtype=torch.float32))


def test_a_cell_of_one_modality_has_no_weights_for_the_other():
    cell = random_cell(text=False)
    assert not [name for name, _ in cell.named_parameters() if name.startswith("text")]
    with pytest.raises(ShapeError, match="built without text"):
        cell(cell.start(BATCH), LayerStates(states(5, 1)))


def test_states_of_another_width_are_refused():
    cell = random_cell()
    with pytest.raises(ShapeError, match=r"vision states are \(4, 5, 8\), expected \(P, n, 16\)"):
        cell(cell.start(BATCH), None, LayerStates(states(5, 1)[..., :8]))


@pytest.mark.parametrize(
    "changes", [{"width": 10, "heads": 4}, {"activation": "sine"}, {"text": False, "vision": False}]
)
def test_impossible_configurations_are_refused(changes):
    with pytest.raises(ValueError):
        RecurrenceConfig(**changes)


def test_dropout_acts_in_training_only():
    cell = random_cell(dropout=0.5, attention_dropout=0.5)
    h, text = cell.start(BATCH), LayerStates(states(5, 1))
    assert torch.equal(cell(h, text), cell(h, text))
    cell.train()
    assert not torch.equal(cell(h, text), cell(h, text))
