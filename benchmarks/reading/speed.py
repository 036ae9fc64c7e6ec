"""How fast files are read: pages or files for each second of CPU time, in one process and through the pool.

    OMP_NUM_THREADS=1 python -m benchmarks.reading.speed [--only NAME,NAME] [--rounds N] [--write NAME]

The files are those of benchmarks.reading.speed_material: real manuals from the cache of
benchmarks.real_input.fetch where they are there, and files made on the spot. PDFs are read twice, without
page images and with them at 90 dpi; figures are cut out at 150 dpi in both. "in process" is read_in_process;
"pool" is ReaderPool with one child, whose start and whose messages count. CPU time of both processes is
compared; the median of some rounds is told.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from benchmarks.measuring import keep_table
from benchmarks.reading.speed_items import Item, Material
from benchmarks.reading.speed_material import MATERIAL
from plait.data.readers.base import ReadLimits
from plait.data.readers.dispatch import read_in_process
from plait.data.readers.sandbox.pool import ReaderPool
from plait.errors import ReadError
from plait.schema import Document

RESULTS = Path(__file__).parents[1] / "results"


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast some files were read.

    Attributes:
        what: the files, and how they were read.
        unit: what is counted, "pages" or "files".
        count: how many of them there are.
        in_process: of them a CPU-second, in one process.
        pool: of them a CPU-second of this process and its child.
        pool_wall: of them a second on the clock, so.
        kilobytes: of an average file.
        failed: how many files could not be read.
    """

    what: str
    unit: str
    files: int
    kilobytes: float
    count: int
    in_process: float
    pool: float
    pool_wall: float
    failed: int


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--only", default=",".join(MATERIAL), help="some of: %(default)s")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--write", metavar="NAME", help="keep results/reading-NAME.json and .md")
    asked = options.parse_args()
    paces: list[Pace] = []
    with tempfile.TemporaryDirectory(prefix="plait-speed-") as folder:
        for name in asked.only.split(","):
            material = MATERIAL[name](Path(folder))
            if material is None:
                print(f"{name} is not in the cache: see benchmarks.real_input.fetch", file=sys.stderr)
                continue
            paces += measured(material, rounds=asked.rounds)
            print(_line(paces[-1]), file=sys.stderr)
    print(to_markdown(paces))
    if asked.write:
        keep_table(paces, to_markdown(paces), RESULTS / f"reading-{asked.write}.json")


def measured(material: Material, *, rounds: int) -> list[Pace]:
    """Return the pace of some files; of PDFs without page images and with them."""
    if material.unit == "files":
        return [_pace(material, material.name, ReadLimits(), rounds)]
    return [
        _pace(material, f"{material.name}, no page images", ReadLimits(page_dpi=0), rounds),
        _pace(material, f"{material.name}, page images at 90 dpi", ReadLimits(page_dpi=90), rounds),
    ]


def _pace(material: Material, what: str, limits: ReadLimits, rounds: int) -> Pace:
    read_alone(material.items[:1], limits)  # imports what is needed
    alone = [read_alone(material.items, limits) for _ in range(rounds)]
    pooled = [read_pooled(material.items, limits) for _ in range(rounds)]
    count, failed = _counted(alone[0].documents, material.unit)
    return Pace(
        what=what,
        unit=material.unit,
        files=len(material.items),
        kilobytes=mean(item.path.stat().st_size for item in material.items) / 1e3,
        count=count,
        in_process=count / median(one.cpu_seconds for one in alone),
        pool=count / median(one.cpu_seconds for one in pooled),
        pool_wall=count / median(one.wall_seconds for one in pooled),
        failed=failed,
    )


@dataclass(frozen=True, slots=True)
class Round:
    """What reading some files once took."""

    documents: tuple[Document | ReadError, ...]
    cpu_seconds: float
    wall_seconds: float


def read_alone(items: Sequence[Item], limits: ReadLimits) -> Round:
    """Read files in this process."""
    return _timed(lambda spool: [_read(item, limits, spool) for item in items])


def read_pooled(items: Sequence[Item], limits: ReadLimits) -> Round:
    """Read files through a pool of one child."""

    def run(spool: Path) -> list[Document | ReadError]:
        with ReaderPool(1, limits) as pool:
            return [one.result for one in pool.read_many(items, spool=spool) if one.is_last]

    return _timed(run)


def _read(item: Item, limits: ReadLimits, spool: Path) -> Document | ReadError:
    try:
        return read_in_process(item.path, source=item.source, root=item.root, spool=spool, limits=limits)
    except ReadError as error:
        return error


def _timed(run: Callable[[Path], list[Document | ReadError]]) -> Round:
    spool = Path(tempfile.mkdtemp(prefix="plait-spool-"))
    try:
        cpu, wall = _cpu_seconds(), time.perf_counter()
        documents = run(spool)
        return Round(tuple(documents), _cpu_seconds() - cpu, time.perf_counter() - wall)
    finally:
        shutil.rmtree(spool)


def _cpu_seconds() -> float:
    """Return the CPU time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _counted(documents: Sequence[Document | ReadError], unit: str) -> tuple[int, int]:
    """Return how many pages or files were read, and how many files were not."""
    read = [document for document in documents if isinstance(document, Document)]
    count = sum(len(document.pages) for document in read) if unit == "pages" else len(read)
    return count, len(documents) - len(read)


def to_markdown(paces: Sequence[Pace]) -> str:
    """Return a table, a row for each way of reading."""
    head = "| read | files | kB each | count | in process, /CPU s | pool, /CPU s | pool, /s | failed |"
    return "\n".join([head, "|---" * 8 + "|", *map(_line, paces)])


def _line(pace: Pace) -> str:
    rates = " | ".join(f"{rate:.1f}" for rate in (pace.in_process, pace.pool, pace.pool_wall))
    files = f"{pace.files} | {pace.kilobytes:.0f} | {pace.count} {pace.unit}"
    return f"| {pace.what} | {files} | {rates} | {pace.failed} |"


if __name__ == "__main__":
    main()
