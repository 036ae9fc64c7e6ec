"""Which words around a figure find it: the contexts that `FigureContext` can choose, measured.

    python -m benchmarks.reading.context [PACKAGE ...]

Collections are PDFs with captioned figures, and HTML manuals, of Debian. Questions are made from what is
said of figures (see `context_questions`), and what they ask with is taken out of what is searched. The right
answer is the unit that shows the figure; measured is its reciprocal rank among the first ten, with 95 %
bootstrap intervals, and the difference to the first way of its kind, question by question.

What encoders of words and pictures in one input (ReT) make of a context is measured by its words alone, with
MiniLM in their place, at the 77 tokens that CLIP reads: no such encoder that was trained is at hand. A unit
scores as its best item. plait-mini is measured as it is, its text lane alone and all its lanes together; it
reads the words of figures in BM25 only, and might read them as texts too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.reading.context_questions import KINDS, Question, asked
from benchmarks.real_input.fetch import CACHE, fetch
from benchmarks.search.real_material import units_file, units_in
from plait.data.readers.base import ReadLimits
from plait.data.readers.dispatch import read_in_process
from plait.data.segmenting import units
from plait.encode.items import FigureContext, heading_of, nearest_passage, texts_of, unit_items
from plait.encode.mini import NAME, MiniEncoder
from plait.encode.mini_towers import Towers
from plait.encode.windows import TextLimit
from plait.errors import ReadError
from plait.evaluation.intervals import bootstrap
from plait.index.surroundings import SurroundedBm25
from plait.model.mini.configuration_mini import MiniConfig
from plait.schema import Document, Query, Unit
from plait.scoring.vectors import Vectors
from plait.search.fusion import fuse

PDFS = ("texlive-science-doc", "linuxcnc-doc-en")
MANUALS = ("kicad-doc-en", "python-skimage-doc")
CONTEXTS = {
    "caption, alternative, nearest": FigureContext(mentions=False),
    "caption, alternative, mentions, nearest": FigureContext(mentions=True),
    "caption, alternative, mentions": FigureContext(mentions=True, nearest=False),
    "caption, alternative": FigureContext(mentions=False, nearest=False),
    "nearest": FigureContext(caption=False, alternative=False, mentions=False),
    "as the first, without headings": FigureContext(mentions=False, section=False),
}
_CLIP_TOKENS = 75  # without the two that begin and end a text
_AMONG = 10
_FEWEST = 20  # questions that are worth a table

Scores = Callable[[Question], Vectors]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("packages", nargs="*", default=[*PDFS, *MANUALS], help="default: %(default)s")
    options.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="of questions")
    options.add_argument("--cache", type=Path, default=CACHE, help="where packages are unpacked")
    options.add_argument("--work", type=Path, help="keeps what was read; default: CACHE/figure-context")
    options.add_argument("--questions", type=int, default=75, help="at most, of a kind and a collection")
    options.add_argument("--units", type=int, default=150, help="searched, about, the right ones among them")
    options.add_argument("--results", type=Path, help="gets the table")
    chosen = options.parse_args()
    work = chosen.work or chosen.cache / "figure-context"
    reader = Reader()
    lines = ["| collection | asked with | n | way | MRR@10 | difference |", "|---|---|---|---|---|---|"]
    for package in chosen.packages:
        for line in measured(package, collection(package, chosen.cache, work), reader, chosen):
            lines.append(line)
            print(line, flush=True)
    if chosen.results is not None:
        chosen.results.write_text("\n".join(lines) + "\n")


def collection(package: str, cache: Path, work: Path) -> list[Unit]:
    """Return the units to search: of PDFs, those of documents that have captioned figures."""
    if package in MANUALS:
        return list(units_in(units_file(package, cache=cache, work=cache / "ret-vectors")))
    kept = work / f"{package}.jsonl"
    if not kept.is_file():
        work.mkdir(parents=True, exist_ok=True)
        with kept.with_suffix(".partial").open("w", encoding="utf-8") as lines:
            for document in _read(fetch(package, cache), work):
                lines.write(json.dumps(document.to_dict()) + "\n")
        kept.with_suffix(".partial").rename(kept)
    documents = map(Document.from_dict, map(json.loads, kept.read_text(encoding="utf-8").splitlines()))
    return [unit for document in documents for unit in units(document)]


def measured(
    package: str, every: Sequence[Unit], reader: Reader, chosen: argparse.Namespace
) -> Iterator[str]:
    """Give the rows of a collection's table: each kind of question, each way to search."""
    for kind in chosen.kinds:
        questions, held_out = asked(every, kind, most=chosen.questions)
        if len(questions) < _FEWEST:
            continue
        questions, searched = some_of(questions, held_out, count=chosen.units)
        found = {
            name: [_reciprocal_rank(scores(question), question.unit) for question in questions]
            for name, scores in _ways(searched, reader)
        }
        for name, values in found.items():
            base = next(found[other] for other in found if other.partition(":")[0] == name.partition(":")[0])
            differences = [value - before for value, before in zip(values, base, strict=True)]
            change = "" if values is base else str(bootstrap(differences))
            row = (package, kind, str(len(questions)), name, str(bootstrap(values)), change)
            yield f"| {' | '.join(row)} |"


