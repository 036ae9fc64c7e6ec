"""Figures of PDFs against what was seen by eye: is the crop right, is the caption right?

    python -m benchmarks.real_input.fetch PACKAGE ...   (those that figures_truth.json names)
    python -m benchmarks.reading.figures [--cache FOLDER] [--sheets FOLDER]

figures_truth.json holds captioned figures drawn at random from Debian's documentation, from pages that
a plain search for caption lines found, so that figures which are not found count. For each, a person
looked at the page and set down where the figure is and what its caption's first and last words are.
Documents are in one half only: settings were chosen on the development half.

A crop is right if what it shows, white margins aside, shares at least four fifths of its area with the
true one (intersection over union) and cuts off nothing. A caption is right if its first and last words
and its number of letters are.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2
from PIL import Image, ImageChops, ImageDraw

from benchmarks.real_input.fetch import CACHE
from plait.data.readers.geometry import Rect
from plait.data.readers.pdf.page import PageView
from plait.data.readers.pdf.parts import PageContent, content_of

TRUTH = Path(__file__).with_name("figures_truth.json")
MOST_PIXELS = 20_000_000
DPI = 80
LEAST_SHARED = 0.8  # intersection over union
LEAST_COVERED = 0.95  # of the true crop
A_SHEET = 6


@dataclass(frozen=True)
class Seen:
    """One figure, as a person saw it."""

    half: str
    page: int
    box: tuple[float, float, float, float]
    first: str
    last: str
    letters: int | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Seen:
        caption = row["caption"]
        left, top, right, bottom = row["box"]
        return cls(
            row["half"],
            row["page"],
            (left, top, right, bottom),
            caption["first"],
            caption["last"],
            caption.get("letters"),
        )


@dataclass(frozen=True)
class Scored:
    """What was found of a figure."""

    seen: Seen
    name: str
    crop: bool
    caption: bool
    image: Image.Image | None = None


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--cache", type=Path, default=CACHE, help="where fetch.py put the packages")
    options.add_argument("--sheets", type=Path, help="folder for pictures of the pages that are not right")
    asked = options.parse_args()
    scored = list(score(asked.cache, draw=asked.sheets is not None))
    for half in ("development", "test"):
        print(summary(half, [one for one in scored if one.seen.half == half]))
    for one in scored:
        if not (one.crop and one.caption):
            what = " and ".join([*(["crop"] * (not one.crop)), *(["caption"] * (not one.caption))])
            print(f"  {one.seen.half}: {one.name}, page {one.seen.page}, {one.seen.first!r}: {what}")
    if asked.sheets is not None:
        write_sheets([one.image for one in scored if one.image is not None], asked.sheets)


def summary(half: str, scored: Sequence[Scored]) -> str:
    count = len(scored) or 1
    crops, captions = sum(one.crop for one in scored), sum(one.caption for one in scored)
    both = sum(one.crop and one.caption for one in scored)
    return (
        f"{half}: {len(scored)} figures, crop right {crops / count:.1%}, "
        f"caption right {captions / count:.1%}, both {both / count:.1%}"
    )


def score(cache: Path, *, draw: bool = False) -> Iterator[Scored]:
    """Yield what was found of each figure that the truth holds.

    Args:
        draw: whether to draw the pages that are not right.
    """
    by_file: dict[tuple[str, str, str], list[Seen]] = defaultdict(list)
    for row in json.loads(TRUTH.read_text()):
        by_file[row["package"], row["path"], row["sha256"]].append(Seen.of(row))
    for (package, path, digest), figures in by_file.items():
        data = read(cache / package / path, digest)
        pdf = pypdfium2.PdfDocument(data)
        try:
            for seen in figures:
                with PageView(pdf, seen.page - 1, max_pixels=MOST_PIXELS) as view:
                    yield scored_page(seen, view, Path(path).name, draw=draw)
        finally:
            pdf.close()


def read(path: Path, digest: str) -> bytes:
    """Return a PDF's bytes, unpacked if it is packed; only the very file that was looked at will do."""
    if not path.is_file():
        sys.exit(f"{path} is not there: fetch its package first")
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    if hashlib.sha256(data).hexdigest() != digest:
        sys.exit(f"{path} is not the file that was looked at: another version of the package is here")
    return data


