"""Captioned drawings as one more manual: every unit is a picture without words, asked for by its name."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.ablations.material import LAYERS
from plait.encode.mini_towers import Towers
from plait.model.mini.configuration_mini import MiniConfig
from plait.train.mini.distilling import Lesson, Reading
from plait.train.mini.pictures import pictures_in

_COUNT = 300
_NOT_A_NAME = re.compile(r"[^A-Za-z]+|\b\w\b")


def drawings(packages: Path, work: Path) -> Lesson:
    """Return a lesson of pictures from openclipart-png; no teacher knows their answers."""
    kept = work / "material" / "drawings.pkl"
    if not kept.exists():
        kept.write_bytes(pickle.dumps(_see(packages / "openclipart-png" / "usr")))
    names, cells = pickle.loads(kept.read_bytes())  # our own file, in our own working folder
    return Lesson(
        [[Reading(states, None)] for states in names],
        [[Reading(None, seen)] for seen in cells],
        np.eye(len(names), dtype=bool),
        np.full((len(names), len(names)), np.nan, np.float32),
    )


def _see(folder: Path) -> tuple[list[Tensor], Tensor]:
    """Return the states of each picture's name, and the cells of all."""
    towers = Towers(MiniConfig(), threads=1)
    pictures: dict[str, Image.Image] = {}
    for _, path, picture in pictures_in(folder, most=_COUNT, seed=1):
        name = " ".join(_NOT_A_NAME.sub(" ", path.stem).split())
        if name:
            pictures.setdefault(name, picture)
    words, cells = [], []
    for name, picture in pictures.items():
        states, _ = towers.states([f"A {name}."])
        words.append(torch.stack([states[layer][0] for layer in LAYERS], 1).half())
        cells.append(towers.cells([towers.squeezed(picture)])[0].half())
    return words, torch.stack(cells)
