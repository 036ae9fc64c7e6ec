"""Whether explanations are faithful, and how long they take: deletions in libraries of real documents.

    OMP_NUM_THREADS=1 python -m benchmarks.search.explaining LIBRARY... [--cases 60] [--write]

Each LIBRARY is a folder that `plait ingest` filled. Queries are its own headings, sentences, and pieces of
its figures; explained is one of the first hits, drawn by chance, often not where the query comes from.

words   the five strongest words are deleted from the passage, or five drawn by chance: how far does the hit's
        score fall, the unit encoded and counted anew?
heat    the three hottest of a figure's sixteen fields are painted in its mean colour, or three by chance.
        Of a unit with several figures, the others are left aside.
parts   a query of two texts and a picture loses each part in turn: how far does the hit's rank fall?
time    of `Library.explain`, the search for the hit's score included.

Passed over: passages of fewer than thirty words or five that are shown; hits without a heat map; queries of
which two parts have one share, or whose hit keeps its rank whatever is lost.
"""

from __future__ import annotations

import argparse
import io
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.measuring import described, machine
from plait import Library, Query
from plait.encode.pictures import open_picture
from plait.index.lexical import spans
from plait.index.surroundings import SurroundedBm25
from plait.index.text_segments import TermRows
from plait.schema import Explanation, SearchRequest, Unit
from plait.search.explaining.explanation import explained
from plait.search.ranking import Place, Ranking
from plait.search.searcher import Searcher

RESULTS = Path(__file__).resolve().parent.parent / "results" / "explaining.md"
_WORDS, _CELLS, _DRAWS, _AMONG = 5, 3, 3, 4
_PIXELS = 50_000_000


@dataclass(frozen=True)
class Ground:
    """A library and what is drawn of it."""

    name: str
    library: Library
    searcher: Searcher
    units: list[Unit]
    pictures: list[str]
    chance: random.Random

    @classmethod
    def of(cls, folder: Path) -> Ground:
        library = Library(folder, create=False)
        units = list(library.units())
        figures = (figure.picture for unit in units for figure in unit.figures)
        large = {p.path for p in figures if p is not None and min(p.width_px, p.height_px) > 60}
        return cls(folder.name, library, library.searcher(), units, sorted(large), random.Random(7))

    def texts(self, count: int) -> list[str]:
        """Return headings and sentences, half of each."""
        headings = {u.section[-1] for u in self.units if u.section and 2 <= len(u.section[-1].split()) <= 8}
        passages = (passage.text for unit in self.units for passage in unit.passages)
        sentences = {s for text in passages for s in text.split(". ") if 6 <= len(s.split()) <= 14}
        drawn = [sorted(some) for some in (headings, sentences)]
        return [self.chance.choice(drawn[at % 2] or drawn[0]) for at in range(count)]

    def piece(self) -> bytes:
        """Return a piece of a figure, three fifths of each side."""
        picture = open_picture(self.chance.choice(self.pictures), max_pixels=_PIXELS)
        width, height = (max(1, int(0.6 * side)) for side in picture.size)
        left = self.chance.randint(0, picture.width - width)
        top = self.chance.randint(0, picture.height - height)
        return encoded(picture.crop((left, top, left + width, top + height)))

    def hit(self, query: Query) -> tuple[Ranking, Place, Explanation]:
        ranking = self.searcher.ranking(query, k=_AMONG)
        place = self.chance.choice(ranking.places[:_AMONG])
        return ranking, place, explained(self.searcher, query, ranking, place)


def encoded(picture: Image.Image) -> bytes:
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


# --- words ---


def words(ground: Ground, cases: int) -> list[tuple[float, float]]:
    """Return how far scores fall without the strongest words, and without words drawn by chance."""
    counting = Counting(ground.units)
    found = []
    for text in ground.texts(3 * cases):
        ranking, place, why = ground.hit(Query.of(text))
        every = [(start, end) for start, end, _ in spans(why.passage)]
        if len(why.words) < _WORDS or len(every) < 6 * _WORDS:
            continue
        strongest = sorted(why.words, key=lambda word: -word.weight)[:_WORDS]
        drawn = [ground.chance.sample(every, _WORDS) for _ in range(_DRAWS)]
        deleted = [[(word.start, word.end) for word in strongest], *drawn]
        falls = [word_fall(ground, counting, ranking, place, why.passage, cut) for cut in deleted]
        found.append((falls[0], statistics.fmean(falls[1:])))
        if len(found) == cases:
            break
    return found


