"""Models that differ in their heads alone, over towers that read every text and picture once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from plait.encode.mini import MiniEncoder
from plait.encode.mini_towers import Towers
from plait.model.mini.configuration_mini import MiniConfig
from plait.scoring.vectors import Vectors


class SharedTowers(Towers):
    """Towers that remember all they were shown: 1.5 kB a text, 36 kB a picture."""

    def __init__(self, config: MiniConfig) -> None:
        super().__init__(config, threads=1)
        self._texts: dict[str, Vectors] = {}
        self._pictures: dict[bytes, tuple[Tensor, Tensor, Tensor]] = {}

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """As of `Towers`."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._texts]
        self._texts.update(zip(missing, super().vectors(missing), strict=True))
        if not texts:
            return super().vectors(texts)
        return np.stack([self._texts[text] for text in texts])

    def cells(self, pixels: Sequence[Tensor]) -> Tensor:
        """As of `Towers`."""
        return self.cells_and_top(pixels)[0]

    def cells_and_top(self, pixels: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """As of `Towers`."""
        by_content = {hashlib.sha256(one.numpy().tobytes()).digest(): one for one in pixels}
        missing = {key: one for key, one in by_content.items() if key not in self._pictures}
        if missing:
            seen = super().cells_and_top(list(missing.values()))
            self._pictures.update(zip(missing, zip(*seen, strict=True), strict=True))
        keys = [hashlib.sha256(one.numpy().tobytes()).digest() for one in pixels]
        found = [torch.stack(part) for part in zip(*(self._pictures[key] for key in keys), strict=True)]
        return found[0], found[1], found[2]


class SharingEncoder(MiniEncoder):
    """The model in a folder, over towers that others use too.

    Args:
        folder: with config.json and model.safetensors, as `MiniEncoder.load` reads them.
    """

    def __init__(self, folder: Path, towers: SharedTowers) -> None:
        super().__init__(folder, MiniConfig.read(folder / "config.json"), name=str(folder), threads=1)
        self._towers = towers
