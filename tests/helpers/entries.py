"""Made-up documents ready to store, with random vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plait.index.base import Entry, StoredDocument
from plait.schema import Metadata, Passage, Picture, Segment, Unit
from plait.scoring.vectors import UnitVectors, VectorField, Vectors

FIELDS = (
    VectorField("text", 8, 1, "passage", "text"),
    VectorField("image_tokens", 4, 3, "figure", "image"),
)


def random_vectors(items: int, field: VectorField, seed: int = 0) -> Vectors:
    """Return (items, tokens, width) unit vectors that float16 holds exactly enough to compare."""
    raw = np.random.default_rng(seed).standard_normal((items, field.tokens, field.width))
    return (raw / np.linalg.norm(raw, axis=2, keepdims=True)).astype(np.float16).astype(np.float32)


def make_entry(
    name: str,
    texts: Sequence[str] = ("some words",),
    *,
    source: str = "",
    title: str = "",
    metadata: Metadata | None = None,
    section: tuple[str, ...] = (),
    pages: Sequence[int | None] = (),
    figures: int = 1,
    seed: int = 0,
) -> Entry:
    """Return a document with one unit for each text: one passage and some figures each."""
    document = StoredDocument(name, title or name, source or f"{name}.html", metadata or {}, "0" * 64)
    units = tuple(
        Unit(
            f"{name}:{ordinal}",
            name,
            ordinal,
            document.title,
            section,
            pages[ordinal] if pages else None,
            (Passage(text),),
            tuple(_figure(f"{name}-{ordinal}-{i}") for i in range(figures)),
        )
        for ordinal, text in enumerate(texts)
    )
    vectors = tuple(
        UnitVectors(
            {
                "text": random_vectors(1, FIELDS[0], seed + place),
                "image_tokens": random_vectors(figures, FIELDS[1], seed + place),
            }
        )
        for place in range(len(units))
    )
    return Entry(document, units, vectors)


def _figure(name: str) -> Segment:
    return Segment("image", picture=Picture(f"{name}.png", f"sha-{name}", 10, 10), caption=f"figure {name}")
