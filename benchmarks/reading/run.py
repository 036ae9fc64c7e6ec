"""How well two-column PDFs are read: words, reading order, headings, footnotes, figures, tables.

    python -m benchmarks.reading.run [--prose FOLDER] [--seed N] [--keep FOLDER] [--write NAME]

Makes the sample of benchmarks.reading.sample, reads each article as it is and with the text objects of its
pages in random order, and compares what was read with what was written. What each score says is in
benchmarks/reading/scoring.py. With --keep the PDFs stay in a folder.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import mean

from benchmarks.reading.sample import SEED, Article, make
from benchmarks.reading.sample_shuffle import shuffled
from benchmarks.reading.scoring import Score, score
from plait.data.readers.base import ReadLimits
from plait.data.readers.dispatch import read_in_process
from plait.schema import Document

RESULTS = Path(__file__).parents[1] / "results"
# What a page's image must not differ by after shuffling, in grey values of 255.
_SAME_LOOK = 0.5


@dataclass(frozen=True, slots=True)
class Row:
    """What was found for one article.

    Attributes:
        native, mixed: as it is, and with shuffled streams.
        difference: how much the shuffled pages look different, see `sample_shuffle.shuffled`.
    """

    name: str
    pages: int
    native: Score
    mixed: Score
    difference: float


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--prose", type=Path, help="see benchmarks.reading.sample")
    options.add_argument("--seed", type=int, default=SEED)
    options.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the PDFs there")
    options.add_argument("--write", metavar="NAME", help="keep results/reading-NAME.json and .md")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="plait-reading-") as folder:
        kept = asked.keep or Path(folder)
        articles = make(kept, seed=asked.seed, prose=asked.prose)
        rows = [measured(article, seed=asked.seed) for article in articles]
    table = to_markdown(rows, seed=asked.seed)
    print(table)
    if asked.write:
        keep(rows, table, RESULTS / f"reading-{asked.write}.json", seed=asked.seed)


def keep(rows: Sequence[Row], table: str, file: Path, *, seed: int) -> None:
    """Write results, and their table beside them."""
    from benchmarks.measuring import machine  # loads all of plait

    found = {"machine": machine(), "seed": seed, "rows": [asdict(row) for row in rows]}
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    file.with_suffix(".md").write_text(table + "\n", encoding="utf-8")


def measured(article: Article, *, seed: int) -> Row:
    """Return the scores of an article, native and shuffled.

    Raises:
        RuntimeError: its pages look different once shuffled.
    """
    mixed = article.path.with_name(f"{article.path.stem}-shuffled.pdf")
    difference = shuffled(article.path, mixed, seed=seed)
    if difference > _SAME_LOOK:
        raise RuntimeError(f"{mixed} looks different: {difference:.1f} of 255, at most {_SAME_LOOK} expected")
    native, scrambled = (score(article, read(path)) for path in (article.path, mixed))
    return Row(article.path.stem, article.pages, native, scrambled, difference)


def read(path: Path) -> Document:
    """Return a file as a document, without page images; its figures are not kept."""
    with tempfile.TemporaryDirectory(prefix="plait-reading-") as spool:
        return read_in_process(path, source=path.name, spool=spool, limits=ReadLimits(page_dpi=0))


def to_markdown(rows: Sequence[Row], *, seed: int) -> str:
    """Return a table for each way of streaming, an article a line, and all of them in the last."""
    pages, words = sum(row.pages for row in rows), sum(row.native.words for row in rows)
    lines = [f"{len(rows)} articles, {pages} pages, {words} words, seed {seed}"]
    names = [field.name for field in fields(Score)][1:]
    for title, scores in (
        ("native streams", [row.native for row in rows]),
        ("shuffled streams", [row.mixed for row in rows]),
    ):
        lines += ["", f"| {title} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
        for row, one in zip(rows, scores, strict=True):
            lines.append(_line(f"{row.name}, {row.pages} p.", [getattr(one, name) for name in names]))
        lines.append(_line("mean", [mean(getattr(one, name) for one in scores) for name in names]))
    return "\n".join(lines)


def _line(name: str, values: Sequence[float]) -> str:
    return f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |"


if __name__ == "__main__":
    main()
