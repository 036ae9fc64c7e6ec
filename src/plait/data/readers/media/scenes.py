"""Where a recording shows something new: frames at scene changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CUT = 0.10  # mean difference of two looks, as a share of full contrast, over which the scene has changed
_CHANGED_CELLS = 0.04  # or so much of the picture looks altogether different: another slide, the same look
_CELL_CHANGE = 0.25
_SHORTEST_SECONDS = 2.0

Look = NDArray[np.float32]  # a frame reduced to a small picture, (height, width, 3), from 0 to 1


@dataclass(frozen=True, slots=True)
class Scene:
    """A stretch of a recording that shows one thing.

    Attributes:
        start: in seconds.
        shown: when it is shown settled: the time of the frame that stands for it.
    """

    start: float
    shown: float


def scenes(looks: Iterator[tuple[float, Look]], *, settle_seconds: float = 0.5) -> Iterator[Scene]:
    """Give the scenes of a recording, each once a frame that stands for it has been seen.

    A scene is compared with the frame that stands for it, not with the frame before: slow pans and
    fades end a scene too, once enough has changed.

    Args:
        looks: (seconds, look) of frames in their order, some a second.
        settle_seconds: how long after a change the picture is taken to be settled.
    """
    begun: float | None = None  # when what is now shown began, until it has settled
    kept: tuple[float, Look] | None = None
    seconds = 0.0
    for seconds, look in looks:
        if begun is None and (kept is None or _is_new(kept, seconds, look)):
            begun = seconds
        if begun is not None and (kept is None or seconds - begun >= settle_seconds):
            yield Scene(begun, seconds)
            kept, begun = (seconds, look), None
    if begun is not None:
        yield Scene(begun, seconds)


def _is_new(kept: tuple[float, Look], seconds: float, look: Look) -> bool:
    shown, before = kept
    return seconds - shown >= _SHORTEST_SECONDS and _differ(before, look)


def _differ(one: Look, other: Look) -> bool:
    change = np.abs(one - other).mean(axis=2)
    return float(change.mean()) > _CUT or float((change > _CELL_CHANGE).mean()) > _CHANGED_CELLS
