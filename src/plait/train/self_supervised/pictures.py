"""The pictures of training rows: documents' figures as they are, and edited ones that ask."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from plait.encode.pictures import open_picture
from plait.errors import QueryError
from plait.schema import Picture, Unit
from plait.train.mini.edits import edit
from plait.train.self_supervised.questions import Figure, figures_of

_MOST_PIXELS = 50_000_000
_LONGEST_SIDE_PX = 1024  # of an edited picture; models look at a few hundred
_JPEG_QUALITY = 92


class RowPictures:
    """A folder of pictures, which also remembers what was asked about: memory does not grow with it.

    A figure that a document shows is stored once, under the hash of its bytes; an edit of it beside it.

    Args:
        folder: exists.
        seed: of the edits; each depends on nothing else but its figure and its number.

    Attributes:
        missing, damaged: figures that were looked for and are not there, or cannot be opened.
    """

    def __init__(self, folder: Path, *, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self.missing = 0
        self.damaged = 0

    def usable(self, unit: Unit, *, most: int) -> list[Figure]:
        """Return a unit's largest figures that can be opened, none that was taken out of another document."""
        return list(islice(self._usable(unit), most))

    def keep(self, picture: Picture) -> str:
        """Store a document's figure; return its address from the folder above."""
        target = self._original(picture)
        if not target.exists():
            shutil.copyfile(picture.path, target)
        return self._address(target)

    def edited(self, picture: Picture, number: int) -> str:
        """Store an edit of a figure, the same for equal seeds; return its address from the folder above."""
        target = self._edit(picture, number)
        opened = open_picture(picture.path, max_pixels=_MOST_PIXELS)
        opened.thumbnail((_LONGEST_SIDE_PX, _LONGEST_SIDE_PX))
        rng = np.random.default_rng([self.seed, int(picture.sha256[:15], 16), number])
        edit(opened, rng).save(target, "JPEG", quality=_JPEG_QUALITY)
        return self._address(target)

    def _usable(self, unit: Unit) -> Iterator[Figure]:
        for figure in figures_of(unit):
            is_shown = self._original(figure.picture).exists()
            is_asked = self._edit(figure.picture, 0).exists()
            if (is_shown or not is_asked) and self._opens(figure.picture):
                yield replace(figure, is_new=not is_shown)

    def _opens(self, picture: Picture) -> bool:
        if not os.path.isfile(picture.path):
            self.missing += 1
            return False
        try:
            open_picture(picture.path, max_pixels=_MOST_PIXELS)
        except QueryError:
            self.damaged += 1
            return False
        return True

    def _original(self, picture: Picture) -> Path:
        return self.folder / f"{picture.sha256}{Path(picture.path).suffix}"

    def _edit(self, picture: Picture, number: int) -> Path:
        return self.folder / f"{picture.sha256}-{number}.jpg"

    def _address(self, target: Path) -> str:
        return f"{self.folder.name}/{target.name}"
