"""Files sent to the service: kept in the library folder under a harmless name, then added."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import unicodedata
from pathlib import Path
from typing import IO

from plait.errors import InputError
from plait.library import AddReport, Library
from plait.library.sources import INSIDE

FOLDER = "uploads"


def add_upload(library: Library, name: str, data: IO[bytes]) -> AddReport:
    """Keep a sent file and add it; sending the same name again replaces the document.

    A file that cannot be read is not kept, and what stood under its name before stays. An archive is kept
    also where some of what it holds cannot be read.

    Args:
        name: what the client calls the file; only its last part is used.

    Raises:
        InputError: nothing usable is left of the name.
    """
    folder = library.folder / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / safe_name(name)
    before = _set_aside(target)
    try:
        _write(target, data)
        report = library.add([target])
    except BaseException:
        _put_back(target, before)
        raise
    if any(INSIDE not in failure.source for failure in report.failed):
        _put_back(target, before)
    elif before is not None:
        before.unlink()
    return report


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


def _write(target: Path, data: IO[bytes]) -> None:
    handle, part = tempfile.mkstemp(dir=target.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            shutil.copyfileobj(data, file)
        os.replace(part, target)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def _set_aside(target: Path) -> Path | None:
    """Hard-link the present file to a hidden name, so that it can come back."""
    if not target.exists():
        return None
    aside = target.with_name(f".before-{target.name}")
    aside.unlink(missing_ok=True)
    os.link(target, aside)
    return aside


def _put_back(target: Path, before: Path | None) -> None:
    if before is None:
        target.unlink(missing_ok=True)
    else:
        os.replace(before, target)
