"""What each reranker gives, on what manuals ask of themselves: shares chosen on some, shown on others.

    for package in ...: python -m benchmarks.real_input.fetch PACKAGE
    python -m benchmarks.search.reranking score [--cross-encoder FOLDER]   slow; goes on where it stopped
    python -m benchmarks.search.reranking show                             writes results/reranking.md

Questions are those of `plait eval library`: they are taken out of the manual before it is asked, and keywords
of a sentence that stays. A library of a manual is made as any is, and searched by the very code.
"""

from __future__ import annotations

import argparse
import json
import pickle
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch

from benchmarks.real_input.fetch import CACHE
from benchmarks.search.honest_material import Manual, manual
from plait.encode.base import Encoder
from plait.encode.mini import MiniEncoder
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, Scores, StoredDocument
from plait.library.reranking.cross_encoder import load_cross_encoder
from plait.scoring.vectors import Vectors
from plait.search.ranking import Place, Ranking
from plait.search.rerank.base import Reranker, in_order, shortlist
from plait.search.rerank.interaction import LateInteraction
from plait.search.rerank.refining import Refining
from plait.search.searcher import Searcher

CHOSEN_ON = ("imagemagick-6-doc", "kicad-doc-en")
SHOWN_ON = ("ns3-doc", "fontforge-doc", "openms-doc")
RESULTS = Path(__file__).parents[1] / "results"
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_SLOW = 8  # questions of a kind that a slow reranker is asked
_ALL = 1000
_TIMED = 9  # queries that are timed


@dataclass(frozen=True, slots=True)
class Case:
    """A question, and what was found.

    Attributes:
        kind: of question.
        places: as the lanes put them.
        relevant: which of them answer.
        scores: (C,) what the reranker says of the first.
    """

    kind: str
    places: Sequence[Place]
    relevant: Sequence[bool]
    scores: Scores

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
        torch.set_num_threads(1)
        encoder = MiniEncoder.load(threads=1)
        score(encoder, asked.cache, asked.work, asked.cross_encoder)
        times = timed(encoder, asked.cache, asked.cross_encoder)
        (asked.work / "times.json").write_text(json.dumps(times))
        return
    scored = {path.stem: pickle.loads(path.read_bytes()) for path in sorted(asked.work.glob("*.pickle"))}
    told = to_markdown(scored, json.loads((asked.work / "times.json").read_text()))
    (RESULTS / "reranking.md").write_text(told)
    print(told)


def score(encoder: MiniEncoder, cache: Path, work: Path, cross_encoder: str) -> None:
    """Score every manual's questions by every reranker, and keep what came out."""
    remembering = cast(Encoder, Remembering(encoder))
    for name, reranker in _rerankers(remembering, cross_encoder).items():
        most = _SLOW if name == "cross-encoder" else _ALL
        for package in (*CHOSEN_ON, *SHOWN_ON):
            kept = work / f"{name}@{package}.pickle"
            if not kept.exists():
                found = manual(package, encoder, packages=cache, work=cache / "honest")
                kept.write_bytes(pickle.dumps(list(_cases(found, encoder, reranker, most))))


def timed(encoder: MiniEncoder, cache: Path, cross_encoder: str) -> dict[str, float]:
    """Return reranker -> median CPU-milliseconds of a query of words, one thread."""
    found = manual(SHOWN_ON[0], encoder, packages=cache, work=cache / "honest")
    asked = [one for one in found.asked if one.kind in ("sentence", "keywords")]
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        searcher = Searcher(encoder, _library(found, encoder, Path(folder)).snapshot())
        for one in asked[:: len(asked) // _TIMED]:
            given = shortlist(searcher.ranking(one.query, k=100), searcher)
            for name, reranker in _rerankers(encoder, cross_encoder).items():
                began = time.process_time()
                reranker.scores(given)
                times.setdefault(name, []).append(1000 * (time.process_time() - began))
    return {name: float(np.median(of_queries[1:])) for name, of_queries in times.items()}  # the first loads


def _rerankers(encoder: Encoder, cross_encoder: str) -> dict[str, Reranker]:
    every: list[Reranker] = [Refining(), LateInteraction(encoder)]
    every += [load_cross_encoder(cross_encoder, threads=1)] if cross_encoder else []
    return {reranker.name: reranker for reranker in every}


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
    scores = reranker.scores(shortlist(ranking, searcher))
    return Case(kind, ranking.places, [unit.id in answers for unit, _ in units], scores)


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


def to_markdown(scored: Mapping[str, Sequence[Case]], times: Mapping[str, float]) -> str:
    """Return the tables, one a reranker.

    Args:
        scored: "reranker@manual" -> its questions.
    """
    lines = [_HEADER]
    for name in dict.fromkeys(key.partition("@")[0] for key in scored):
        keys = [key for key in scored if key.startswith(f"{name}@")]
        of_manual = {key.partition("@")[2]: scored[key] for key in keys}
        share = _chosen([cases for manual, cases in of_manual.items() if manual in CHOSEN_ON])
        lines += ["", f"## {name}: share {share}, {times[name]:.0f} CPU-ms a query", "", _COLUMNS]
        for package in SHOWN_ON:
            spoken = [case for case in of_manual.get(package, ()) if np.isfinite(case.scores).any()]
            kinds = sorted({case.kind for case in spoken})
            lines += [_row(package, kind, [c for c in spoken if c.kind == kind], share) for kind in kinds]
            lines += [_row(package, "all", spoken, share)] if spoken else []
    return "\n".join(lines) + "\n"


def _chosen(manuals: Sequence[Sequence[Case]]) -> float:
    """Return the share by which the manuals' mean reciprocal ranks are best, each counting alike."""
    means = [
        np.mean([np.mean([case.reciprocal_rank(share) for case in cases]) for cases in manuals])
        for share in SHARES
    ]
    return SHARES[int(np.argmax(means))]


def _row(package: str, kind: str, cases: Sequence[Case], share: float) -> str:
    before, after = (100 * np.array([case.reciprocal_rank(one) for case in cases]) for one in (0.0, share))
    drawn = np.random.default_rng(0).integers(0, len(cases), (4000, len(cases)))
    low, high = np.quantile((after - before)[drawn].mean(1), (0.025, 0.975))
    gain = f"{(after - before).mean():+.1f} [{low:+.1f}, {high:+.1f}]"
    return f"| {package} | {kind} ({len(cases)}) | {before.mean():.1f} | {after.mean():.1f} | {gain} |"


_HEADER = """# What rerankers give

Manuals of Debian, about 420 units each, searched by plait-mini; the first 30 places put in order anew. MRR x
100 of what the manuals ask of themselves, before and after; the difference with its 95 % interval by a paired
bootstrap. Queries that a reranker has nothing to say of (pictures alone) are left out. The share that it has
against the lanes was chosen on imagemagick-6-doc and, where it was asked there, kicad-doc-en; nothing was
chosen on the manuals below; openms-doc was asked with refine alone. CPU time is of
one thread, the model loaded, the median of words alone asked of ns3-doc.

    python -m benchmarks.search.reranking score --cross-encoder FOLDER
    python -m benchmarks.search.reranking show

"sentence": a sentence that was taken out of its unit; "keywords": the four longest words of one that stays;
"caption", "title": taken out; "figure+...": a picture and such words."""
_COLUMNS = "| manual | kind (queries) | before | after | difference |\n|---|---|---|---|---|"


if __name__ == "__main__":
    main()
