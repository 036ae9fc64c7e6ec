"""Small illustrated units and documents that can be asked about: every sentence and figure is its own."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image

from plait.schema import Document, Passage, Picture, Segment, Unit

THINGS = ("anvil", "bellows", "candle", "dynamo", "easel", "funnel", "gasket", "hammer", "inkwell", "jigsaw")


def picture(folder: Path, seed: int, *, side: int = 48, suffix: str = ".png") -> Picture:
    """Draw a picture of coloured tiles, the same pixels for the same seed."""
    tiles = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    path = folder / f"{seed}-{side}{suffix}"
    Image.fromarray(tiles).resize((side, side), Image.Resampling.NEAREST).save(path)
    return Picture(str(path), sha256(path.read_bytes()).hexdigest(), side, side)


def sentence(number: int, word: str = "turns") -> str:
    """Return a sentence that no other number has."""
    thing = THINGS[number % len(THINGS)]
    return f"The {thing} number {number} {word} slowly whenever the workshop bell rings."


REST = "Afterwards clean every part with a soft dry cloth and put it back in its usual place again."


def unit(number: int, figures: tuple[Segment, ...] = (), *, document: str = "", heading: str = "") -> Unit:
    """Return a unit of two sentences, of which only the first is its own."""
    document = document or f"d{number:02}"
    heading = heading or f"Using the {THINGS[number % len(THINGS)]} {number}"
    text = f"{sentence(number)} {REST}"
    return Unit(
        f"{document}:{number}", document, number, "Manual", (heading,), None, (Passage(text),), figures
    )


def shown(folder: Path, seed: int, caption: str = "") -> Segment:
    """Return a figure."""
    return Segment("image", picture=picture(folder, seed), caption=caption)


def document(folder: Path, number: int) -> Document:
    """Return a document of two sections, each with a sentence of its own; the first with a figure."""
    first, second = (
        (f"{part} the {THINGS[number % len(THINGS)]} {number}",) for part in ("Using", "Storing")
    )
    caption = f"Figure {number}: the {THINGS[number % len(THINGS)]} seen from side {number}"
    return Document(
        f"doc{number:02}",
        "Manual",
        f"{number:02}.html",
        segments=(
            Segment("text", text=f"{sentence(number)} {REST}", section=first),
            Segment("image", picture=picture(folder, number), caption=caption, section=first),
            Segment("text", text=f"{sentence(number, 'rests')} {REST}", section=second),
        ),
    )
