"""The most memory that reading 10,000 pages takes: as one PDF, and as many, through a pool of one child.

    OMP_NUM_THREADS=1 python -m benchmarks.reading.memory [--pages N] [--dpi N] [--write NAME]

The pages are those of LaTeX manuals where the package texlive-science-doc is in the cache (see
benchmarks.real_input.fetch), otherwise of the two-column sample, over and over. Each way runs in a new
process that does nothing but read: no encoder, no index. Memory is resident; it is looked at 20 times a
second. Pages that parent and child share count for both.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

import pypdfium2

from benchmarks.measuring import TreePeak, keep_table

RESULTS = Path(__file__).parents[1] / "results"
_WAYS = {"one": "one PDF", "many": "many PDFs"}


@dataclass(frozen=True, slots=True)
class Peak:
    """What reading some pages took.

    Attributes:
        what: how the pages were given.
        file_mb: size of the files.
        parent_mb, child_mb: the most that each process had resident.
        both_mb: the most that both had at one time.
    """

    what: str
    files: int
    pages: int
    failed: int
    file_mb: float
    parent_mb: float
    child_mb: float
    both_mb: float
    seconds: float


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--pages", type=int, default=10_000)
    options.add_argument("--dpi", type=int, default=90, help="of page images; default: %(default)s")
    options.add_argument("--ways", default=",".join(_WAYS), help="default: %(default)s")
    options.add_argument("--write", metavar="NAME", help="keep results/reading-NAME.json and .md")
    options.add_argument("--read", nargs=2, metavar=("WAY", "LIST"), help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.read:
        way, listed = asked.read
        files = [Path(line) for line in Path(listed).read_text(encoding="utf-8").splitlines()]
        print(json.dumps(asdict(measured(_WAYS[way], files, dpi=asked.dpi))))
        return
    peaks = []
    with tempfile.TemporaryDirectory(prefix="plait-memory-") as folder:
        for way in asked.ways.split(","):
            files = _files(way, asked.pages, Path(folder))
            peaks.append(_in_new_process(way, files, asked.dpi, Path(folder)))
            print(_line(peaks[-1]), file=sys.stderr)
    print(to_markdown(peaks))
    if asked.write:
        keep_table(peaks, to_markdown(peaks), RESULTS / f"reading-{asked.write}.json")


def measured(what: str, files: Sequence[Path], *, dpi: int) -> Peak:
    """Read files one after the other through a pool of one child, and drop what was read."""
    # Only now: the process that makes the files needs none of it.
    from benchmarks.reading.speed_items import Item
    from plait.data.readers.base import ReadLimits
    from plait.data.readers.sandbox.pool import ReaderPool
    from plait.schema import Document

    items = [Item(path, f"{number}/{path.name}", path.parent) for number, path in enumerate(files)]
    pages = failed = 0
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="plait-spool-") as spool,
        Watch() as watch,
        ReaderPool(1, ReadLimits(page_dpi=dpi)) as pool,
    ):
        for outcome in pool.read_many(items, spool=spool):
            if isinstance(outcome.result, Document):
                pages += len(outcome.result.pages)
            else:
                failed += 1
                print(outcome.result, file=sys.stderr)
            shutil.rmtree(outcome.spool, ignore_errors=True)
    return Peak(
        what=what,
        files=len(files),
        pages=pages,
        failed=failed,
        file_mb=sum(path.stat().st_size for path in files) / 1e6,
        parent_mb=watch.parent_mb,
        child_mb=watch.child_mb,
        both_mb=watch.peak_mb,
        seconds=time.perf_counter() - started,
    )


class Watch(TreePeak):
    """Looks at the memory of this process and of its children, apart, while a `with` block runs (Linux).

    Attributes:
        parent_mb, child_mb: the most that this process, and any one child, had resident.
    """

    def __init__(self) -> None:
        super().__init__()
        self.parent_mb = self.child_mb = 0.0

    def _look(self, resident_mb: Sequence[float]) -> None:
        super()._look(resident_mb)
        own, *children = resident_mb
        self.parent_mb = max(self.parent_mb, own)
        self.child_mb = max(self.child_mb, *children, 0.0)


def _files(way: str, pages: int, folder: Path) -> list[Path]:
    """Return files that have so many pages together: the material over and over, or one file of it all."""
    from benchmarks.reading.speed_material import MATERIAL

    material = MATERIAL["latex"](folder) or MATERIAL["sample"](folder)
    files: list[Path] = []
    count = 0
    for item in cycle(material.items if material is not None else ()):
        if count >= pages:
            break
        files.append(item.path)
        with pypdfium2.PdfDocument(item.path) as pdf:
            count += len(pdf)
    return [_joined(files, pages, folder / "one.pdf")] if way == "one" else files


def _joined(files: Sequence[Path], pages: int, target: Path) -> Path:
    """Write the pages of files into one."""
    with pypdfium2.PdfDocument.new() as whole:
        for file in files:
            with pypdfium2.PdfDocument(file) as pdf:
                whole.import_pages(pdf, list(range(min(len(pdf), pages - len(whole)))))
        whole.save(target)
    return target


def _in_new_process(way: str, files: Sequence[Path], dpi: int, folder: Path) -> Peak:
    listed = folder / "files.txt"
    listed.write_text("\n".join(map(str, files)) + "\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "benchmarks.reading.memory",
        "--dpi",
        str(dpi),
        "--read",
        way,
        str(listed),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Peak(**json.loads(done.stdout))


def to_markdown(peaks: Sequence[Peak]) -> str:
    """Return a table, a row for each way."""
    head = "| read | files | MB of files | pages | parent, MB | child, MB | at once, MB | seconds | failed |"
    return "\n".join([head, "|---" * 9 + "|", *map(_line, peaks)])


def _line(peak: Peak) -> str:
    sizes = " | ".join(f"{size:.0f}" for size in (peak.parent_mb, peak.child_mb, peak.both_mb, peak.seconds))
    return f"| {peak.what} | {peak.files} | {peak.file_mb:.0f} | {peak.pages} | {sizes} | {peak.failed} |"


if __name__ == "__main__":
    main()
