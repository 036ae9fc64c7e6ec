"""What BM25 costs: memory, building, a query, a change, for made-up units whose words follow Zipf's law.

    OMP_NUM_THREADS=1 python -m benchmarks.search.lexical --units 100000

A unit has 80 words of 200,000, some 67 of them distinct; 20 units make a document, 4 share a heading. The
words of a query are drawn as those of a unit, so half of them are common. Times are CPU time, which
neighbours on the machine disturb least; making up the units is left out.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import resource
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import described, machine, resident_bytes
from plait.index.lexical import term_hash
from plait.index.surroundings import SurroundedBm25
from plait.index.text_segments import TermRows

WORDS, UNIT_WORDS, UNITS_EACH, UNDER_ONE_HEADING = 200_000, 80, 20, 4
BATCH = 2048  # units; what the store reads at a time
random = np.random.default_rng(1)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--units", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=101)
    asked = options.parse_args()
    before = resident_mb()
    bm25, took = built(asked.units)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"{len(bm25)} units built in {took:.2f} s")
    print(f"{resident_mb() - before:.0f} MB resident, {peak - before:.0f} MB at most")
    queries(bm25, asked.rounds)
    changes(bm25)
    print(described(machine()))


def built(units: int) -> tuple[SurroundedBm25, float]:
    """Return BM25 of made-up units, and the CPU seconds that took."""
    made_up = Timed(batches(0, units))
    kept = np.full(units, -1, np.int32)
    total, bm25 = seconds(lambda: SurroundedBm25().changed(kept, made_up, owners=owners(units)))
    return bm25, total - made_up.seconds


def queries(bm25: SurroundedBm25, rounds: int) -> None:
    documents = random.permutation(len(bm25) // UNITS_EACH)[: max(1, len(bm25) // UNITS_EACH // 50)]
    masks = {
        "all": None,
        "2 % of the documents": np.isin(owners(len(bm25)), documents),
        "2 % of the units": random.random(len(bm25)) < 0.02,
    }
    print("\n| words | searched | p50 ms | p95 ms |\n|---|---|---|---|")
    for count in (3, 8):
        for name, mask in masks.items():
            asked = [" ".join(f"word{rank}" for rank in ranks(count)) for _ in range(rounds)]
            taken = [
                1000 * seconds(lambda text=text, mask=mask: bm25.scores([text], mask=mask))[0]
                for text in asked
            ]
            print(f"| {count} | {name} | {np.median(taken):.1f} | {np.percentile(taken, 95):.1f} |")


def changes(bm25: SurroundedBm25) -> None:
    """Add units, remove documents from everywhere, and remove one."""
    size = len(bm25)
    print("\n| change | s |\n|---|---|")
    for added in (20, 1000):
        kept = np.concatenate([np.arange(size), np.full(added, -1)]).astype(np.int32)
        new = list(batches(size, size + added))
        took, _ = seconds(lambda kept=kept, new=new: bm25.changed(kept, new, owners=owners(len(kept))))
        print(f"| add {added} units | {took:.3f} |")
    for removed in (1, 50):
        gone = random.permutation(size // UNITS_EACH)[:removed]
        left = np.flatnonzero(~np.isin(owners(size), gone)).astype(np.int32)
        took, _ = seconds(lambda left=left: bm25.changed(left, [], owners=owners(size)[left]))
        print(f"| remove {removed} documents of {UNITS_EACH} | {took:.3f} |")
    print()


def batches(first: int, last: int) -> Iterator[TermRows]:
    """Yield made-up units, as the store reads them."""
    for start in range(first, last, BATCH):
        rows = np.arange(start, min(start + BATCH, last), dtype=np.int32)
        drawn = np.repeat(np.arange(len(rows)), UNIT_WORDS) * WORDS + ranks(len(rows) * UNIT_WORDS)
        drawn, counts = np.unique(drawn, return_counts=True)
        of_postings, hashes = drawn // WORDS, HASHES[drawn % WORDS]
        order = np.lexsort((hashes, of_postings))
        yield TermRows(
            rows,
            np.bincount(of_postings, minlength=len(rows)),
            hashes[order],
            counts[order].astype(np.uint16),
            np.full(len(rows), UNIT_WORDS, np.uint32),
            np.array([heading(row) for row in rows.tolist()], np.object_),
        )


def ranks(count: int) -> NDArray[np.int64]:
    """Return words, as their places in the order of how common they are: Zipf's law with exponent 1."""
    return np.searchsorted(CUMULATED, random.random(count))


def heading(row: int) -> str:
    section = row // UNDER_ONE_HEADING
    return f"Title {row // UNITS_EACH} > section {section % 1000} of word{section % 5000}"


def owners(units: int) -> NDArray[np.int32]:
    return (np.arange(units) // UNITS_EACH).astype(np.int32)


class Timed:
    """Yields what an iterator yields, and knows how many CPU seconds that took."""

    def __init__(self, items: Iterator[TermRows]) -> None:
        self.seconds = 0.0
        self._items = items

    def __iter__(self) -> Iterator[TermRows]:
        return self

    def __next__(self) -> TermRows:
        start = time.process_time()
        try:
            return next(self._items)
        finally:
            self.seconds += time.process_time() - start


def seconds(work: Callable[[], SurroundedBm25]) -> tuple[float, SurroundedBm25]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def resident_mb() -> float:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # glibc: give back what is free, which is no longer in use
    return resident_bytes(os.getpid()) / 1e6


HASHES = np.array([term_hash(f"word{rank}") for rank in range(WORDS)], np.uint64)
CUMULATED = np.cumsum(1 / np.arange(1, WORDS + 1)) / np.sum(1 / np.arange(1, WORDS + 1))

if __name__ == "__main__":
    main()
