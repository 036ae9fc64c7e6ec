"""The Debian packages that the shipped heads learn from; all permissive, none of them test data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """One package.

    Attributes:
        package: its name, also the name of its folder.
        licence: under which its text and pictures may be used.
        credit: who is to be named for it.
        pages: where its HTML pages lie in the package; "" if only its pictures are used.
        most_pictures: at most so many, so that no source drowns the others.
    """

    package: str
    licence: str
    credit: str
    pages: str = ""
    most_pictures: int = 400


SOURCES = (
    Source(
        "python-sklearn-doc",
        "BSD-3-Clause",
        "the scikit-learn developers",
        "usr/share/doc/python-sklearn-doc",
        900,
    ),
    Source(
        "python-skimage-doc", "BSD-3-Clause", "the scikit-image team", "usr/share/doc/python-skimage-doc", 900
    ),
    Source("python-scipy-doc", "BSD-3-Clause", "the SciPy community", "usr/share/doc/python-scipy-doc", 900),
    Source(
        "python-astropy-doc",
        "BSD-3-Clause",
        "the Astropy developers",
        "usr/share/doc/python-astropy-doc",
        1200,
    ),
    Source("opencv-doc", "Apache-2.0", "the OpenCV team", "usr/share/doc/opencv-doc", 1200),
    Source("python-silx-doc", "MIT", "European Synchrotron Radiation Facility", "usr/share/doc/python3-silx"),
    Source("pymca-doc", "MIT", "European Synchrotron Radiation Facility"),
    Source("mayavi2", "BSD-3-Clause", "Enthought, Inc. and the Mayavi contributors"),
    Source("python-notebook-doc", "BSD-3-Clause", "the Jupyter development team"),
    Source("python-pandas-doc", "BSD-3-Clause", "the pandas development team"),
    Source("python-statsmodels-doc", "BSD-3-Clause", "the statsmodels developers"),
    Source("openclipart-png", "public domain", "the Open Clip Art Library", most_pictures=1200),
)
MANUALS = tuple(source for source in SOURCES if source.pages)
