"""What is read for a benchmark: files of one kind, and what of them is counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Item:
    """A file to read, as `ReaderPool.read_many` wants it."""

    path: Path
    source: str
    root: Path


@dataclass(frozen=True, slots=True)
class Material:
    """Some files of one kind, and what of them is counted: "pages" or "files"."""

    name: str
    unit: str
    items: tuple[Item, ...]
