"""A small illustrated library on disk, encoded by the tiny encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image
from tests.helpers.tiny_encoder import TinyEncoder

from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, StoredDocument
from plait.schema import Box, Passage, Picture, Scalar, Segment, Unit
from plait.search.searcher import Searcher

COLOURS = {"red": (230, 20, 20), "green": (20, 200, 40), "blue": (20, 40, 220), "grey": (128, 128, 128)}


@pytest.fixture
def picture(tmp_path) -> Callable[..., str]:
    """Return a function that draws a picture of vertical stripes and gives its path."""

    def draw(*colours: str) -> str:
        path = tmp_path / f"{'-'.join(colours)}.png"
        image = Image.new("RGB", (32 * len(colours), 32))
        for place, colour in enumerate(colours):
            image.paste(COLOURS[colour], (32 * place, 0, 32 * place + 32, 32))
        image.save(path)
        return str(path)

    return draw


@pytest.fixture
def figure(picture) -> Callable[..., Segment]:
    """Return a function that makes a figure, named by its colours, on page 7."""

    def make(*colours: str) -> Segment:
        path = picture(*colours)
        digest = sha256(Path(path).read_bytes()).hexdigest()
        shown = Picture(path, digest, 32 * len(colours), 32)
        return Segment("image", picture=shown, caption=" ".join(colours), page=7, box=Box(0, 0, 0.5, 0.5))

    return make


@pytest.fixture(params=["in memory", "scanned"])
def library(tmp_path, request) -> Callable[..., Searcher]:
    """Return a function that stores documents, each a list of (passages, figures), and opens a searcher.

    What it finds is the same whether vectors are held in memory or scanned by small codes.
    """
    options = {"exact_bytes": 0} if request.param == "scanned" else {}

    def store(
        documents: Mapping[str, Sequence[tuple[Sequence[str], Sequence[Segment]]]],
        metadata: Mapping[str, Mapping[str, Scalar]] | None = None,
        folder: str = "store",
    ) -> Searcher:
        encoder = TinyEncoder()
        index = LanceIndex(tmp_path / folder, encoder.fields, **options)
        index.add(
            [
                _entry(encoder, name, units, (metadata or {}).get(name, {}))
                for name, units in documents.items()
            ]
        )
        return Searcher(encoder, index.snapshot())

    return store


def _entry(encoder: TinyEncoder, name: str, contents, metadata: Mapping[str, Scalar]) -> Entry:
    units = tuple(
        Unit(
            f"{name}:{ordinal}",
            name,
            ordinal,
            name.title(),
            ("Chapter",),
            ordinal + 1,
            tuple(
                Passage(text, page=ordinal + 1, box=Box(0, 0, 1, 1), anchor=f"p{i}")
                for i, text in enumerate(passages)
            ),
            tuple(figures),
        )
        for ordinal, (passages, figures) in enumerate(contents)
    )
    document = StoredDocument(name, name.title(), f"{name}.html", dict(metadata), "0" * 64)
    return Entry(document, units, tuple(encoder.encode_units(units)))
