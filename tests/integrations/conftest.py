"""A small illustrated library with a red and a blue figure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from tests.helpers.tiny_encoder import TinyEncoder

from plait.library import Library

PAGES = {"valve": "red", "filter": "blue"}


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("shelf")
    for name, colour in PAGES.items():
        Image.new("RGB", (64, 48), colour).save(folder / f"{name}.png")
        (folder / f"{name}.html").write_text(
            f"<html><head><title>The {name}</title></head><body><p>Close the {name} before you leave.</p>"
            f'<figure><img src="{name}.png" alt=""><figcaption>A {name}</figcaption></figure></body></html>'
        )
    with Library(folder, encoder=TinyEncoder()) as opened:
        assert opened.add([folder]).added == 2
        yield opened


@pytest.fixture
def blue(tmp_path: Path) -> Path:
    """A blue picture, for the filter."""
    Image.new("RGB", (40, 40), "blue").save(tmp_path / "blue.png")
    return tmp_path / "blue.png"
