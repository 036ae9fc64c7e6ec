"""A small illustrated library with a red and a blue figure."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from tests.helpers.libraries import write_titled
from tests.helpers.tiny_encoder import TinyEncoder

from plait.library import Library

PAGES = {"valve": "red", "filter": "blue"}


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("shelf")
    for name, colour in PAGES.items():
        write_titled(folder, name, f"Close the {name} before you leave.", _plain(colour))
    with Library(folder, encoder=TinyEncoder()) as opened:
        assert opened.add([folder]).added == 2
        yield opened


@pytest.fixture
def blue(tmp_path: Path) -> Path:
    """A blue picture, for the filter."""
    (tmp_path / "blue.png").write_bytes(_plain("blue"))
    return tmp_path / "blue.png"


def _plain(colour: str) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(data, "PNG")
    return data.getvalue()
