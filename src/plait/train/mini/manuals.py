"""The training manuals: folders of HTML pages, read by plait's own readers into units."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Iterable
from pathlib import Path

from plait.data.readers import read_in_process
from plait.data.readers.base import ReadLimits
from plait.data.segmenting import units
from plait.errors import ReadError
from plait.schema import Unit

logger = logging.getLogger(__name__)

# Pages that only list others, quote source code, or repeat one picture for every class.
_NOT_PROSE = re.compile(
    r"genindex|modindex|py-modindex|search\.html|_modules/|_sources/|_source\.html|-members\.html"
)
_LINKED = re.compile(r"<img\b", re.IGNORECASE)


def read_manual(folder: Path, spool: Path, *, most_pages: int = 400, most_units: int = 600) -> list[Unit]:
    """Return units of a manual, from illustrated pages first.

    Args:
        folder: the manual's HTML pages.
        spool: an existing folder for the pictures.
        most_pages: pages read.
        most_units: reading stops after the page that reaches this many units.
    """
    found: list[Unit] = []
    for path in pages_of(folder)[:most_pages]:
        try:
            document = read_in_process(
                path, source=str(path.relative_to(folder)), spool=spool, limits=ReadLimits(), root=folder
            )
        except ReadError as error:
            logger.warning("left out: %s", error)
            continue
        found.extend(units(document))
        if len(found) >= most_units:
            break
    return found


def pages_of(folder: Path, *, seed: int = 0) -> list[Path]:
    """Return a folder's HTML pages, shuffled, but first those with several pictures, then with one.

    The first picture of a page is often its logo, and the other pages have little to ask with.
    """
    pages = sorted(p for p in folder.rglob("*.html") if not _NOT_PROSE.search(str(p.relative_to(folder))))
    random.Random(seed).shuffle(pages)
    return sorted(pages, key=lambda page: -min(3, len(_LINKED.findall(page.read_text("utf-8", "replace")))))


def pictures_of(manual: Iterable[Unit]) -> dict[str, str]:
    """Return sha256 -> path of every figure."""
    return {f.picture.sha256: f.picture.path for unit in manual for f in unit.figures if f.picture}
