"""Library: a folder of documents, and what it says of its work; names are loaded on first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plait.library.library import Library
    from plait.library.reports import AddReport, Failure, LibraryStatus, Progress

__all__ = ["AddReport", "Failure", "Library", "LibraryStatus", "Progress"]

# Reading alone must not wait for the store to be loaded.
_HOMES = {"Library": "library"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'plait.library' has no attribute {name!r}")
    return getattr(importlib.import_module(f"plait.library.{_HOMES.get(name, 'reports')}"), name)
