"""Small training files, written line by line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from plait.data.training.examples import BadRow, Example


@pytest.fixture
def lines(tmp_path: Path) -> Callable[..., Path]:
    """Write a file of lines: objects as JSON, strings and bytes as they are."""

    def write(name: str, *rows: object) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        parts = [
            row if isinstance(row, bytes) else (row if isinstance(row, str) else json.dumps(row)).encode()
            for row in rows
        ]
        file.write_bytes(b"\n".join(parts) + b"\n")
        return file

    return write


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Return a folder "images" of two pictures, in a folder that holds a third."""
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    for name, colour in (("red.png", "red"), ("sub/blue.jpg", "blue"), ("../outside.png", "green")):
        Image.new("RGB", (8, 6), colour).save(folder / name)
    return folder


@pytest.fixture
def split() -> Callable[..., tuple[list[Example], list[BadRow]]]:
    """Read a source: its examples, and its bad rows."""

    def read(source) -> tuple[list[Example], list[BadRow]]:
        rows = list(source)
        return [r for r in rows if isinstance(r, Example)], [r for r in rows if isinstance(r, BadRow)]

    return read
