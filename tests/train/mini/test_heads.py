"""Training the picture heads, on made-up cells."""

import torch

from plait.model.mini.configuration_mini import PictureHeadsConfig
from plait.train.mini.features import Seen
from plait.train.mini.heads import HeadsRecipe, edit_loss, initial_heads, train_heads

SIZES = PictureHeadsConfig(grid=2, token_width=6, pooled_width=6)


def seen(seed: int, pictures: int = 24, channels: int = 12) -> Seen:
    """Pictures whose edits differ from them by noise in half of the channels."""
    generator = torch.Generator().manual_seed(seed)
    originals = torch.randn(pictures, 1, 4, channels, generator=generator)
    noise = torch.randn(pictures, 3, 4, channels, generator=generator)
    noise[..., : channels // 2] = 0
    views = torch.cat([originals, originals + 3 * noise], 1)
    return Seen(tuple(map(str, range(pictures))), views.half())


def test_whitened_heads_give_centred_outputs_of_like_spread() -> None:
    source = seen(0, pictures=200)
    heads = initial_heads([source], SIZES, HeadsRecipe(shrinkage=0.0))
    outputs = heads.tokens(source.cells[:, 0].float()).flatten(0, 1)
    assert outputs.mean(0).abs().max() < 1e-2
    assert torch.allclose(outputs.T @ outputs / len(outputs), torch.eye(6), atol=0.05)


def test_training_learns_to_see_through_edits_of_a_source_it_never_saw() -> None:
    recipe = HeadsRecipe(steps=150, batch=16, learning_rate=1e-2)
    start, trained = (
        initial_heads([seen(1), seen(2)], SIZES, recipe),
        train_heads([seen(1), seen(2)], SIZES, recipe),
    )
    unseen = seen(3).cells.float()
    with torch.inference_mode():
        before, after = (edit_loss(heads, unseen[:, 1], unseen[:, 0], 0.1) for heads in (start, trained))
    assert after < 0.6 * before


def test_training_is_repeatable() -> None:
    recipe = HeadsRecipe(steps=3, batch=8)
    one, two = (train_heads([seen(1)], SIZES, recipe).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_loss_of_perfect_matches_is_near_zero() -> None:
    heads = initial_heads([seen(1)], SIZES, HeadsRecipe())
    originals = seen(1).cells[:, 0].float()
    assert (
        edit_loss(heads, originals, originals, 0.01)
        < 0.05
        < edit_loss(heads, originals, originals.flip(0), 0.01)
    )


def test_features_survive_a_file(tmp_path) -> None:
    seen(4).save(tmp_path / "features.npz")
    read = Seen.read(tmp_path / "features.npz")
    assert read.hashes == seen(4).hashes
    assert torch.equal(read.cells, seen(4).cells)
