"""A sample of two-column articles whose text, headings, figures and tables are known.

    python -m benchmarks.reading.sample FOLDER [--seed N] [--prose FOLDER]

Writes PDFs into a folder, and what is in each of them beside it, as JSON. The articles are made by Typst,
which places their lines, columns, figures and footnotes; their words are drawn from a built-in vocabulary, or
with --prose from the HTML files below a folder. One seed gives one sample.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pypdfium2
import typst

from benchmarks.reading.sample_looks import LOOKS, Look
from benchmarks.reading.sample_prose import Prose, real_sentences
from benchmarks.reading.sample_writing import Float, Writing
from plait.schema import Box

SEED = 6


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure or table of an article: where it stands, and what it says.

    Attributes:
        caption: all of it, the label included, as it is printed.
        page: from 1.
        box: of what is drawn, without the caption.
        rows: of a table; the first names the columns.
    """

    kind: str
    label: str
    caption: str
    page: int
    box: Box
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Article:
    """An article, and the truth about it.

    Attributes:
        path: of its PDF.
        text: the running text in reading order: title, authors, headings, paragraphs, items, code and
            references, a string for each; without formulas on lines of their own, and what stands beside it.
        headings: those of sections, in order, with their numbers.
        footnotes: their texts, without their numbers.
        shown: figures and tables.
    """

    path: Path
    pages: int
    text: tuple[str, ...]
    headings: tuple[str, ...]
    footnotes: tuple[str, ...]
    shown: tuple[Shown, ...]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--seed", type=int, default=SEED)
    options.add_argument("--prose", type=Path, help="a folder of HTML files; default: a built-in vocabulary")
    asked = options.parse_args()
    made = make(asked.folder, seed=asked.seed, prose=asked.prose)
    for article in made:
        truth = json.dumps({**asdict(article), "path": article.path.name}, indent=1)
        article.path.with_suffix(".json").write_text(truth + "\n", encoding="utf-8")
    print(f"{len(made)} articles of {sum(article.pages for article in made)} pages in {asked.folder}")


def make(
    folder: Path,
    *,
    seed: int = SEED,
    looks: Sequence[Look] = LOOKS,
    sections: int = 6,
    prose: Path | None = None,
) -> list[Article]:
    """Write a sample into a folder, which is made.

    Args:
        folder: for a PDF and a folder of sources for each article.
        seed: the same one makes the same articles.
        looks: an article has each of them.
        sections: of each article; six make four to five pages.
        prose: a folder of HTML files whose sentences are used; None for a built-in vocabulary.
    """
    sentences = real_sentences(prose) if prose is not None else []
    return [
        _article(folder / f"{number:02}-{look.name}", look, sentences, seed + 100 * number, sections)
        for number, look in enumerate(looks)
    ]


def _article(stem: Path, look: Look, sentences: Sequence[str], seed: int, sections: int) -> Article:
    stem.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed)
    prose = Prose(seed, sentences)
    writing = Writing(look, prose, draw, stem)
    writing.article(sections)
    source = stem / "article.typ"
    source.write_text(
        look.preamble(f"Journal of {prose.heading()}") + "\n".join(writing.source), encoding="utf-8"
    )
    compiler = typst.Compiler(str(source), root=str(stem), ignore_system_fonts=True)
    path = stem.with_suffix(".pdf")
    compiler.compile(output=str(path), format="pdf", pdf_tags=look.tagged)
    marks = json.loads(compiler.query("<mark>", field="value"))
    sizes = _page_sizes(path)
    return Article(
        path=path,
        pages=len(sizes),
        text=tuple(writing.text),
        headings=tuple(writing.headings),
        footnotes=tuple(writing.footnotes),
        shown=_shown(writing.floats, {mark["id"]: mark for mark in marks}, sizes),
    )


def _page_sizes(path: Path) -> list[tuple[float, float]]:
    with pypdfium2.PdfDocument(path) as pdf:
        return [pdf.get_page_size(index) for index in range(len(pdf))]


def _shown(
    floats: Sequence[Float], marks: dict[str, dict[str, float]], sizes: Sequence[tuple[float, float]]
) -> tuple[Shown, ...]:
    """Return the figures and tables where their marks say that they stand."""
    found = []
    for one in floats:
        start = marks[one.id]
        width, height = sizes[int(start["page"]) - 1]
        if one.size is not None:
            right, bottom = start["x"] + one.size[0], start["y"] + one.size[1]
        else:
            right, bottom = marks[f"{one.id}e"]["x"], marks[f"{one.id}e"]["y"]
        box = Box(start["x"] / width, start["y"] / height, right / width, bottom / height)
        found.append(Shown(one.kind, one.label, one.caption, int(start["page"]), box, one.rows))
    return tuple(found)


if __name__ == "__main__":
    main()
