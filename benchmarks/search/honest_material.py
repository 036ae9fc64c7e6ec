"""Manuals, what is asked of them, and the vectors of both: read and encoded once, then kept."""

from __future__ import annotations

import io
import pickle
import random
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from plait import Query, Unit
from plait.data.readers.base import ReadLimits
from plait.data.readers.dispatch import read_in_process
from plait.data.segmenting import units
from plait.encode.base import Encoder
from plait.errors import ReadError
from plait.evaluation.questions import draw
from plait.evaluation.questions_words import sentences_of
from plait.scoring.vectors import QueryVectors, UnitVectors
from plait.train.mini.manuals import pages_of

# None of them did plait-mini learn from; GIMP's manual and Tux Paint's stamps are test data.
FITTED = (
    "kicad-doc-en",
    "jmeter-help",
    "debian-handbook",
    "imagemagick-6-doc",
    "postgresql-doc-15",
    "fontforge-doc",
)
HELD_OUT = ("ns3-doc", "sqlite3-doc", "yade-doc", "python-django-doc", "openms-doc", "python-xarray-doc")
_PAGES_OF = {
    "debian-handbook": "usr/share/doc/debian-handbook/html/en-US",
    "imagemagick-6-doc": "usr/share/doc/imagemagick-6-common/html",
    "fontforge-doc": "usr/share/doc/fontforge",
    "ns3-doc": "usr/share/doc/ns3",
}
_TRANSLATED = re.compile(r"/old/ja/|/ja/|/releaselog/|/www/api/MagickCore/")
_MOST_PAGES, _MOST_UNITS = 400, 420
_MOST_UNITS_OF_TEST = {"gimp-help-en": 300}
_OF_A_KIND = 40
_KEYWORDS = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """A query to a manual.

    Attributes:
        kind: as of `evaluation.questions`, or "keywords".
        relevant: ids of the units that answer it.
    """

    kind: str
    query: Query
    vectors: QueryVectors
    relevant: frozenset[str]


@dataclass(frozen=True, slots=True)
class Manual:
    """A manual without what its questions took out, encoded."""

    name: str
    units: tuple[Unit, ...]
    vectors: tuple[UnitVectors, ...]
    asked: tuple[Asked, ...]


def manual(package: str, encoder: Encoder, *, packages: Path, work: Path, seed: int = 0) -> Manual:
    """Return a manual, from the disk where it was made before.

    Args:
        packages: a folder with each package unpacked, by name.
        work: keeps what was encoded, and the pictures.
    """
    kept = work / f"{package}-{seed}.pickle"
    if kept.is_file():
        return _read(kept)
    spool = work / "pictures"
    spool.mkdir(parents=True, exist_ok=True)
    made = _made(package, _units(package, packages, spool), encoder, seed)
    part = kept.with_suffix(".part")
    part.write_bytes(pickle.dumps(made))
    part.rename(kept)
    return made


def _read(path: Path) -> Manual:
    made = pickle.loads(path.read_bytes())
    assert isinstance(made, Manual)
    return made


def _units(package: str, packages: Path, spool: Path) -> list[Unit]:
    """Return units of a manual, from illustrated pages first."""
    folder = packages / package / _PAGES_OF.get(package, "usr")
    found: list[Unit] = []
    for page in [one for one in pages_of(folder) if not _TRANSLATED.search(str(one))][:_MOST_PAGES]:
        source = f"{package}/{page.relative_to(folder)}"
        try:
            document = read_in_process(page, source=source, spool=spool, limits=ReadLimits(), root=folder)
        except ReadError as error:
            print(f"{source} is left out: {error}", file=sys.stderr)
            continue
        found.extend(units(document)[:60])  # one page of a whole book would be all there is
        if len(found) >= _MOST_UNITS_OF_TEST.get(package, _MOST_UNITS):
            break
    return found


def _made(package: str, whole: list[Unit], encoder: Encoder, seed: int) -> Manual:
    questions = draw(whole, count=_OF_A_KIND, seed=seed)
    left = [questions.changed.get(unit.id, unit) for unit in whole]
    posed = [
        (q.kind, Query.of(q.text, q.image or None), frozenset(q.relevant)) for q in questions.asked
    ] + _keywords(left, seed)
    asked = [Asked(kind, query, encoder.encode_query(query), answers) for kind, query, answers in posed]
    return Manual(package, tuple(left), tuple(encoder.encode_units(left)), tuple(asked))


def _keywords(left: list[Unit], seed: int) -> list[tuple[str, Query, frozenset[str]]]:
    """Return queries of the four longest words of a sentence, which stays where it is."""
    drawn = random.Random(seed)
    found = []
    for unit in drawn.sample(left, len(left)):
        sentences = sentences_of(unit)
        if not sentences:
            continue
        longest = sorted(set(re.findall(r"[^\W\d_]{4,}", drawn.choice(sentences))), key=len)[-_KEYWORDS:]
        if len(longest) == _KEYWORDS:
            drawn.shuffle(longest)
            found.append(("keywords", Query.of(" ".join(longest)), frozenset({unit.id})))
        if len(found) == _OF_A_KIND:
            break
    return found


def noise(encoder: Encoder, count: int, *, seed: int) -> list[Asked]:
    """Return queries that mean nothing: pictures of noise, and words of random letters."""
    rng = np.random.default_rng(seed)
    queries = []
    for number in range(count):
        word = ["".join(map(chr, rng.integers(97, 123, rng.integers(3, 10)))) for _ in range(4)]
        if number % 2:
            queries.append(Query.of(" ".join(word)))
        else:
            queries.append(Query.of("", _noise(rng)))
    return [Asked("noise", query, encoder.encode_query(query), frozenset()) for query in queries]


def _noise(rng: np.random.Generator) -> bytes:
    """Return a JPEG of noise, coarse or fine, dark or light."""
    side = int(2 ** rng.integers(2, 8))
    pixels = np.clip(rng.normal(rng.integers(60, 200), 50, (side, side, 3)), 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((256, 256)).save(stream, "JPEG")
    return stream.getvalue()
