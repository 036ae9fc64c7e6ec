"""How well pages without a text layer are recognised: character error rate on pictures of known pages.

    OMP_NUM_THREADS=1 python -m benchmarks.reading.ocr [--pages N] [--dpi N] [--prose FOLDER] [--write NAME]

Draws pages of the two-column sample, once clean and once with noise, blur and a skew of one degree, and
compares what plait's recogniser reads (the extra "ocr") with the page's own text layer, line by line. What
stands in figures and in formulas is left out, on both sides; quotes and dashes count as plain ones.
"""

from __future__ import annotations

import argparse
import math
import random
import resource
import sys
import tempfile
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import numpy as np
import pypdfium2
from PIL import Image, ImageFilter

from benchmarks.measuring import keep_table
from benchmarks.reading.sample import SEED, Article, make
from plait.data.readers import ocr
from plait.data.readers.base import ReadLimits
from plait.data.readers.geometry import Rect
from plait.data.readers.lines import Line
from plait.data.readers.pdf.page import PageView

RESULTS = Path(__file__).parents[1] / "results"
_SKEW_DEGREES = 1.0
_BLUR_PX = 0.7
_NOISE = 12.0  # standard deviation, of 255
_SAME_ROW = 0.4  # of the smaller of two lines, that the other covers
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "•": ""})


@dataclass(frozen=True, slots=True)
class PageErrors:
    """How well one page was recognised.

    Attributes:
        look: "clean" or "worn".
        characters: of the page's true text.
        rate: edits that make what was read the truth, for each of them.
    """

    name: str
    look: str
    characters: int
    rate: float
    cpu_seconds: float


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--pages", type=int, default=14)
    options.add_argument("--dpi", type=int, default=150)
    options.add_argument("--seed", type=int, default=SEED)
    options.add_argument("--prose", type=Path, help="see benchmarks.reading.sample")
    options.add_argument("--write", metavar="NAME", help="keep results/reading-NAME.json and .md")
    asked = options.parse_args()
    if not ocr.is_wanted(ReadLimits()):
        sys.exit('character recognition is not installed: pip install "plait[ocr]"')
    found: list[PageErrors] = []
    with tempfile.TemporaryDirectory(prefix="plait-ocr-") as folder:
        articles = make(Path(folder), seed=asked.seed, prose=asked.prose)
        places = [(article, page) for article in articles for page in range(1, article.pages + 1)]
        for article, page in sorted(random.Random(asked.seed).sample(places, asked.pages), key=str):
            found += measured(article, page, dpi=asked.dpi)
            print(found[-2:], file=sys.stderr)
    print(to_markdown(found, dpi=asked.dpi))
    if asked.write:
        keep_table(
            found, to_markdown(found, dpi=asked.dpi), RESULTS / f"reading-{asked.write}.json", dpi=asked.dpi
        )


def measured(article: Article, page: int, *, dpi: int) -> list[PageErrors]:
    """Return how well a page (from 1) is recognised, clean and worn."""
    most = ReadLimits().max_pixels
    with pypdfium2.PdfDocument(article.path) as pdf, PageView(pdf, page - 1, max_pixels=most) as view:
        lines, image, box = view.lines(), view.render(dpi=dpi), view.box
        hidden = _figures(article, page, box)
    found = []
    for look, picture, skew in (("clean", image, 0.0), ("worn", worn(image, seed=page), _SKEW_DEGREES)):
        started = time.process_time()
        read = ocr.lines_of(picture, dpi, ReadLimits()) or []
        seconds = time.process_time() - started
        straight = [Line(line.text, turned(line.box, box, skew), line.size) for line in read]
        edits, characters = errors(lines, straight, hidden)
        found.append(
            PageErrors(f"{article.path.stem}, page {page}", look, characters, edits / characters, seconds)
        )
    return found


