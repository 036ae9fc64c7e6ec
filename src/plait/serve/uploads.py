"""Files sent to the service: where they are kept, and under what harmless name."""

from __future__ import annotations

import os
import re
import unicodedata

from plait.errors import InputError
from plait.library import Library

FOLDER = "uploads"


def forget_upload(library: Library, source: str) -> None:
    """Delete the kept file of a removed document, if it was sent to the service."""
    path = library.folder.parent / source
    if path.parent == library.folder / FOLDER:
        path.unlink(missing_ok=True)


def safe_name(name: str) -> str:
    """Return a file name without folders, control characters, or a leading dot.

    Raises:
        InputError: nothing is left.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    clean = re.sub(r"[^\w.,()+ -]", "_", last).strip(" .")
    stem, suffix = os.path.splitext(clean)
    while len((stem + suffix).encode()) > 200 and stem:
        stem = stem[:-1]
    if not stem or not suffix or len(suffix) > 12:
        raise InputError(f"cannot keep a file named {name[:80]!r}: give it a plain name such as manual.pdf")
    return stem + suffix
