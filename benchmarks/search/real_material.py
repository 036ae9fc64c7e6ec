"""The documents that real token vectors are made of: manuals from Debian's packages, read as units."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.real_input.fetch import fetch
from plait.data.readers.base import ReadLimits
from plait.data.readers.dispatch import read_in_process
from plait.data.segmenting import units
from plait.errors import ReadError
from plait.schema import Unit, unit_from_dict

# Package -> licence of its manual, as its copyright file has it. The GIMP manual and Tux Paint's stamps are
# test data, and are never among these.
LICENCE_OF = {
    "ant-doc": "Apache-2.0",
    "apache2-doc": "Apache-2.0",
    "cinder-doc": "Apache-2.0",
    "clang-14-doc": "Apache-2.0 with LLVM exceptions",
    "cmake-doc": "BSD-3-Clause",
    "erlang-doc": "Apache-2.0",
    "fontforge-doc": "BSD-3-Clause and GPL-3+",
    "imagemagick-6-doc": "ImageMagick",
    "ironic-doc": "Apache-2.0",
    "jmeter-help": "Apache-2.0",
    "keystone-doc": "Apache-2.0",
    "kicad-doc-en": "GPL-3+ or CC-BY-3.0+",
    "llvm-14-doc": "Apache-2.0 with LLVM exceptions",
    "neutron-doc": "Apache-2.0",
    "nodejs-doc": "MIT",
    "nova-doc": "Apache-2.0",
    "opencv-doc": "Apache-2.0 and BSD-3-Clause",
    "postgresql-doc-15": "PostgreSQL",
    "pymca-doc": "MIT",
    "python-astropy-doc": "BSD-3-Clause",
    "python-celery-doc": "BSD-3-Clause and CC-BY-SA-4.0",
    "python-dask-doc": "BSD-3-Clause",
    "python-dipy-doc": "BSD-3-Clause",
    "python-django-doc": "BSD-3-Clause",
    "python-flask-doc": "BSD-3-Clause",
    "python-ipython-doc": "BSD-3-Clause",
    "python-nibabel-doc": "MIT",
    "python-nipype-doc": "Apache-2.0",
    "python-notebook-doc": "BSD-3-Clause",
    "python-pandas-doc": "BSD-3-Clause",
    "python-scipy-doc": "BSD-3-Clause",
    "python-silx-doc": "MIT",
    "python-skimage-doc": "BSD-3-Clause",
    "python-sklearn-doc": "BSD-3-Clause",
    "python-sqlalchemy-doc": "MIT",
    "python-statsmodels-doc": "BSD-3-Clause",
    "python-xarray-doc": "Apache-2.0",
    "python3.11-doc": "PSF-2.0",
    "rust-doc": "MIT or Apache-2.0",
    "sphinx-doc": "BSD-2-Clause",
    "sqlite3-doc": "public domain",
    "swift-doc": "Apache-2.0",
    "tomcat10-docs": "Apache-2.0",
    "twisted-doc": "MIT",
    "varnish-doc": "BSD-2-Clause",
}
# Those that the model is trained on: with many figures for their size.
ILLUSTRATED = (
    "fontforge-doc",
    "jmeter-help",
    "kicad-doc-en",
    "neutron-doc",
    "pymca-doc",
    "python-ipython-doc",
    "python-nibabel-doc",
    "python-notebook-doc",
    "python-silx-doc",
    "python-skimage-doc",
    "python-sklearn-doc",
    "python-xarray-doc",
    "sphinx-doc",
    "sqlite3-doc",
)
_OF_NO_WORDS = {"genindex", "search", "py-modindex", "modindex", "all"}  # lists of links
_SOURCES = {"_modules", "_sources", "src"}  # programs, shown as pages
_TRANSLATIONS = {"da", "de", "es", "fr", "ja", "ko", "pt-br", "ru", "tr", "zh-cn"}
_LIMITS = ReadLimits()


def units_file(package: str, *, cache: Path, work: Path) -> Path:
    """Return the file of a package's units, one a line, which is fetched and read if it is not there.

    Args:
        cache: where packages are unpacked.
        work: gets units/PACKAGE.jsonl, and pictures/.
    """
    target = work / "units" / f"{package}.jsonl"
    if target.is_file():
        return target
    root = fetch(package, cache)
    spool = work / "pictures"
    for folder in (target.parent, spool):
        folder.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".partial")
    with part.open("w", encoding="utf-8", errors="replace") as lines:
        for file in pages(root):
            for unit in _read(file, package, root, spool):
                lines.write(json.dumps(asdict(unit), ensure_ascii=False) + "\n")
    part.rename(target)
    return target


def units_in(file: Path) -> Iterator[Unit]:
    """Give the units of such a file."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield unit_from_dict(json.loads(line))


def pages(root: Path) -> list[Path]:
    """Return the HTML pages of an unpacked package that say something of their own, by name."""
    found = (file for file in root.rglob("*.html") if file.is_file() and not file.is_symlink())
    unwanted = _SOURCES | _TRANSLATIONS
    return sorted(
        file
        for file in found
        if file.stem not in _OF_NO_WORDS and unwanted.isdisjoint(file.relative_to(root).parts)
    )


def _read(file: Path, package: str, root: Path, spool: Path) -> tuple[Unit, ...]:
    """Return a page's units; none of one that cannot be read."""
    source = f"{package}/{file.relative_to(root).as_posix()}"
    try:
        return units(read_in_process(file, source=source, spool=spool, limits=_LIMITS, root=root))
    except ReadError:
        return ()
