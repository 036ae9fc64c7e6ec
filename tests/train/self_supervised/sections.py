"""Hand-made sections whose sentences, headings, captions and figures are known."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from plait.schema import Passage, Picture, Segment, Unit

SENTENCES = (
    "Lime settles in the boiler within a few months.",
    "Fill the tank with the sachet and a litre of water.",
    "Run a third of it through the group head.",
    "Let the rest work for twenty minutes with the heat off.",
    "Rinse with two full tanks of fresh water.",
)
# As passages are: the second begins with the last sentence of the first.
PASSAGES = (" ".join(SENTENCES[:3]), f"{SENTENCES[2]} {SENTENCES[3]}\n{SENTENCES[4]}")


def section(
    *figures: Segment, passages: tuple[str, ...] = PASSAGES, document: str = "lime", ordinal: int = 0,
    title: str = "Descaling", headings: tuple[str, ...] = ("Descaling", "What to do"),
) -> Unit:  # fmt: skip
    """Return a unit of five sentences in two passages, unless told otherwise."""
    return Unit(
        id=f"{document}:{ordinal}",
        document_id=document,
        ordinal=ordinal,
        title=title,
        section=headings,
        passages=tuple(Passage(text) for text in passages),
        figures=figures,
    )


def named(name: str, caption: str = "", *, side: int = 90, alternative: str = "") -> Segment:
    """Return a figure without a file."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return Segment("image", alternative, Picture(f"{name}.png", digest, side, side), caption)


def drawn(folder: Path, level: int, caption: str = "", *, width: int = 200, height: int = 160) -> Segment:
    """Return a figure with a file: red grows to the right, green downwards, blue is of one level."""
    across = np.linspace(0, 255, width)[None, :].repeat(height, 0)
    down = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    pixels = np.stack([across, down, np.full_like(across, level)], axis=2).astype(np.uint8)
    file = folder / f"level-{level}.png"
    Image.fromarray(pixels).save(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Segment("image", "", Picture(str(file), digest, width, height), caption)
