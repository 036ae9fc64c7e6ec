"""The picture heads: shapes, lengths, and what a cell is."""

import torch

from plait.model.mini.configuration_mini import PictureHeadsConfig
from plait.model.mini.modeling_mini import PictureHeads, cells_of


def test_cells_are_the_means_of_their_patch_row_by_row() -> None:
    first = torch.arange(16.0).reshape(1, 1, 4, 4)
    second = torch.full((1, 2, 2, 2), 5.0)
    cells = cells_of([first, second], grid=2)
    assert cells.shape == (1, 4, 3)
    # the top left patch of the first map holds 0, 1, 4, 5; the top right one 2, 3, 6, 7
    assert cells[0, :, 0].tolist() == [2.5, 4.5, 10.5, 12.5]
    assert cells[0, :, 1:].eq(5.0).all()


def test_tokens_and_vectors_have_unit_length() -> None:
    heads = PictureHeads(PictureHeadsConfig(grid=2, token_width=6, pooled_width=5), channels=3)
    tokens, pooled = heads(torch.randn(4, 4, 3))
    assert tokens.shape == (4, 4, 6)
    assert pooled.shape == (4, 5)
    assert torch.allclose(tokens.norm(dim=-1), torch.ones(4, 4))
    assert torch.allclose(pooled.norm(dim=-1), torch.ones(4))


def test_a_figure_in_a_batch_equals_the_figure_alone() -> None:
    heads = PictureHeads(PictureHeadsConfig(grid=2, token_width=6, pooled_width=5), channels=3)
    cells = torch.randn(3, 4, 3)
    together, alone = heads(cells), heads(cells[1:2])
    assert torch.allclose(together[0][1], alone[0][0], atol=1e-6)
    assert torch.allclose(together[1][1], alone[1][0], atol=1e-6)
