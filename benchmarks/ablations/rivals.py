"""Those who read a unit into a few tokens: the recurrent cell, plain projections, and the cell upon these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait.model.mini.configuration_mini import JointHeadConfig, MiniConfig
from plait.train.mini.distilling import CellStudent, Lesson, Reading

_GRIDS = {1: (1, 1), 2: (1, 2), 4: (2, 2), 8: (2, 4), 16: (4, 4)}  # tokens of a figure -> rows, columns
_MOST_MOVED = 0.3


class PlainHeads(nn.Module):
    """Half of the tokens are projections of the words' mean, half of the figure's cells; nothing is fused.

    A side that an input lacks is tokens of zeros. Every token has a constant of its own kind beside what it
    reads, so that kinds find their like. It starts as a rotation of the words' vector and as whitened
    principal components of the cells.
    """

    def __init__(self, config: JointHeadConfig, lessons: Sequence[Lesson]) -> None:
        super().__init__()
        self.per_side, self.width = config.tokens // 2, config.token_width
        self.text = nn.Linear(384, self.per_side * self.width)
        self.vision = nn.Linear(424, self.width)
        kinds = functional.normalize(torch.randn(self.per_side + 1, self.width), dim=-1)
        self._start_text(
            [_mean(r) for lesson in lessons for ways in lesson.units for r in ways[:1]], kinds[:-1]
        )
        cells = [
            r.cells[:16].float()
            for one in lessons
            for ways in one.units
            for r in ways[:1]
            if r.cells is not None
        ]
        self._start_vision(torch.cat(cells), kinds[-1])

    def _start_text(self, means: Sequence[Tensor], kinds: Tensor) -> None:
        centre = torch.stack(list(means)).mean(0)
        rotation = torch.linalg.qr(torch.randn(384, 384))[0]
        rows = torch.cat([rotation] * (1 + self.per_side * self.width // 384))[: self.per_side * self.width]
        typical = (torch.stack(list(means)) - centre).norm(dim=-1).mean() * (self.width / 384) ** 0.5
        with torch.no_grad():
            self.text.weight.copy_(rows / typical)
            self.text.bias.copy_(kinds.flatten() - rows @ centre / typical)

    def _start_vision(self, cells: Tensor, kind: Tensor) -> None:
        centre, scale = cells.mean(0), cells.std(0) + 1e-3
        values, vectors = torch.linalg.eigh(torch.cov(((cells - centre) / scale).T))
        values, vectors = values.flip(0)[: self.width], vectors.flip(1)[:, : self.width]
        rows = (vectors / (values + 0.03 * values[0]).sqrt()).T / scale / self.width**0.5
        with torch.no_grad():
            self.vision.weight.copy_(rows)
            self.vision.bias.copy_(0.3 * kind - rows @ centre)

    def forward(self, readings: Sequence[Reading]) -> Tensor:
        """Return (B, tokens, token_width), each of length 1 or 0."""
        return functional.normalize(self.raw(readings), dim=-1)

    def raw(self, readings: Sequence[Reading]) -> Tensor:
        """Return the tokens before they are scaled, each side's of about length 1."""
        out = torch.zeros(len(readings), 2 * self.per_side, self.width)
        worded = [row for row, one in enumerate(readings) if one.words is not None]
        shown = [row for row, one in enumerate(readings) if one.cells is not None]
        if worded:
            means = torch.stack([_mean(readings[row]) for row in worded])
            tokens = functional.normalize(
                self.text(means).view(len(worded), self.per_side, self.width), dim=-1
            )
            out = out.index_copy(0, torch.tensor(worded), functional.pad(tokens, (0, 0, 0, self.per_side)))
        if shown:
            cells = torch.stack([_pooled(readings[row], self.per_side) for row in shown])
            tokens = functional.normalize(self.vision(cells), dim=-1)
            out = out.index_add(0, torch.tensor(shown), functional.pad(tokens, (0, 0, self.per_side, 0)))
        return out


class CellOnPlain(nn.Module):
    """Plain heads, frozen as they start, each token moved by the cell's, at most by 0.3 of its length.

    The tokens of a side that is not there stay zeros.
    """

    def __init__(self, config: MiniConfig, lessons: Sequence[Lesson]) -> None:
        super().__init__()
        assert config.joint is not None
        self.plain = PlainHeads(config.joint, lessons).requires_grad_(False)
        self.cell = CellStudent(config)
        self.share = nn.Parameter(torch.full((config.joint.tokens, 1), -1.0))

    def forward(self, readings: Sequence[Reading]) -> Tensor:
        """Return (B, tokens, token_width), each of length 1 or 0."""
        plain = self.plain.raw(readings)
        there = plain.abs().sum(-1, keepdim=True) > 0
        return functional.normalize(
            plain + there * _MOST_MOVED * self.share.sigmoid() * self.cell(readings), dim=-1
        )


def cell(config: JointHeadConfig, *, gates: float | None = None) -> CellStudent:
    """Return the cell.

    Args:
        gates: None learns them; a number is every gate's logit, fixed.
    """
    student = CellStudent(replace(MiniConfig(), joint=config))
    if gates is not None:
        for reader in (student.head.cell.text, student.head.cell.vision):
            assert reader is not None
            _fix(reader.input_gate, gates)
            _fix(reader.forget_gate, gates)
    return student


def _fix(gate: nn.Linear, logit: float) -> None:
    with torch.no_grad():
        gate.weight.zero_()
        gate.bias.fill_(logit)
    gate.requires_grad_(False)


def _mean(reading: Reading) -> Tensor:
    """Return (384,), the words' vector as MiniLM gives it; a unit always has words."""
    assert reading.words is not None
    return functional.normalize(reading.words[:, -1].float().mean(0), dim=0)


def _pooled(reading: Reading, tokens: int) -> Tensor:
    """Return (tokens, c): the cells averaged over as many fields of the figure."""
    assert reading.cells is not None
    maps = reading.cells[:16].float().T.reshape(1, -1, 4, 4)
    return functional.adaptive_avg_pool2d(maps, _GRIDS[tokens])[0].flatten(1).T
