"""Named layers are the release's; those that follow from the depths end with both backbones' last."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.errors import ModelError
from plait.model.backbones import LayerStrategy, strategy


@pytest.mark.parametrize(
    ("name", "text", "vision"),
    [
        ("clip_vit_b", list(range(12)), list(range(12))),
        ("clip_vit_l", list(range(12)), [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]),
        (
            "openclip_vit_h",
            [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23],
            [0, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 31],
        ),
        (
            "openclip_vit_g",
            [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 31],
            [2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35, 38, 41, 44, 47],
        ),
    ],
)
def test_named_strategies_are_the_releases(name, text, vision):
    chosen = strategy(name)
    assert (list(chosen.text), list(chosen.vision)) == (text, vision)


@pytest.mark.parametrize(
    ("name", "text_depth", "vision_depth", "text", "vision"),
    [
        ("all", 6, 7, (0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 4, 6)),
        ("all", 24, 12, (1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23), tuple(range(12))),
        ("early_middle_late", 12, 24, (3, 7, 11), (7, 15, 23)),
        ("early_middle_late", 3, 4, (0, 1, 2), (0, 1, 3)),
        ("last", 6, 32, (5,), (31,)),
    ],
)
def test_strategies_follow_from_the_depths(name, text_depth, vision_depth, text, vision):
    assert strategy(name, text_depth=text_depth, vision_depth=vision_depth) == LayerStrategy(text, vision)


@given(text=st.integers(3, 60), vision=st.integers(3, 60))
@pytest.mark.parametrize("name", ["all", "early_middle_late", "last"])
def test_strategies_of_any_depth_end_with_the_last_layers(name, text, vision):
    chosen = strategy(name, text_depth=text, vision_depth=vision)
    assert (chosen.text[-1], chosen.vision[-1]) == (text - 1, vision - 1)
    assert len(chosen.text) == {"all": min(text, vision), "early_middle_late": 3, "last": 1}[name]


def test_an_unknown_strategy_names_all_there_are():
    with pytest.raises(ModelError, match=r"'clip': use one of clip_vit_b, .*, all, early_middle_late, last$"):
        strategy("clip")


def test_a_strategy_that_follows_from_the_depths_needs_both():
    with pytest.raises(ModelError, match="'all' follows from both depths, got 12 and None"):
        strategy("all", text_depth=12)


def test_backbones_that_are_too_shallow_are_refused():
    with pytest.raises(ModelError, match="the vision backbone has 2 layers, but 3 are to be read"):
        strategy("early_middle_late", text_depth=12, vision_depth=2)
    with pytest.raises(ModelError, match=r"text backbone has 6 layers, but layer 6 \(from 0\) is to be read"):
        strategy("clip_vit_b", text_depth=6, vision_depth=12)


@pytest.mark.parametrize(("text", "vision"), [((0, 1), (0,)), ((), ()), ((1, 0), (0, 1)), ((-1,), (0,))])
def test_layers_that_make_no_steps_are_refused(text, vision):
    with pytest.raises(ModelError):
        LayerStrategy(text, vision)