def worn(image: Image.Image, *, seed: int) -> Image.Image:
    """Return a page as a bad scan gives it: turned by a degree, blurred, with noise."""
    grey = image.convert("L").rotate(_SKEW_DEGREES, Image.Resampling.BICUBIC, fillcolor=255)
    pixels = np.asarray(grey.filter(ImageFilter.GaussianBlur(_BLUR_PX)), np.float32)
    noise = np.random.default_rng(seed).normal(0, _NOISE, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def turned(box: Rect, page: Rect, degrees: float) -> Rect:
    """Return a box of a page that was turned counter-clockwise about its middle, at its place before."""
    angle = math.radians(degrees)
    x, y = (box.left + box.right - page.width) / 2, (box.top + box.bottom - page.height) / 2
    right = x * math.cos(angle) - y * math.sin(angle) - x
    down = x * math.sin(angle) + y * math.cos(angle) - y
    return Rect(box.left + right, box.top + down, box.right + right, box.bottom + down)


def errors(truth: Sequence[Line], read: Sequence[Line], hidden: Sequence[Rect]) -> tuple[int, int]:
    """Return how many edits make the lines read the true ones, and how many characters those have.

    Lines that stand on each other are compared, those of each side joined from left to right: a line read in
    two parts is no error. A line read where there is none is all wrong.
    """
    edits = characters = 0
    for true_lines, read_lines in rows(truth, read):
        true, seen = _joined(true_lines), _joined(read_lines)
        if any(_is_hidden(line, hidden) for line in (*true_lines, *read_lines)) or _is_formula(true):
            continue
        edits += distance(true, seen)
        characters += len(true)
    return edits, characters


def rows(truth: Sequence[Line], read: Sequence[Line]) -> list[tuple[list[Line], list[Line]]]:
    """Return the true lines and those read that overlap each other, directly or through others."""
    names = list(range(len(truth) + len(read)))

    def root(place: int) -> int:
        while names[place] != place:
            place = names[place]
        return place

    for place, line in enumerate(truth):
        for other, found in enumerate(read, start=len(truth)):
            least = min(line.box.area, found.box.area)
            if line.box.common(found.box).area > _SAME_ROW * least:
                names[root(other)] = root(place)
    together: dict[int, tuple[list[Line], list[Line]]] = {}
    for place, line in enumerate((*truth, *read)):
        together.setdefault(root(place), ([], []))[place >= len(truth)].append(line)
    return list(together.values())


def plain(text: str) -> str:
    """Return a text with plain letters, quotes, dashes and single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text.translate(_PLAIN)).split())


def distance(one: str, other: str) -> int:
    """Return the least number of characters to insert, delete or replace between two texts."""
    above = list(range(len(other) + 1))
    for row, letter in enumerate(one, start=1):
        now = [row]
        for column, against in enumerate(other, start=1):
            now.append(min(above[column] + 1, now[-1] + 1, above[column - 1] + (letter != against)))
        above = now
    return above[-1]


def _joined(lines: Sequence[Line]) -> str:
    return plain(" ".join(line.text for line in sorted(lines, key=lambda line: line.box.left)))


def _figures(article: Article, page: int, size: Rect) -> list[Rect]:
    return [
        Rect(
            shown.box.left * size.width,
            shown.box.top * size.height,
            shown.box.right * size.width,
            shown.box.bottom * size.height,
        ).grown(2.0)
        for shown in article.shown
        if shown.kind == "figure" and shown.page == page
    ]


def _is_hidden(line: Line, hidden: Sequence[Rect]) -> bool:
    return any(rect.holds_centre_of(line.box) for rect in hidden)


def _is_formula(text: str) -> bool:
    """Tell whether a line has signs of mathematics, beyond those of code."""
    return any(unicodedata.category(letter) == "Sm" and letter not in "+=<>" for letter in text)


def to_markdown(found: Sequence[PageErrors], *, dpi: int) -> str:
    """Return a row for clean pages and one for worn ones."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = [
        "| pages | | median error rate | mean | worst | CPU s a page |",
        "|---|---|---|---|---|---|",
    ]
    for look in ("clean", "worn"):
        rates = [page.rate for page in found if page.look == look]
        seconds = mean(page.cpu_seconds for page in found if page.look == look)
        told = " | ".join(f"{100 * value:.2f} %" for value in (median(rates), mean(rates), max(rates)))
        lines.append(f"| {len(rates)} | {look}, {dpi} dpi | {told} | {seconds:.1f} |")
    return "\n".join([*lines, "", f"The process had {peak:.0f} MB resident at most."])


if __name__ == "__main__":
    main()
