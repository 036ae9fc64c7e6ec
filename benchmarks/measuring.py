"""What the benchmarks share: peak memory of a process tree, what an `add` costs, and on which machine."""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from plait.evaluation.manifest import processor

if TYPE_CHECKING:
    from plait import Library

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class TreePeak:
    """Watches the memory of this process and all its children while a `with` block runs (Linux).

    Attributes:
        peak_mb: largest sum of resident sizes seen. Pages that processes share are counted for each,
            so the true peak is lower, never higher, but for spikes between two looks.
    """

    def __init__(self, *, every_seconds: float = 0.05) -> None:
        self.peak_mb = 0.0
        self._every_seconds = every_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> TreePeak:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self._look([resident_bytes(process) / 1e6 for process in tree(os.getpid())])
            if self._over.wait(self._every_seconds):
                return

    def _look(self, resident_mb: Sequence[float]) -> None:
        """Take in the sizes of this process and of each of its descendants."""
        self.peak_mb = max(self.peak_mb, sum(resident_mb))


def tree(process: int) -> list[int]:
    """Return the ids of a process and all its descendants."""
    found = [process]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except OSError:  # ended while we looked
                continue
    return found


def resident_bytes(process: int) -> int:
    """Return the resident size of a process, 0 if it has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def own_bytes(process: int) -> int:
    """Return what of a process's resident size is its own, without the files it maps; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))
    except OSError:
        return 0


@dataclass(frozen=True, slots=True)
class AddCost:
    """What adding some files took.

    Attributes:
        seconds: wall time, loading the model included.
        peak_mb: of this process and its readers, see `TreePeak`.
        bytes_on_disk: of the whole library folder, pictures included.
        bytes_of_pictures: of the pictures in it.
        failed: "file: reason".
    """

    documents: int
    units: int
    figures: int
    seconds: float
    documents_per_second: float
    peak_mb: float
    bytes_on_disk: int
    bytes_of_pictures: int
    bytes_per_document: int
    failed: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "failed": list(self.failed)}

    def __str__(self) -> str:
        pictures = self.bytes_of_pictures / max(1, self.documents)
        return (
            f"{self.documents} documents, {self.units} units, {self.figures} figures in "
            f"{self.seconds / 60:.1f} minutes: {self.documents_per_second:.1f} documents/s, "
            f"peak memory {self.peak_mb:.0f} MB, {self.bytes_per_document / 1e3:.0f} kB a document on disk "
            f"({pictures / 1e3:.0f} kB of it pictures); {len(self.failed)} failed"
        )


def measure_add(library: Library, paths: Sequence[Path]) -> AddCost:
    """Return what it costs to add files to an empty library."""
    with TreePeak() as memory:
        started = time.perf_counter()
        report = library.add(paths, progress=_Counter())
        seconds = time.perf_counter() - started
    pictures = sum(file.stat().st_size for file in (library.folder / "pictures").glob("*/*"))
    on_disk = library.status().bytes_on_disk
    return AddCost(
        documents=report.added,
        units=report.units,
        figures=report.figures,
        seconds=seconds,
        documents_per_second=report.added / seconds,
        peak_mb=memory.peak_mb,
        bytes_on_disk=on_disk,
        bytes_of_pictures=pictures,
        bytes_per_document=on_disk // max(1, report.added),
        failed=tuple(f"{Path(failure.source).name}: {failure.reason}" for failure in report.failed),
    )


def machine() -> dict[str, Any]:
    """Return what the numbers depend on: processor, cores, versions, and how busy it was."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": os.environ.get("OMP_NUM_THREADS", "default"),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: version(name) for name in ("plait", "torch", "numpy", "lancedb", "pypdfium2")},
    }


def described(on: dict[str, Any]) -> str:
    """Return `machine()` as a line of text."""
    return (
        f"{on['processor']}, {on['cores']} cores, load {on['load']} at the end, Python {on['python']}, "
        f"plait {on['plait']}, torch {on['torch']}"
    )


class _Counter:
    """Prints how many files are done, on one line."""

    def __call__(self, event: Any) -> None:
        if event.done % 10 == 0 or event.done == event.total:
            end = "\n" if event.done == event.total else ""
            print(f"\radded {event.done} of {event.total}", end=end, file=sys.stderr, flush=True)


def keep_table(rows: Sequence[Any], table: str, file: Path, **settings: Any) -> None:
    """Write results (dataclasses) as JSON, and their table as Markdown, with machine and settings."""
    on = machine()
    found = {"machine": on, **settings, "rows": [asdict(row) for row in rows]}
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    file.with_suffix(".md").write_text(f"{table}\n\n{described(on)}\n", encoding="utf-8")