def scored_page(seen: Seen, view: PageView, name: str, *, draw: bool) -> Scored:
    content = content_of(view.lines(), view.drawn(), view.box)
    image = view.render(dpi=DPI)
    true = inked(image, scaled(seen.box, image))
    found = [
        (content.frame.back(figure.box), caption_of(content, figure.caption_lines))
        for figure in content.figures
        if figure.caption is not None
    ]
    named = [(box, text) for box, text in found if normal(seen.first) in normal(text)]
    box, text = max(
        named or found,
        key=lambda pair: shared(inked(image, on_image(pair[0], view.box, image)), true),
        default=(None, ""),
    )
    crop = False
    if box is not None:
        crop_box = inked(image, on_image(box, view.box, image))
        crop = shared(crop_box, true) >= LEAST_SHARED and covers(crop_box, true) >= LEAST_COVERED
    caption = is_caption_of(seen, text)
    drawn = None
    if draw and not (crop and caption):
        drawn = picture(image, seen, [on_image(b, view.box, image) for b, _ in found], name)
    return Scored(seen, name, crop, caption, drawn)


def caption_of(content: PageContent, members: Sequence[int]) -> str:
    return " ".join(content.lines[i].text for i in members)


def is_caption_of(seen: Seen, text: str) -> bool:
    words = normal(text)
    return (
        words.startswith(normal(seen.first))
        and words.endswith(normal(seen.last))
        and (seen.letters is None or len(words) == seen.letters)
    )


def normal(text: str) -> str:
    """Return the letters and digits of a text, case aside: hyphens and spaces tell nothing."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).lower()


def scaled(fractions: tuple[float, float, float, float], image: Image.Image) -> Rect:
    left, top, right, bottom = fractions
    return Rect(left * image.width, top * image.height, right * image.width, bottom * image.height)


def on_image(box: Rect, page: Rect, image: Image.Image) -> Rect:
    across, down = image.width / page.width, image.height / page.height
    return Rect(box.left * across, box.top * down, box.right * across, box.bottom * down)


def inked(image: Image.Image, box: Rect) -> Rect:
    """Return a box without its margins of one colour."""
    whole = Rect(0, 0, image.width, image.height)
    left, top, right, bottom = (int(value) for value in box.common(whole))
    if right <= left or bottom <= top:
        return box
    part = image.crop((left, top, right, bottom)).convert("L")
    shown = ImageChops.difference(part, Image.new("L", part.size, 255)).point(lambda v: 255 * (v > 16))
    ink = shown.getbbox()
    return Rect(left + ink[0], top + ink[1], left + ink[2], top + ink[3]) if ink else box


def shared(one: Rect, other: Rect) -> float:
    """Return the area that two boxes share over that of both together."""
    common = one.common(other).area
    return common / (one.area + other.area - common or 1.0)


def covers(crop: Rect, true: Rect) -> float:
    return crop.common(true).area / (true.area or 1.0)


def picture(image: Image.Image, seen: Seen, found: Sequence[Rect], name: str) -> Image.Image:
    """Draw a page: the true crop in green, those that were found in red."""
    copy = image.copy()
    pen = ImageDraw.Draw(copy)
    pen.rectangle(tuple(scaled(seen.box, image)), outline="green", width=3)
    for box in found:
        pen.rectangle(tuple(box), outline="red", width=2)
    pen.text((10, 4), f"{name}, page {seen.page}: {seen.first}", fill="black")
    return copy


def write_sheets(images: Sequence[Image.Image], folder: Path) -> None:
    """Write pictures, six to a sheet."""
    folder.mkdir(parents=True, exist_ok=True)
    width, height = 520, 690
    for start in range(0, len(images), A_SHEET):
        sheet = Image.new("RGB", (3 * width, 2 * height), "white")
        for place, image in enumerate(images[start : start + A_SHEET]):
            image.thumbnail((width, height))
            sheet.paste(image, (place % 3 * width, place // 3 * height))
        sheet.save(folder / f"sheet-{start // A_SHEET + 1}.png")


if __name__ == "__main__":
    main()
