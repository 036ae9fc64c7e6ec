"""Teaching the picture heads a library's own figures, a little."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch

from plait.model.mini.modeling_mini import PictureHeads
from plait.train.mini.features import Seen
from plait.train.mini.heads import edit_loss


@dataclass(frozen=True, slots=True)
class FigureRecipe:
    """How the heads are tuned.

    Attributes:
        steps, batch: batches, and figures in each.
        learning_rate: of Adam, falling to 0 along half a cosine.
        temperature: divides the scores before the softmax.
        fewest: with fewer figures nothing is tuned.
    """

    steps: int = 60
    batch: int = 128
    learning_rate: float = 3e-4
    temperature: float = 0.1
    fewest: int = 24


def tune_heads(heads: PictureHeads, seen: Seen, *, recipe: FigureRecipe, seed: int = 0) -> PictureHeads:
    """Return a copy of the heads that finds the edited figures of `seen` among one another more surely."""
    tuned = copy.deepcopy(heads).requires_grad_(True).train()
    if len(seen.hashes) < recipe.fewest:
        return tuned.eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(tuned.parameters(), recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.steps)
    for _ in range(recipe.steps):
        rows = torch.randperm(len(seen.hashes), generator=generator)[: recipe.batch]
        views = torch.randint(1, seen.cells.shape[1], (len(rows),), generator=generator)
        edited, originals = seen.cells[rows, views].float(), seen.cells[rows, 0].float()
        loss = edit_loss(tuned, edited, originals, recipe.temperature)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return tuned.eval().requires_grad_(False)