def some_of(
    questions: Sequence[Question], every: Sequence[Unit], *, count: int
) -> tuple[list[Question], list[Unit]]:
    """Return the units asked for among others drawn evenly, and the questions with their places there."""
    right = {question.unit for question in questions}
    step = max(1, len(every) // max(1, count - len(right)))
    kept = sorted(right | set(range(0, len(every), step)))
    place = {at: new for new, at in enumerate(kept)}
    return [replace(q, unit=place[q.unit]) for q in questions], [every[at] for at in kept]


def _ways(searched: Sequence[Unit], reader: Reader) -> Iterator[tuple[str, Scores]]:
    """Give each way to search, by name; those with the same words before a colon are compared."""
    limit = TextLimit(reader.limit.offsets, _CLIP_TOKENS)
    for name, context in CONTEXTS.items():
        items = [[item.text for item in unit_items(unit, limit, context=context)] for unit in searched]
        yield f"figures with words: {name}", partial(reader.best, reader.matrix(items))
    mini = Mini(searched, reader)
    for way in ("as it is", "captions with passages", "captions as texts"):
        matrix = mini.texts(way)
        yield f"text lane of plait-mini: {way}", partial(reader.best, matrix)
        yield f"plait-mini: {way}", partial(mini.scores, matrix)


class Reader:
    """Texts to vectors by plait-mini's text tower, each text once."""

    def __init__(self) -> None:
        self.encoder = MiniEncoder.load(NAME)
        self._towers = Towers(MiniConfig.read(self.encoder.folder / "config.json"))
        self._known: dict[str, Vectors] = {}

    @property
    def limit(self) -> TextLimit:
        """How much text the tower reads at once."""
        return self._towers.limit

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return (texts, d), unit length."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known |= zip(new, self._towers.vectors(new), strict=True) if new else ()
        return np.stack([self._known[text] for text in texts])

    def matrix(self, items: Sequence[Sequence[str]]) -> tuple[Vectors, Vectors]:
        """Return (items, d) of all units, and where each unit's begin, (units + 1,)."""
        begins = np.cumsum([0, *map(len, items)])
        return self.vectors([text for of_unit in items for text in of_unit]), begins

    def best(self, matrix: tuple[Vectors, Vectors], question: Question) -> Vectors:
        """Return (units,) each unit's best item, NaN where it has none."""
        vectors, begins = matrix
        return _best_of(vectors @ self.vectors([question.text])[0], begins)


class Mini:
    """The lanes of plait-mini over some units, as its encoder and a library's index make them."""

    def __init__(self, searched: Sequence[Unit], reader: Reader) -> None:
        self._units = searched
        self._reader = reader
        self._bm25 = SurroundedBm25.of(searched)
        figures = [replace(unit, passages=()) for unit in searched]
        found = [vectors.fields["figure_words"] for vectors in reader.encoder.encode_units(figures)]
        self._figures = (np.concatenate(found)[:, 0], np.cumsum([0, *map(len, found)]))

    def texts(self, way: str) -> tuple[Vectors, Vectors]:
        """Return the text lane's vectors, and where each unit's begin."""
        weight = MiniConfig.read(self._reader.encoder.folder / "config.json").text.heading_weight
        items = [_texts(unit, way) for unit in self._units]
        heads = [heading_of(unit) for unit in self._units]
        flat = [[f"{head}\n{text}" for text in of_unit] for head, of_unit in zip(heads, items, strict=True)]
        vectors, begins = self._reader.matrix(flat)
        own = np.repeat(self._reader.vectors(heads), [len(of_unit) for of_unit in flat], axis=0)
        mixed = vectors + weight * own
        return mixed / np.linalg.norm(mixed, axis=1, keepdims=True), begins

    def scores(self, texts: tuple[Vectors, Vectors], question: Question) -> Vectors:
        """Return (units,) the fused scores of all lanes."""
        asked = self._reader.encoder.encode_query(Query.of(question.text))
        lanes = {
            "bm25": self._bm25.scores([question.text]),
            "text": self._reader.best(texts, question),
            "figure_words": _best_of(self._figures[0] @ asked.fields["figure_words"][0, 0], self._figures[1]),
        }
        return fuse(lanes, parameters=self._reader.encoder.mixture)


def _texts(unit: Unit, way: str) -> list[str]:
    """Return what the text lane reads of a unit."""
    if way == "as it is" or not unit.passages:
        return texts_of(unit)
    captions = ["\n".join(dict.fromkeys(w for w in (f.caption, f.text) if w)) for f in unit.figures]
    passages = [passage.text for passage in unit.passages]
    if way == "captions as texts":
        return passages + [caption for caption in captions if caption]
    for figure, caption in zip(unit.figures, captions, strict=True):
        place = unit.passages.index(nearest_passage(figure, unit.passages))
        passages[place] = f"{caption}\n{passages[place]}" if caption else passages[place]
    return passages


def _best_of(scores: Vectors, begins: np.ndarray) -> Vectors:
    """Return the best score of each unit's items, NaN where it has none."""
    best = np.full(len(begins) - 1, np.nan, np.float32)
    there = np.diff(begins) > 0
    best[there] = np.maximum.reduceat(scores, begins[:-1][there])
    return best


def _reciprocal_rank(scores: Vectors, right: int) -> float:
    """Return 1 / rank of the right unit, equal scores in the order of the units; 0 past the first ten."""
    known = np.nan_to_num(scores, nan=-np.inf)
    rank = 1 + np.count_nonzero(known > known[right]) + np.count_nonzero(known[:right] == known[right])
    return 1 / rank if rank <= _AMONG else 0.0


def _read(root: Path, work: Path) -> Iterator[Document]:
    """Give the PDFs below a folder that have captioned figures."""
    spool = work / "pictures"
    spool.mkdir(exist_ok=True)
    for file in sorted(root.rglob("*.pdf")):
        source = file.relative_to(root).as_posix()
        try:
            limits = ReadLimits(page_dpi=0)
            document = read_in_process(file, source=source, spool=spool, limits=limits, root=root)
        except ReadError:
            continue
        if any(segment.kind == "image" and segment.caption for segment in document.segments):
            yield document


if __name__ == "__main__":
    main()
