"""The training manuals: folders of HTML pages, read by plait's own readers into units."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Source:
    """One Debian package that the shipped heads learn from.

    Attributes:
        package: its name, also the name of its folder.
        licence: under which its text and pictures may be used.
        folder: where its HTML pages lie, relative to the unpacked package; "" if only pictures are used.
        pictures: where its pictures lie, relative to the unpacked package.
    """

    package: str
    licence: str
    folder: str = ""
    pictures: str = "usr/share/doc"


MANUALS = (
    Source("python-sklearn-doc", "BSD-3-Clause", "usr/share/doc/python-sklearn-doc"),
    Source("python-skimage-doc", "BSD-3-Clause", "usr/share/doc/python-skimage-doc"),
    Source("python-scipy-doc", "BSD-3-Clause", "usr/share/doc/python-scipy-doc"),
    Source("python-astropy-doc", "BSD-3-Clause", "usr/share/doc/python-astropy-doc"),
    Source("opencv-doc", "Apache-2.0", "usr/share/doc/opencv-doc"),
    Source("python-silx-doc", "MIT", "usr/share/doc/python3-silx"),
)


def read_manual(folder: Path, spool: Path, *, most_pages: int = 400, most_units: int = 1500) -> list[Unit]:
    """Return units of a manual, the most illustrated pages first.

    Args:
        folder: the manual's HTML pages.
        spool: an existing folder for the pictures.
        most_pages: pages read.
        most_units: reading stops after the page that reaches this many units.
    """
    found: list[Unit] = []
    for path in illustrated_pages(folder)[:most_pages]:
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


def illustrated_pages(folder: Path) -> list[Path]:
    """Return the HTML pages of a folder, those with more pictures first, then by path."""
    pages = [p for p in sorted(folder.rglob("*.html")) if not _NOT_PROSE.search(str(p))]
    return sorted(pages, key=lambda page: -min(4, len(_LINKED.findall(page.read_text("utf-8", "replace")))))


def pictures_of(manual: Iterable[Unit]) -> dict[str, str]:
    """Return sha256 -> path of every figure."""
    return {f.picture.sha256: f.picture.path for unit in manual for f in unit.figures if f.picture}


def with_figures(manual: Sequence[Unit]) -> list[int]:
    """Return the rows of the units that have a figure."""
    return [row for row, unit in enumerate(manual) if unit.figures]
