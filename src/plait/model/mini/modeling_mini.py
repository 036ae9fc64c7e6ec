"""The trained part of plait-mini: heads that turn a vision tower's maps into a figure's vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait.model.mini.configuration_mini import PictureHeadsConfig


class PictureHeads(nn.Module):
    """A token for each cell of a figure, and one vector for all of it.

    The pooled vector reads the mean and the spread over the cells.

    Args:
        config: grid and widths.
        channels: c, the channels of all maps together.
    """

    def __init__(self, config: PictureHeadsConfig, channels: int) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Linear(channels, config.token_width)
        self.pooled = nn.Linear(2 * channels, config.pooled_width)

    def forward(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Return the tokens, (B, grid * grid, token_width), and the vectors, (B, pooled_width), unit length.

        Args:
            cells: (B, grid * grid, c), from `cells_of`.
        """
        over_all = torch.cat([cells.mean(1), cells.std(1)], -1)  # (B, 2c)
        return (
            functional.normalize(self.tokens(cells), dim=-1),
            functional.normalize(self.pooled(over_all), dim=-1),
        )


def cells_of(maps: Sequence[Tensor], grid: int) -> Tensor:
    """Return (B, grid * grid, c): the mean of every map over each cell, maps side by side, row by row.

    Args:
        maps: (B, width, h, w) each; their widths add up to c.
    """
    pooled = [functional.adaptive_avg_pool2d(m, grid).flatten(2) for m in maps]  # (B, width, cells)
    return torch.cat(pooled, 1).transpose(1, 2)
