"""Which layers of both backbones are read: the official choices, and ones that follow from the depths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from plait.errors import ModelError


@dataclass(frozen=True, slots=True)
class LayerStrategy:
    """The layers of both backbones that the recurrence reads, one pair a step.

    Attributes:
        text, vision: 0-based, after the embedding, ascending; equally many.
    """

    text: tuple[int, ...]
    vision: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.text) != len(self.vision) or not self.text:
            raise ModelError(
                f"{len(self.text)} text layers but {len(self.vision)} vision layers: a step reads one of each"
            )
        for name, layers in (("text", self.text), ("vision", self.vision)):
            if layers[0] < 0 or list(layers) != sorted(set(layers)):
                raise ModelError(f"{name} layers must ascend from 0 or more, got {list(layers)}")


# As the official release names and chooses them.
STRATEGIES = {
    "clip_vit_b": LayerStrategy(tuple(range(12)), tuple(range(12))),
    "clip_vit_l": LayerStrategy(tuple(range(12)), tuple(range(0, 24, 2))),
    "openclip_vit_h": LayerStrategy(tuple(range(1, 24, 2)), (0, *range(2, 30, 3), 31)),
    "openclip_vit_g": LayerStrategy((*range(0, 29, 2), 31), tuple(range(2, 48, 3))),
}

# name -> how many steps, given the depths of both backbones
_STEPS: dict[str, Callable[[int, int], int]] = {
    "all": min,
    "early_middle_late": lambda _text, _vision: 3,
    "last": lambda _text, _vision: 1,
}


def strategy(name: str, *, text_depth: int | None = None, vision_depth: int | None = None) -> LayerStrategy:
    """Return a named choice of layers.

    Args:
        name: one of `STRATEGIES`, which fix their layers; or one that follows from the depths: "all",
            every layer of the shallower backbone and as many, evenly spread, of the deeper one;
            "early_middle_late", the last layer of each third of both; "last". All of these end with
            both backbones' last layers. ReT-2 reads an early, a middle and a late layer, but which
            ones is not published: the thirds are our choice.
        text_depth, vision_depth: layers that the backbones have; None when not known.

    Raises:
        ModelError: no such name; depths it needs are not given; or a backbone has too few layers.
    """
    if name in STRATEGIES:
        chosen = STRATEGIES[name]
    elif name in _STEPS:
        chosen = _evenly(name, text_depth, vision_depth)
    else:
        raise ModelError(f"unknown layer strategy {name!r}: use one of {', '.join((*STRATEGIES, *_STEPS))}")
    if text_depth is not None:
        check_layers(chosen.text, text_depth, backbone="text")
    if vision_depth is not None:
        check_layers(chosen.vision, vision_depth, backbone="vision")
    return chosen


def _evenly(name: str, text_depth: int | None, vision_depth: int | None) -> LayerStrategy:
    """Return the layers that follow from the depths."""
    if text_depth is None or vision_depth is None:
        raise ModelError(
            f"layer strategy {name!r} follows from both depths, got {text_depth} and {vision_depth}"
        )
    steps = _STEPS[name](text_depth, vision_depth)
    return LayerStrategy(
        _spread(steps, text_depth, backbone="text"), _spread(steps, vision_depth, backbone="vision")
    )


def _spread(steps: int, depth: int, *, backbone: str) -> tuple[int, ...]:
    """Return the last layer of each of `steps` even parts of a backbone.

    Raises:
        ModelError: it has fewer layers than that.
    """
    if depth < steps:
        raise ModelError(f"the {backbone} backbone has {depth} layers, but {steps} are to be read")
    return tuple((step + 1) * depth // steps - 1 for step in range(steps))


def check_layers(layers: Sequence[int], depth: int, *, backbone: str) -> None:
    """Check that a backbone of this depth has these layers.

    Raises:
        ModelError: it has not, or no layers are given.
    """
    if not layers:
        raise ModelError(f"no layers of the {backbone} backbone are to be read: give at least one")
    for layer in layers:
        if not 0 <= layer < depth:
            raise ModelError(
                f"the {backbone} backbone has {depth} layers, but layer {layer} (from 0) is to be read: "
                "choose another layer strategy"
            )
