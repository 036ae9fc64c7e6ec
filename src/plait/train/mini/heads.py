"""Training the picture heads: every edited picture must find its original among those of its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from plait.model.mini.configuration_mini import PictureHeadsConfig
from plait.model.mini.modeling_mini import PictureHeads
from plait.scoring.maxsim import maxsim
from plait.train.mini.features import Seen


@dataclass(frozen=True, slots=True)
class HeadsRecipe:
    """How the heads are trained.

    Attributes:
        steps, batch: batches, and pictures in each, all of one source: figures of one manual are the
            hard negatives of each other.
        learning_rate: of Adam, falling to 0 along half a cosine.
        temperature: divides the scores before the softmax.
        shrinkage: of the whitening that the heads start from, relative to the largest variance.
    """

    steps: int = 200
    batch: int = 128
    learning_rate: float = 1e-3
    temperature: float = 0.1
    shrinkage: float = 0.03
    seed: int = 0


_NARROWEST = 1e-3  # added to every channel's spread: one that never changes says nothing


def train_heads(sources: Sequence[Seen], config: PictureHeadsConfig, recipe: HeadsRecipe) -> PictureHeads:
    """Return heads that start as whitened principal components and learn to see through edits."""
    generator = torch.Generator().manual_seed(recipe.seed)
    heads = initial_heads(sources, config, recipe)
    optimiser = torch.optim.Adam(heads.parameters(), recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, recipe.steps))
    shares = torch.tensor([float(len(seen.hashes)) for seen in sources]).sqrt()
    for _ in range(recipe.steps):
        seen = sources[int(torch.multinomial(shares, 1, generator=generator))]
        rows = torch.randperm(len(seen.hashes), generator=generator)[: recipe.batch]
        views = torch.randint(1, seen.cells.shape[1], (len(rows),), generator=generator)
        loss = edit_loss(
            heads, seen.cells[rows, views].float(), seen.cells[rows, 0].float(), recipe.temperature
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return heads.eval()


def edit_loss(heads: PictureHeads, edited: Tensor, originals: Tensor, temperature: float) -> Tensor:
    """Return the cross entropy of finding each original, by tokens and by pooled vectors, both ways round.

    Args:
        edited, originals: (B, cells, c), row by row the same picture.
    """
    asked, asked_pooled = heads(edited)
    stored, stored_pooled = heads(originals)
    by_tokens = maxsim(asked, stored) / asked.shape[1] / temperature  # (B, B)
    by_vector = asked_pooled @ stored_pooled.T / temperature
    right = torch.arange(len(edited))
    losses = [
        functional.cross_entropy(scores, right) + 0.5 * functional.cross_entropy(scores.T, right)
        for scores in (by_tokens, by_vector)
    ]
    return losses[0] + losses[1]


def initial_heads(sources: Sequence[Seen], config: PictureHeadsConfig, recipe: HeadsRecipe) -> PictureHeads:
    """Return heads that whiten: standardise every channel, then rotate to scaled principal components."""
    cells = torch.cat([seen.cells[:, 0].float() for seen in sources])  # (P, cells, c)
    heads = PictureHeads(config, cells.shape[2])
    _whiten(heads.tokens, cells.flatten(0, 1), recipe.shrinkage)
    _whiten(heads.pooled, torch.cat([cells.mean(1), cells.std(1)], 1), recipe.shrinkage)
    return heads


def _whiten(layer: torch.nn.Linear, inputs: Tensor, shrinkage: float) -> None:
    """Make a layer the principal components of its standardised inputs, scaled to about unit variance."""
    centre, scale = inputs.mean(0), inputs.std(0) + _NARROWEST
    standard = ((inputs - centre) / scale).double()
    values, vectors = torch.linalg.eigh(standard.T @ standard / len(standard))
    values, vectors = values.flip(0)[: layer.out_features], vectors.flip(1)[:, : layer.out_features]
    projection = (vectors / torch.sqrt(values + shrinkage * values[0])).float().T / scale  # (out, in)
    with torch.no_grad():
        layer.weight.copy_(projection)
        layer.bias.copy_(-projection @ centre)
