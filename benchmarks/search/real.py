"""Real token vectors to search: manuals read, a small ReT trained on them, units and queries encoded.

    python -m benchmarks.search.real --documents 10000 --queries 1000

No weights of ReT come with plait, and random vectors say little about search. So a small ReT of 32 tokens of
128 a side is trained on illustrated manuals of Debian 12's packages (free licences: real_material.py), and
the units of those and of other manuals are encoded by it: in all 1.5 hours of one core for 100,000, of which
10 minutes are training. Everything begins from nothing and lies in
~/.cache/plait-benchmarks/ret-vectors; what is there already is not made again, and a larger --documents
goes on where a smaller one ended. There, afterwards:

    documents.npy     (N, 32, 128) float16, unit length up to rounding
    entries.jsonl     what was encoded, a line a row (and more lines than rows, until all are)
    queries.npy       (Q, 32, 128) float16
    queries.jsonl     where each was drawn from: "row" of documents.npy; its "kind"
    statistics.json   how alike the vectors are, and where the queries' own units rank
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.real_input.fetch import CACHE
from benchmarks.search.real_encoding import RealEncoder
from benchmarks.search.real_entries import entries_of, read_entries, shuffled, write_entries
from benchmarks.search.real_material import LICENCE_OF, units_file, units_in
from benchmarks.search.real_queries import Question, drawn
from benchmarks.search.real_statistics import likeness, of_ranks, own_scores
from benchmarks.search.real_training import STEPS, documents_trained_on, trained
from benchmarks.search.real_vectors import GrowingVectors
from plait.encode.ret import fingerprint
from plait.errors import PlaitError

_ASKED_ABOUT = 10_000  # the first entries, which queries are drawn from
_MOST_PER_PACKAGE = 6000
_CHUNK = 1000  # entries encoded and stored at a time


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--documents", type=int, default=10_000, help=f"{_ASKED_ABOUT} or more")
    options.add_argument("--queries", type=int, default=1000)
    options.add_argument("--steps", type=int, default=STEPS, help="of training")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--cache", type=Path, default=CACHE, help="where packages are unpacked")
    options.add_argument("--work", type=Path, help="default: CACHE/ret-vectors")
    asked = options.parse_args()
    if asked.documents < _ASKED_ABOUT:
        options.error(f"--documents is {asked.documents}: expected {_ASKED_ABOUT} or more")
    work = asked.work or asked.cache / "ret-vectors"
    try:
        found = run(asked.cache, work, asked.documents, asked.queries, steps=asked.steps, seed=asked.seed)
    except PlaitError as error:
        sys.exit(str(error))
    print(json.dumps(found, indent=1))


def run(
    cache: Path, work: Path, documents: int, queries: int, *, steps: int = STEPS, seed: int = 0
) -> dict[str, Any]:
    """Make what is not there yet, and return the statistics."""
    work.mkdir(parents=True, exist_ok=True)
    model = trained(cache=cache, work=work, seed=seed, steps=steps)
    questions = prepare(cache, work, queries=queries, seed=seed)
    check_model(work, model)
    encoder = RealEncoder(model)
    if not (work / "queries.npy").is_file():
        np.save(work / "queries.npy", encoder.queries(questions, seed=seed).astype(np.float16))
    encode(encoder, work, count=documents)
    found = measure(work, questions)
    (work / "statistics.json").write_text(json.dumps(found, indent=1) + "\n")
    return found


def prepare(cache: Path, work: Path, *, queries: int, seed: int) -> list[Question]:
    """Return the questions; write them and the entries, unless both are there."""
    entries, asked = work / "entries.jsonl", work / "queries.jsonl"
    if not (entries.is_file() and asked.is_file()):
        of_packages = [
            entries_of(units_in(units_file(package, cache=cache, work=work)), package, most=_MOST_PER_PACKAGE)
            for package in LICENCE_OF
        ]
        every = shuffled(of_packages)
        found, changed = drawn(
            every[:_ASKED_ABOUT], count=queries, trained_on=documents_trained_on(work), seed=seed
        )
        write_entries([*changed, *every[_ASKED_ABOUT:]], entries)
        asked.write_text("".join(json.dumps(asdict(question)) + "\n" for question in found))
        print(f"{len(every):,} entries, {len(found):,} questions", file=sys.stderr)
    questions = [Question(**json.loads(line)) for line in asked.read_text().splitlines()]
    if len(questions) != queries:
        sys.exit(
            f"{asked} holds {len(questions):,} queries, expected {queries:,}: ask for so many, or give "
            "another --work (or fewer, where the manuals give no more)"
        )
    return questions


def check_model(work: Path, model: Path) -> None:
    """Note which model encodes; stop where the vectors that are there are another's."""
    note = work / "model.json"
    now = fingerprint(model)
    if not note.is_file():
        note.write_text(json.dumps({"fingerprint": now}) + "\n")
    before = json.loads(note.read_text())["fingerprint"]
    if before != now:
        sys.exit(
            f"{work} holds vectors of model {before[:12]}, now it is {now[:12]}: delete model.json, "
            "documents.npy and queries.npy there, and run this again"
        )


def encode(encoder: RealEncoder, work: Path, *, count: int) -> None:
    """Encode entries that have no vectors yet, in chunks, until `count` have some or there are no more."""
    with GrowingVectors(work / "documents.npy", tokens=encoder.tokens, width=encoder.width) as vectors:
        entries = islice(read_entries(work / "entries.jsonl"), vectors.count, count)
        while chunk := list(islice(entries, _CHUNK)):
            began = time.perf_counter()
            vectors.append(encoder.documents(chunk))
            rate = len(chunk) / (time.perf_counter() - began)
            print(f"{vectors.count:,} documents, {rate:.0f}/s", file=sys.stderr, flush=True)


def measure(work: Path, questions: Sequence[Question]) -> dict[str, Any]:
    """Return statistics of the vectors that are there."""
    documents = np.load(work / "documents.npy", mmap_mode="r")
    queries = np.load(work / "queries.npy")
    entries = list(islice(read_entries(work / "entries.jsonl"), len(documents)))
    known = documents_trained_on(work)
    ranks, behind = own_scores(queries, documents, [question.row for question in questions])
    return {
        "documents": len(documents),
        "with_figures": sum(bool(entry.picture) for entry in entries),
        "of_documents_trained_on": sum(entry.document in known for entry in entries),
        "documents_tokens": likeness(documents),
        "queries_tokens": likeness(queries),
        "ranks": of_ranks(ranks, [question.kind for question in questions]),
        "best_other_less_own": {f"{p}%": float(np.percentile(behind, p)) for p in (5, 25, 50, 75, 95)},
    }


if __name__ == "__main__":
    main()
