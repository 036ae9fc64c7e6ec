"""plait: search illustrated documents by text, by image, or by both at once."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plait.errors import PlaitError
    from plait.library import Library
    from plait.schema import Box, Document, Filter, Hit, Picture, Query, Segment, Unit

__version__ = "0.1.0"

_HOME_OF = {
    "Library": "plait.library",
    "PlaitError": "plait.errors",
    **dict.fromkeys(
        ("Box", "Document", "Filter", "Hit", "Picture", "Query", "Segment", "Unit"), "plait.schema"
    ),
}
__all__ = [
    "Box",
    "Document",
    "Filter",
    "Hit",
    "Library",
    "Picture",
    "PlaitError",
    "Query",
    "Segment",
    "Unit",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562), so that `import plait` stays light."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'plait' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
