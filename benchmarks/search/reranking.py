"""What each reranker gives, on what manuals ask of themselves: shares chosen on some, shown on others.

    for package in ...: python -m benchmarks.real_input.fetch PACKAGE
    python -m benchmarks.search.reranking score [--cross-encoder FOLDER]   slow; goes on where it stopped
    python -m benchmarks.search.reranking show                             writes results/reranking.md

Questions are those of `plait eval library`: they are taken out of the manual before it is asked, and keywords
of a sentence that stays. A library of a manual is made as any is, and searched by the very code.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.measuring import described, machine
from benchmarks.real_input.fetch import CACHE
from benchmarks.search.honest_material import Manual, manual
from plait.encode.mini import MiniEncoder
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, Scores, StoredDocument
from plait.library.reranking.cross_encoder import load_cross_encoder
from plait.scoring.vectors import Vectors
from plait.search.ranking import Place, Ranking
from plait.search.rerank.base import TOP, Reranker, in_order, shortlist
from plait.search.rerank.interaction import LateInteraction
from plait.search.rerank.refining import Refining
from plait.search.searcher import Searcher

CHOSEN_ON = ("imagemagick-6-doc", "kicad-doc-en")
SHOWN_ON = ("ns3-doc", "fontforge-doc", "openms-doc")
RESULTS = Path(__file__).parents[1] / "results"
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_SLOW = 15  # questions of a kind that a slow reranker is asked
_TIMED = 10  # queries that are timed


@dataclass(frozen=True, slots=True)
class Case:
    """A question, and what was found.

    Attributes:
        kind: of question.
        places: as the lanes put them.
        relevant: which of them answer.
        scores: (C,) what the reranker says of the first.
        seconds: that it took.
    """

    kind: str
    places: Sequence[Place]
    relevant: Sequence[bool]
    scores: Scores
    seconds: float

    def reciprocal_rank(self, share: float) -> float:
        """Return one over the first right place, 0 where there is none."""
        order = in_order([*map(_numbered, range(len(self.places)), self.places)], self.scores, share)
        return next((1 / rank for rank, one in enumerate(order, 1) if self.relevant[one.row]), 0.0)


class Remembering:
    """The encoder, which reads a passage once however many queries find it; for quality, not for speed."""

    def __init__(self, encoder: MiniEncoder) -> None:
        self._encoder = encoder
        self._known: dict[str, Vectors] = {}
        self.fields = encoder.fields
        self.encode_units = encoder.encode_units

    def token_states(self, texts: Sequence[str]) -> list[Vectors]:
        """As of `MiniEncoder`."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        read = self._encoder.token_states(new)
        self._known |= {text: one.astype(np.float16) for text, one in zip(new, read, strict=True)}
        return [self._known[text].astype(np.float32) for text in texts]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("task", choices=("score", "show"))
    options.add_argument("--cache", type=Path, default=CACHE, help="where fetch.py put the manuals")
    options.add_argument("--work", type=Path, default=CACHE / "reranking", help="keeps what was scored")
    options.add_argument("--cross-encoder", default="", help="score: a folder with a cross-encoder")
    asked = options.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    if asked.task == "score":
        score(asked.cache, asked.work, asked.cross_encoder)
    else:
        told = to_markdown(
            {path.stem: pickle.loads(path.read_bytes()) for path in asked.work.glob("*.pickle")}
        )
        (RESULTS / "reranking.md").write_text(told)
        print(told)


def score(cache: Path, work: Path, cross_encoder: str) -> None:
    """Score every manual's questions by every reranker, and keep what came out."""
    torch.set_num_threads(1)
    encoder = MiniEncoder.load(threads=1)
    remembering = Remembering(encoder)
    makers: dict[str, tuple[Callable[[], Reranker], int]] = {
        "refine": (Refining, 1000),
        "late-interaction": (lambda: LateInteraction(remembering), 1000),  # type: ignore[arg-type]
    }
    if cross_encoder:
        makers["cross-encoder"] = (lambda: load_cross_encoder(cross_encoder, threads=1), _SLOW)
    for name, (make, most) in makers.items():
        for package in (*CHOSEN_ON, *SHOWN_ON):
            kept = work / f"{name}@{package}.pickle"
            if kept.exists():
                continue
            found = manual(package, encoder, packages=cache, work=cache / "honest")
            cases = list(_cases(found, encoder, make(), most))
            kept.write_bytes(pickle.dumps(cases))
            print(f"{name} {package}: {len(cases)}", file=sys.stderr, flush=True)


def _cases(found: Manual, encoder: MiniEncoder, reranker: Reranker, most: int) -> Iterator[Case]:
    asked: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        searcher = Searcher(encoder, _library(found, encoder, Path(folder)).snapshot())
        for one in found.asked:
            asked[one.kind] = asked.get(one.kind, 0) + 1
            if asked[one.kind] > most:
                continue
            ranking = searcher.ranking(one.query, k=100)
            yield _case(one.kind, one.relevant, ranking, searcher, reranker)


def _case(
    kind: str, answers: frozenset[str], ranking: Ranking, searcher: Searcher, reranker: Reranker
) -> Case:
    units = searcher.snapshot.units([place.row for place in ranking.places])
    given = shortlist(ranking, searcher)
    began = time.perf_counter()
    scores = reranker.scores(given)
    seconds = time.perf_counter() - began
    return Case(kind, ranking.places, [unit.id in answers for unit, _ in units], scores, seconds)


def _library(found: Manual, encoder: MiniEncoder, folder: Path) -> LanceIndex:
    entries: dict[str, list[int]] = {}
    for row, unit in enumerate(found.units):
        entries.setdefault(unit.document_id, []).append(row)
    index = LanceIndex(folder, encoder.fields)
    index.add(
        [
            Entry(
                StoredDocument(name, found.units[rows[0]].title, name, {}, "0" * 64),
                tuple(found.units[row] for row in rows),
                tuple(found.vectors[row] for row in rows),
            )
            for name, rows in entries.items()
        ]
    )
    return index


def _numbered(at: int, place: Place) -> Place:
    return Place(at, place.score, place.lanes)


def to_markdown(scored: Mapping[str, Sequence[Case]]) -> str:
    raise NotImplementedError


if __name__ == "__main__":
    main()
