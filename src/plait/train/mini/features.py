"""What the frozen vision tower sees in a picture and its edits, computed once and kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from plait.model.mini.configuration_mini import MiniConfig
from plait.model.mini.lite0 import EfficientNetLite0
from plait.model.mini.modeling_mini import cells_of
from plait.train.mini.edits import QUERY_STYLE, TRAINING_STYLE, edit

_LONGEST_SIDE_PX = 1600  # larger ones are reduced before they are edited: an edit costs time by the pixel


@dataclass(frozen=True, slots=True)
class Seen:
    """P pictures of one source.

    Attributes:
        hashes: pixel hashes, one a picture.
        cells: (P, views, cells, c) float16. View 0 is the picture, view 1 an edit in the style that
            validation asks with, the others are edits in the training style.
    """

    hashes: tuple[str, ...]
    cells: Tensor

    def save(self, path: Path) -> None:
        """Write both to a .npz file."""
        np.savez(path, hashes=np.array(self.hashes), cells=self.cells.numpy())

    @classmethod
    def read(cls, path: Path) -> Seen:
        """Return what `save` wrote."""
        with np.load(path) as stored:
            return cls(tuple(stored["hashes"].tolist()), torch.from_numpy(stored["cells"]))


def see(
    pictures: Iterable[tuple[str, Image.Image]], tower: EfficientNetLite0, config: MiniConfig, *, edits: int
) -> Seen:
    """Return the features of pictures, given with their hashes, and of `edits` training edits of each.

    The edits of a picture depend on its hash alone, so a run can be repeated.
    """
    hashes, rows = [], []
    for name, picture in pictures:
        picture.thumbnail((_LONGEST_SIDE_PX, _LONGEST_SIDE_PX))
        rng = np.random.default_rng(int(name[:15], 16))
        views = [picture, edit(picture, rng, QUERY_STYLE)]
        views += [edit(picture, rng, TRAINING_STYLE) for _ in range(edits)]
        hashes.append(name)
        rows.append(_cells(views, tower, config))
    return Seen(tuple(hashes), torch.stack(rows))


def _cells(views: list[Image.Image], tower: EfficientNetLite0, config: MiniConfig) -> Tensor:
    """Return (views, cells, c) float16."""
    side = config.vision.side_px
    small = [view.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0) for view in views]
    pixels = torch.stack([torch.from_numpy(np.array(view)) for view in small])
    with torch.inference_mode():
        maps = tower(((pixels.float() - 127.0) / 128.0).permute(0, 3, 1, 2))
        return cells_of([maps[stage] for stage in config.vision.stages], config.heads.grid).half()
