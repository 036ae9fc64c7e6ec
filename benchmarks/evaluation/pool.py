"""Exact search of a pool of a million candidates: time of each step, and the most memory it takes.

    OMP_NUM_THREADS=1 python -m benchmarks.evaluation.pool [--candidates N] [--queries Q] [--write]

Three made pools, each searched in a new process that does nothing else:

    vectors   one vector of 768 numbers a candidate: 1.5 GB on disk
    tokens    a fifth as many candidates, of 8 vectors of 64 numbers, for queries of 8 vectors
    fused     the vectors again, and words (12 a candidate, of every tenth 100): BM25, the sum of z-scores
              and rank fusion with 1,000 of each lane, for a tenth of the queries

Memory is the highest resident size that the kernel saw of the process (VmHWM). What a few queries find is
compared with a plain sort of all scores by every lane; rank fusion must differ, for a lane says nothing of
ranks beyond its 1,000 best, and these lanes agree on nothing.

`--write` keeps results/evaluation-pool.json and .md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import keep_table

if TYPE_CHECKING:
    from plait.encode.side_vectors import Vectors
    from plait.evaluation.pool.lanes import PoolLane
    from plait.evaluation.pool.vector_lane import VectorLane
    from plait.evaluation.systems import System

RESULTS = Path(__file__).parents[1] / "results"
SHAPES = ("vectors", "tokens", "fused")
K = 50
UNION = 5_600_000  # candidates of M-BEIR's union pool
_CHECKED = 3
_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one search.

    Attributes:
        pool: which of the shapes.
        seconds: wall time.
        peak_mb: VmHWM of the process at its end.
        note: what else was seen.
    """

    pool: str
    step: str
    candidates: int
    queries: int
    seconds: float
    peak_mb: float
    note: str = ""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--candidates", type=int, default=1_000_000, help="default: %(default)s")
    options.add_argument("--queries", type=int, default=1_000, help="default: %(default)s")
    options.add_argument("--write", action="store_true", help="keep results/evaluation-pool.json and .md")
    options.add_argument("--only", choices=SHAPES, help="one of the pools")
    options.add_argument("--here", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.here:
        steps = measured(asked.only, asked.here, asked.candidates, asked.queries)
        print(json.dumps([asdict(step) for step in steps]))
        return
    steps = []
    with tempfile.TemporaryDirectory(prefix="plait-pool-") as folder:
        _check_space(Path(folder), asked.candidates)
        for shape in [asked.only] if asked.only else SHAPES:
            steps += _in_new_process(shape, Path(folder), asked.candidates, asked.queries)
    print(to_markdown(steps))
    if asked.write:
        keep_table(steps, to_markdown(steps), RESULTS / "evaluation-pool.json", k=K)


def measured(shape: str, folder: Path, candidates: int, queries: int) -> list[Step]:
    """Search one made pool, a step after the other."""
    from plait.evaluation.pool.bm25_lane import Bm25Lane
    from plait.evaluation.pool.ranking import rank
    from plait.evaluation.pool.searching import top
    from plait.evaluation.systems import System, baselines

    size = candidates // 5 if shape == "tokens" else candidates
    queries = queries // 10 if shape == "fused" else queries
    clock = _Clock(shape, size, queries)
    lane = _lane(folder, size, queries, *((8, 64) if shape == "tokens" else (1, 768)))
    clock.start()
    if shape != "fused":
        found = top(lane, np.arange(queries), k=K)
        clock.stop(f"the {K} best")
        clock.stop("a plain sort", _differing(System("text", ("text",)), [lane], found.places[:_CHECKED]))
        return clock.steps
    before = _memory_mb("VmRSS")
    words = Bm25Lane(_texts(size, seed=2), list(_texts(queries, seed=3, of_queries=True)))
    clock.stop("words counted", f"{(_memory_mb('VmRSS') - before) / size * 1e6:.0f} bytes a candidate")
    rank([System("BM25", ("bm25",))], [words, lane], k=K)
    clock.stop(f"BM25, the {K} best")
    together = [system for system in baselines(("bm25", "text")) if system.method]
    ranked = rank(together, [words, lane], k=K)
    clock.stop(" and ".join(system.name for system in together))
    for system in together:
        clock.stop(
            f"a plain sort, {system.name}",
            _differing(system, [words, lane], ranked[system.name].places[:_CHECKED]),
        )
    return clock.steps


class _Clock:
    """Keeps what each step took."""

    def __init__(self, pool: str, candidates: int, queries: int) -> None:
        self.steps: list[Step] = []
        self._about = (pool, candidates, queries)

    def start(self) -> None:
        self._begun = time.perf_counter()

    def stop(self, step: str, note: str = "") -> None:
        pool, candidates, queries = self._about
        seconds = time.perf_counter() - self._begun
        self.steps.append(Step(pool, step, candidates, queries, seconds, _memory_mb("VmHWM"), note))
        print(self.steps[-1], file=sys.stderr)
        self.start()


def to_markdown(steps: Sequence[Step]) -> str:
    head = f"| pool | candidates | queries | step | seconds | for {UNION / 1e6:.1f} M | peak MB | |"
    rows = [
        f"| {s.pool} | {s.candidates:,} | {s.queries:,} | {s.step} | {s.seconds:.0f} | "
        f"{s.seconds * UNION / s.candidates:,.0f} | {s.peak_mb:,.0f} | {s.note} |"
        for s in steps
    ]
    return "\n".join([head, "|---" * 8 + "|", *rows])


def _in_new_process(shape: str, folder: Path, candidates: int, queries: int) -> list[Step]:
    sizes = ["--candidates", str(candidates), "--queries", str(queries)]
    line = [
        sys.executable,
        "-m",
        "benchmarks.evaluation.pool",
        "--only",
        shape,
        "--here",
        str(folder),
        *sizes,
    ]
    told = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [Step(**step) for step in json.loads(told)]


def _check_space(folder: Path, candidates: int) -> None:
    needed, free = candidates * 768 * 2 * 1.3, shutil.disk_usage(folder).free
    if needed > free:
        sys.exit(f"{folder} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB are needed: set TMPDIR")


def _lane(folder: Path, size: int, queries: int, tokens: int, width: int) -> VectorLane:
    """Return a lane of random unit vectors; those of another shape's process are used again."""
    from plait.evaluation.pool.vector_lane import VectorLane

    pool, asked = folder / f"pool-{tokens}x{width}", folder / f"queries-{tokens}x{width}"
    for seed, (file, sides) in enumerate(((pool, size), (asked, queries))):
        if not file.exists():
            _make(file, sides * tokens, width, seed=seed)
    return VectorLane("text", _stored(asked, queries, tokens, width), [_stored(pool, size, tokens, width)])


def _make(file: Path, vectors: int, width: int, *, seed: int) -> None:
    draw = np.random.default_rng(seed)
    with file.open("wb") as stream:
        for start in range(0, vectors, _AT_ONCE):
            some = draw.standard_normal((min(_AT_ONCE, vectors - start), width), np.float32)
            some /= np.linalg.norm(some, axis=1, keepdims=True)
            stream.write(some.astype(np.float16).tobytes())


def _stored(file: Path, sides: int, tokens: int, width: int) -> Vectors:
    from plait.encode.side_vectors import Vectors

    return Vectors(
        numbers=np.memmap(file, np.float16, "r", shape=(sides * tokens, width)),
        starts=np.arange(sides + 1) * tokens,
        states=np.zeros(sides, np.int32),
        contents=np.zeros(sides, np.uint64),
    )


def _differing(system: System, lanes: Sequence[PoolLane], found: NDArray[np.int64]) -> str:
    """Return how far some queries' best candidates are not those by all lanes' scores of the whole pool."""
    size, differing = len(lanes[0]), 0
    parts = np.array_split(np.arange(size), max(1, size // _AT_ONCE))
    for query in range(len(found)):
        every = {one.name: np.concatenate([one.pairs(query, part) for part in parts]) for one in lanes}
        scores = system.scores(every)
        if scores is not None:
            order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")[:K]
            differing += int((order != found[query]).sum())
    return f"{differing} of {found.size} places differ"


def _texts(count: int, *, seed: int, of_queries: bool = False) -> Iterator[str]:
    """Yield texts whose words occur as words do: the n-th most frequent 1/n as often as the first."""
    draw = np.random.default_rng(seed)
    vocabulary = ["".join(chr(97 + n // 26**k % 26) for k in range(4)) + "o" for n in range(200_000)]
    upto = np.cumsum(1 / np.arange(1, len(vocabulary) + 1))
    for place in range(count):
        words = 8 if of_queries else 12 if place % 10 else 100
        for_words = np.searchsorted(upto, draw.random(words) * upto[-1])
        yield " ".join([vocabulary[word] for word in for_words.tolist()])


def _memory_mb(name: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