class Counting:
    """BM25 of a library in which one unit has changed."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self._units = units
        self._bm25 = SurroundedBm25.of(units)
        documents: dict[str, int] = {}
        self._owners = np.array(
            [documents.setdefault(u.document_id, len(documents)) for u in units], np.int32
        )

    def score(self, query: Query, row: int, unit: Unit) -> float:
        mine = np.flatnonzero(self._owners == self._owners[row]).astype(np.int32)
        kept = np.arange(len(self._units), dtype=np.int32)
        kept[mine] = -1
        units = [unit if at == row else self._units[at] for at in mine]
        batch = TermRows.of(units, mine, language="english")
        return float(self._bm25.changed(kept, [batch], owners=self._owners).scores(query.texts)[row])


def word_fall(
    ground: Ground,
    counting: Counting,
    ranking: Ranking,
    place: Place,
    passage: str,
    cut: Sequence[tuple[int, int]],
) -> float:
    left = list(passage)
    for start, end in cut:
        left[start:end] = " " * (end - start)
    unit = ground.units[place.row]
    texts = [replace(p, text="".join(left)) if p.text == passage else p for p in unit.passages]
    changed = replace(unit, passages=tuple(texts), figures=())
    (vectors,) = ground.searcher.encoder.encode_units([changed])
    asked = ranking.vectors
    said = dict(place.lanes) | {"bm25": counting.score(ranking.query, place.row, changed)}
    said["text"] = float((vectors.fields["text"][:, 0] @ asked.fields["text"][0, 0]).max())
    return fall(ranking, place, said)


def fall(ranking: Ranking, place: Place, said: dict[str, float]) -> float:
    rows = {
        lane: np.array([place.lanes.get(lane, np.nan), said.get(lane, np.nan)], np.float32)
        for lane in ranking.lanes
    }
    before, after = ranking.comparison.on_scale(rows, [], units=np.full(2, place.row, np.intp))
    return float(before - after)


# --- heat ---


def heat(ground: Ground, cases: int) -> list[tuple[float, float]]:
    """Return how far scores fall without the hottest fields, and without fields drawn by chance."""
    found: list[tuple[float, float]] = []
    for _ in range(3 * cases):
        ranking, place, why = ground.hit(Query(images=(ground.piece(),)))
        if why.heat is None:
            continue
        map_ = why.heat
        hottest = sorted(range(len(map_.values)), key=lambda cell: -map_.values[cell])[:_CELLS]
        drawn = [ground.chance.sample(range(len(map_.values)), _CELLS) for _ in range(_DRAWS)]
        path = ground.library.folder / map_.picture
        falls = [heat_fall(ground, ranking, place, str(path), map_.columns, c) for c in [hottest, *drawn]]
        found.append((falls[0], statistics.fmean(falls[1:])))
        if len(found) == cases:
            break
    return found


def heat_fall(
    ground: Ground, ranking: Ranking, place: Place, path: str, columns: int, cells: Sequence[int]
) -> float:
    picture = open_picture(path, max_pixels=_PIXELS)
    vectors = ground.searcher.encoder.encode_query(Query(images=(encoded(painted(picture, columns, cells)),)))
    said = dict(place.lanes)
    for lane in ("image", "image_tokens"):
        query, figure = ranking.vectors.fields[lane][0], vectors.fields[lane][0]
        said[lane] = float((query @ figure.T).max(axis=1).mean())
    return fall(ranking, place, said)


def painted(picture: Image.Image, columns: int, cells: Sequence[int]) -> Image.Image:
    """Return a picture whose fields are hidden under its mean colour."""
    changed = picture.copy()
    mean = tuple(int(value) for value in np.asarray(picture).reshape(-1, 3).mean(axis=0))
    for cell in cells:
        row, column = divmod(cell, columns)
        edges = [picture.width * at // columns for at in (column, column + 1)]
        lines = [picture.height * at // columns for at in (row, row + 1)]
        changed.paste(mean, (edges[0], lines[0], edges[1], lines[1]))
    return changed


# --- parts ---


def parts(ground: Ground, cases: int) -> tuple[list[bool], list[float]]:
    """Return whether losing the part of the largest share costs most ranks, and rank correlations."""
    largest: list[bool] = []
    correlations: list[float] = []
    for _ in range(3 * cases):
        query = Query(texts=tuple(ground.texts(2)), images=(ground.piece(),))
        _, place, why = ground.hit(query)
        names = list(why.parts)
        if len(names) < 3 or len(set(why.parts.values())) < 3:
            continue
        ranks = [rank(ground, query, name, place.row) for name in names]
        if len(set(ranks)) == 1:
            continue
        best = max(names, key=lambda name: why.parts[name])
        largest.append(ranks[names.index(best)] == max(ranks))
        correlations.append(spearman([why.parts[name] for name in names], ranks))
        if len(largest) == cases:
            break
    return largest, correlations


def rank(ground: Ground, query: Query, name: str, row: int) -> int:
    """Return the place of a unit in the answer to a query that lost a part."""
    kind, number = name.split()
    items = list(query.texts if kind == "text" else query.images)
    items.pop(int(number) - 1)
    left = (
        replace(query, texts=tuple(items), text_weights=())
        if kind == "text"
        else replace(query, images=tuple(items), image_weights=(), image_boxes=())
    )
    fused = ground.searcher.ranking(left, recall=1).fused
    score = fused[row] if not np.isnan(fused[row]) else -np.inf
    return 1 + int(np.count_nonzero(fused > score))


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    ranks = [
        np.array([(np.array(v) < one).sum() + (np.array(v) == one).sum() / 2 for one in v])
        for v in (first, second)
    ]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


# --- time ---


def times(ground: Ground, cases: int) -> dict[str, tuple[list[float], list[float]]]:
    """Return kind of query -> milliseconds of the clock, and of the processor."""
    texts, found = ground.texts(cases), {}
    kinds: dict[str, Callable[[str], Query]] = {
        "text": lambda text: Query.of(text),
        "image": lambda text: Query(images=(ground.piece(),)),
        "text + image": lambda text: Query(texts=(text,), images=(ground.piece(),)),
    }
    for kind, make in kinds.items():
        if kind != "text" and not ground.pictures:
            continue
        found[kind] = list(zip(*timed(ground, [make(text) for text in texts]), strict=True))
    return found  # type: ignore[return-value]


def timed(ground: Ground, queries: Sequence[Query]) -> Iterator[tuple[float, float]]:
    for query in queries:
        hits = ground.library.search(query, k=3)
        if hits:
            wall, processor = time.perf_counter(), time.process_time()
            ground.library.explain(SearchRequest(query), ground.chance.choice(hits).id)
            yield 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - processor)


# --- tables ---


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("libraries", nargs="+", type=Path, metavar="LIBRARY")
    options.add_argument("--cases", type=int, default=60)
    options.add_argument("--write", action="store_true", help=f"keep the tables in {RESULTS.name}")
    asked = options.parse_args()
    faithful, quick = [], []
    for folder in asked.libraries:
        ground = Ground.of(folder)
        faithful += list(faithfulness(ground, asked.cases))
        quick += list(quickness(ground, asked.cases))
    text = "\n".join([*FAITHFUL_HEAD, *faithful, "", *QUICK_HEAD, *quick, "", described(machine()), ""])
    print(text)
    if asked.write:
        RESULTS.write_text(text, "utf-8")


FAITHFUL_HEAD = [
    "| library | units | test | cases | fall by what is shown | fall by chance | difference | larger in |",
    "|---|---|---|---|---|---|---|---|",
]
QUICK_HEAD = [
    "| library | units | query | p50 ms | p95 ms | p50 ms of processor | p95 ms of processor |",
    "|---|---|---|---|---|---|---|",
]


def faithfulness(ground: Ground, cases: int) -> Iterator[str]:
    head = f"| {ground.name} | {len(ground.units):,} |"
    tests: dict[str, list[tuple[float, float]]] = {"words": words(ground, cases)}
    if len(ground.pictures) >= 20:
        tests["heat"] = heat(ground, cases)
    for name, found in tests.items():
        print(ground.name, name, len(found), file=sys.stderr)
        if not found:
            continue
        told, chance = (np.array(values) for values in zip(*found, strict=True))
        means = " | ".join(map(mean_of, (told, chance, told - chance)))
        yield f"{head} {name} | {len(found)} | {means} | {np.mean(told > chance):.0%} |"
    if len(ground.pictures) >= 20:
        largest, correlations = parts(ground, cases)
        print(ground.name, "parts", len(largest), file=sys.stderr)
        if largest:
            yield (
                f"{head} parts | {len(largest)} | largest share loses most in {np.mean(largest):.0%} | "
                f"33% | rank correlation {mean_of(np.array(correlations))} | |"
            )


def quickness(ground: Ground, cases: int) -> Iterator[str]:
    for kind, (wall, processor) in times(ground, cases).items():
        p50, p95 = np.percentile(wall, [50, 95])
        q50, q95 = np.percentile(processor, [50, 95])
        head = f"| {ground.name} | {len(ground.units):,} | {kind} |"
        yield f"{head} {p50:.0f} | {p95:.0f} | {q50:.0f} | {q95:.0f} |"


def mean_of(values: np.ndarray) -> str:
    """Return a mean with its 95 % interval."""
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return f"{values.mean():+.2f} ± {half:.2f}"


if __name__ == "__main__":
    main()
