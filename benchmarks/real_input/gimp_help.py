"""The GIMP manual: 685 pages added, and found again by text, by image, and by both.

    python -m benchmarks.real_input.fetch gimp-help-en
    python -m benchmarks.real_input.gimp_help

Test data: nothing of plait was trained, tuned or chosen on it, and this script only measures. How the
questions are made is told in questions.py. Three libraries are asked: the whole manual (for kinds that
keep the figure), a copy in which the 300 sentences of the kind "text" were all removed, and a copy in
which the 300 sentences and 300 figures of "text+image, figure removed" were; in each copy the pages
concerned were added again without them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import machine, measure_add
from benchmarks.real_input.fetch import CACHE, documents_of
from benchmarks.real_input.questions import BOTH_REMOVED, KINDS, TEXT, Pool, Question, moved
from benchmarks.real_input.systems import BASELINE, DEFAULT, SYSTEMS
from benchmarks.real_input.tables import to_markdown
from plait import Document, Library, Unit
from plait.data.collections.base import Collection, LabelledQuery
from plait.data.readers.base import ReadLimits
from plait.data.readers.dispatch import read_in_process
from plait.data.segmenting import units
from plait.encode.base import Encoder
from plait.evaluation.evaluate import Answers, score
from plait.evaluation.intervals import Interval, bootstrap
from plait.evaluation.runs import write_run
from plait.index.base import Scores
from plait.schema import SearchRequest

MEASURES = ("success@1", "success@10", "mrr")
RESULTS = Path(__file__).parents[1] / "results"
_EACH = "mrr of each question"  # needed for the means; the runs of --keep hold it in full


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--cache", type=Path, default=CACHE, help="where fetch.py put the manual")
    options.add_argument("--keep", type=Path, help="folder to keep the libraries and runs in; must be empty")
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of the tables")
    options.add_argument("--pages", type=int, help="only the first so many pages, to try the script")
    options.add_argument("--questions", type=int, default=300, help="of each kind")
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    pages = sorted(documents_of("gimp-help-en", asked.cache).glob("*.html"))[: asked.pages]
    work = asked.keep or Path(tempfile.mkdtemp(prefix="plait-gimp-help-"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        found = measure(pages, work, questions=asked.questions, seed=asked.seed)
    finally:
        if asked.keep is None:
            shutil.rmtree(work, ignore_errors=True)
    asked.results.mkdir(parents=True, exist_ok=True)
    (asked.results / "gimp_help.json").write_text(json.dumps(found, indent=1) + "\n")
    (asked.results / "gimp_help.md").write_text(to_markdown(found))
    print(to_markdown(found))


def measure(
    pages: Sequence[Path], work: Path, *, questions: int, seed: int, encoder: Encoder | None = None
) -> dict[str, Any]:
    """Return all that is measured, as JSON.

    Args:
        pages: HTML files.
        work: an empty folder.
        questions: of each kind.
        encoder: None means plait's own.
    """
    with Library(work / "whole", encoder=encoder) as library:
        added = measure_add(library, pages)
        print(added, file=sys.stderr)
        model = {"name": library.encoder().name, "fingerprint": library.encoder().fingerprint}
    documents = read(pages, work)
    pool = Pool(documents)
    drawn = {kind: pool.draw(kind, count=questions, seed=seed) for kind in KINDS}
    kinds = {}
    for kind, of_kind in drawn.items():
        folder = library_of(kind, of_kind, pool, work, encoder)
        with Library(folder, encoder=encoder, create=False) as library:
            kinds[kind] = ask_kind(library, of_kind, pool, work)
        print(f"asked {len(of_kind)} of the kind {kind!r}", file=sys.stderr)
    return {
        "added": added.to_dict(),
        "corpus": {
            "units": len(pool.units),
            "units_with_figures": sum(bool(unit.figures) for unit in pool.units),
        },
        "model": model,
        "seed": seed,
        "machine": machine(),
        "means": means(kinds),
        "kinds": {kind: {k: v for k, v in of_kind.items() if k != _EACH} for kind, of_kind in kinds.items()},
    }


def read(pages: Sequence[Path], work: Path) -> list[Document]:
    """Return the pages as the documents that the library made of them, with the same ids."""
    spool = work / "spool"
    spool.mkdir()
    limits = ReadLimits()
    return [
        read_in_process(page, source=page.absolute().as_posix(), spool=spool, limits=limits) for page in pages
    ]


def library_of(
    kind: str, questions: Sequence[Question], pool: Pool, work: Path, encoder: Encoder | None
) -> Path:
    """Return the library to ask: the whole one, or a copy whose pages lost what the questions hold."""
    if kind not in (TEXT, BOTH_REMOVED):
        return work / "whole"
    folder = work / ("without sentences" if kind == TEXT else "without sentences and figures")
    shutil.copytree(work / "whole", folder)
    with Library(folder, encoder=encoder, create=False) as library:
        changed = list(pool.without(questions))
        report = library.add_documents(changed)
        if report.updated != len(changed):
            sys.exit(
                f"{report.updated} of {len(changed)} pages were replaced: their ids differ from the library's"
            )
    return folder


def ask_kind(library: Library, questions: Sequence[Question], pool: Pool, work: Path) -> dict[str, Any]:
    """Return system -> measures, for one kind of question, by unit and by page."""
    searcher = library.searcher()
    names = unit_names(library)
    lanes = [searcher.scores(question.query) for question in questions]
    seconds = check_default(library, questions, lanes)
    labelled = [LabelledQuery(q.id, q.query, q.kind) for q in questions]
    relevant = qrels(questions, pool)
    by_unit = Collection("gimp-help-en", labelled, relevant, lambda: iter(()))
    by_page = Collection(
        "gimp-help-en", labelled, {q: pages_of(r) for q, r in relevant.items()}, lambda: iter(())
    )
    systems: dict[str, Any] = {}
    values: dict[str, list[float]] = {}
    for system in SYSTEMS:
        scored = [system.scores(of_query, searcher.encoder.mixture) for of_query in lanes]
        if any(one is None for one in scored):
            systems[system.name] = None
            continue
        run = {q.id: named(s, names) for q, s in zip(questions, scored, strict=True) if s is not None}
        report = score(Answers(run=dict(run)), by_unit, measures=MEASURES)
        pages = score(
            Answers(run={q: best_of_pages(s) for q, s in run.items()}), by_page, measures=MEASURES[:2]
        )
        systems[system.name] = {
            **{name: interval(found) for name, found in report.kinds[0].values.items()},
            **{f"page {name}": interval(found) for name, found in pages.kinds[0].values.items()},
        }
        values[system.name] = [report.per_query[q.id]["mrr"] for q in questions]
        write_run(work / f"{questions[0].kind} - {system.name}.run".replace(":", ""), first(run, 100))
    gain = np.subtract(values[DEFAULT.name], values[BASELINE.name]).tolist()
    return {
        "questions": len(questions),
        "relevant_units_a_question": sum(map(len, relevant.values())) / len(relevant),
        "systems": systems,
        "default_minus_baseline_mrr": interval(bootstrap(gain)),
        _EACH: values,
        "search_ms": {f"p{p}": float(np.percentile(seconds, p)) * 1000 for p in (50, 95)},
    }


def qrels(questions: Sequence[Question], pool: Pool) -> dict[str, dict[str, int]]:
    """Return the relevant units: those that show the figure, or the one that lost the sentence."""
    changed = {document.id: units(document) for document in pool.without(questions)}
    relevant: dict[str, dict[str, int]] = {}
    for question in questions:
        if question.sentence:
            found = [moved(question.unit, changed[question.unit.document_id])]
        else:
            found = pool.showing(question.pixels)
        relevant[question.id] = {name_of(unit, pool.documents[unit.document_id].source): 1 for unit in found}
    return relevant


def unit_names(library: Library) -> list[str]:
    """Return "page.html:ordinal" of each unit, in the order of the lanes' scores.

    Names, not ids, because ids depend on where the manual lies, and names break ties everywhere alike.
    """
    snapshot = library.searcher().snapshot
    return [name_of(unit, document.source) for unit, document in snapshot.units(range(len(snapshot)))]


def name_of(unit: Unit, source: str) -> str:
    return f"{Path(source).name}:{unit.ordinal}"


def named(scores: Scores, names: Sequence[str]) -> dict[str, float]:
    return {names[row]: float(scores[row]) for row in np.flatnonzero(~np.isnan(scores)).tolist()}


def best_of_pages(scores: Mapping[str, float]) -> dict[str, float]:
    """Return page -> the score of its best unit."""
    pages: dict[str, float] = {}
    for unit, value in scores.items():
        page = unit.rpartition(":")[0]
        pages[page] = max(value, pages.get(page, value))
    return pages


def pages_of(relevant: Mapping[str, int]) -> dict[str, int]:
    return {unit.rpartition(":")[0]: grade for unit, grade in relevant.items()}


def first(run: Mapping[str, Mapping[str, float]], count: int) -> dict[str, dict[str, float]]:
    """Return a run with only the best few of each query."""
    return {q: dict(sorted(s.items(), key=lambda item: -item[1])[:count]) for q, s in run.items()}


def check_default(
    library: Library, questions: Sequence[Question], lanes: Sequence[Mapping[str, Scores]]
) -> list[float]:
    """Ask `Library.search` as a user would; return its seconds.

    Raises:
        AssertionError: it scores its hits otherwise than the system "plait's default" of the table.
    """
    searcher = library.searcher()
    seconds = []
    for question, of_query in zip(questions, lanes, strict=True):
        started = time.perf_counter()
        hits = library.search(SearchRequest(question.query, fold=False, distant=True))
        seconds.append(time.perf_counter() - started)
        scores = DEFAULT.scores(of_query, searcher.encoder.mixture)
        assert scores is not None, "the default asks every lane"
        best = -np.sort(-scores[~np.isnan(scores)])[:10]
        if not np.allclose([hit.score for hit in hits], best, rtol=1e-4, atol=1e-4):
            raise AssertionError(f"{question.id}: Library.search does not rank as the table's default does")
    return seconds


def interval(found: Interval) -> dict[str, float]:
    return {"mean": found.mean, "low": found.low, "high": found.high}


def means(kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mean MRR over the kinds, for each system that answers all, and its gain with interval."""
    of_all = {s.name: [kind["systems"][s.name] for kind in kinds.values()] for s in SYSTEMS}
    mean_mrr = {
        name: float(np.mean([found["mrr"]["mean"] for found in of_kinds]))
        for name, of_kinds in of_all.items()
        if all(of_kinds)
    }
    gain: list[float] = []
    for kind in kinds.values():
        values = kind[_EACH]
        gain += np.subtract(values[DEFAULT.name], values[BASELINE.name]).tolist()
    return {"mrr": mean_mrr, "default_minus_baseline_mrr": interval(bootstrap(gain))}


if __name__ == "__main__":
    main()
