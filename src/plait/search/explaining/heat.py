"""Which places of a figure answer a query's picture, by late interaction over token vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plait.schema import Box
from plait.scoring.vectors import Vectors

_TEMPERATURE = 0.05  # of similarities: cells that match nearly as well as the best one share its place
MOST_USUAL = 32  # figures that tell what a token finds anywhere

Grid = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Heat:
    """How much each place of a figure does for its MaxSim.

    Attributes:
        values: (cells,) in [0, 1], of the strongest; all 0 where no place does more than any figure's.
        part, token: which part and token of the query the strongest place answers.
    """

    values: NDArray[np.float64]
    part: int
    token: int


def heat(query: Vectors, weights: Vectors, figure: Vectors, usual: NDArray[np.float32]) -> Heat:
    """Return what each place of a figure does for its score.

    A token of the query is worth what its best place is more similar to it than the usual figure's best
    place. Places that are nearly as similar share it, so that a token that fits many places points at none:

        values(c) = sum over tokens t of w_t * (max_c s_tc - usual_t)+ * softmax_c(s_tc / 0.05).

    Args:
        query: (parts, tokens, width), unit length.
        weights: (parts,).
        figure: (cells, width), unit length.
        usual: (parts, tokens) the similarity of the best place, on average over other figures.
    """
    similarity = query @ figure.T.astype(np.float32)  # (parts, tokens, cells)
    best = similarity.max(axis=2)
    near = np.exp((similarity - best[..., None]) / _TEMPERATURE)
    near /= near.sum(axis=2, keepdims=True)
    worth = weights[:, None] * np.maximum(best - usual, 0.0)
    answered = worth[..., None] * near  # (parts, tokens, cells)
    values = answered.sum(axis=(0, 1), dtype=np.float64)
    cell = int(values.argmax())
    part, token = np.unravel_index(int(answered[:, :, cell].argmax()), worth.shape)
    return Heat(values / max(values.max(), 1e-12), int(part), int(token))


def usual_best(query: Vectors, figures: list[Vectors]) -> NDArray[np.float32]:
    """Return (parts, tokens) the similarity of each query token's best place, a mean over figures.

    Args:
        query: (parts, tokens, width).
        figures: each (cells, width); none gives zeros.
    """
    if not figures:
        return np.zeros(query.shape[:2], np.float32)
    best = [(query @ figure.T.astype(np.float32)).max(axis=2) for figure in figures]
    usual: NDArray[np.float32] = np.mean(best, axis=0, dtype=np.float32)
    return usual


def cell_box(cell: int, grid: Grid, within: Box | None = None) -> Box:
    """Return the place of a grid's cell, on the picture that the grid lies over or that it was cut of.

    Args:
        within: the region that the grid lies over; None for all of the picture.
    """
    rows, columns = grid
    row, column = divmod(cell, columns)
    whole = within or Box(0.0, 0.0, 1.0, 1.0)
    width, height = whole.right - whole.left, whole.bottom - whole.top
    return Box(
        whole.left + width * column / columns,
        whole.top + height * row / rows,
        whole.left + width * (column + 1) / columns,
        whole.top + height * (row + 1) / rows,
    )
