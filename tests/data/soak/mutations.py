"""`python -m tests.data.soak.mutations --files 5000 --seed 1`: break files in many ways, and read them.

Every file must end as a document or as a reason, whatever was done to it: this process lives, no child
stays, and a reader's own mistake ("its parser failed") is a finding.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import re
import shutil
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.data.soak.seeds import seeds

from plait.data.readers.base import ReadLimits
from plait.data.readers.sandbox.pool import ReaderPool
from plait.errors import ReadError

LIMITS = ReadLimits(
    memory_mb=700,
    cpu_seconds=3,
    wall_seconds=60,
    max_pixels=4_000_000,
    max_file_mb=16,
    max_pages=20,
    max_unpacked_mb=20,
    max_attachments=20,
    page_dpi=20,
    figure_dpi=40,
    ocr="off",
)
_NUMBERS = (
    "0",
    "-1",
    "1",
    "255",
    "65536",
    "2147483647",
    "4294967296",
    "99999999999999999999",
    "1e400",
    "nan",
)
_MISTAKES = ("its parser failed", "its parser gave", "its reader ended")


@dataclass(frozen=True, slots=True)
class Broken:
    """A file to read."""

    path: Path
    source: str
    root: Path


@dataclass(slots=True)
class Report:
    """What became of the files.

    Attributes:
        outcomes: format -> "read", or the reason with its numbers left out -> how many.
        findings: files that a reader's own mistake ended, with the reason.
        worst: seconds and name of the file that took longest.
    """

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    worst: tuple[float, str] = (0.0, "")
    seconds: float = 0.0

    def __str__(self) -> str:
        total = sum((Counter(one) for one in self.outcomes.values()), Counter())
        lines = [
            f"{sum(total.values())} files in {self.seconds:.0f} s; "
            f"the slowest took {self.worst[0]:.1f} s ({self.worst[1]})",
        ]
        lines += [f"  {count:5} {what}" for what, count in total.most_common()]
        shares = (
            f"{kind} {100 * one['read'] // max(1, one.total())} %"
            for kind, one in sorted(self.outcomes.items())
        )
        lines += ["read all the same: " + ", ".join(shares)]
        return "\n".join([*lines, f"{len(self.findings)} findings", *self.findings])


def soak(files: int, seed: int, folder: Path, *, keep: Path | None = None, workers: int = 2) -> Report:
    """Break so many files and read them.

    Args:
        seed: the same files for the same number.
        folder: an empty folder to work in.
        keep: where to copy files that are findings.
    """
    inside, spool = folder / "inside", folder / "spool"
    inside.mkdir()
    spool.mkdir()
    report, started = Report(), time.monotonic()
    before = started
    with ReaderPool(workers, LIMITS, [inside]) as pool:
        for outcome in pool.read_many(written(files, seed, inside), spool=spool):
            failed = isinstance(outcome.result, ReadError)
            what = reason_of(outcome.result) if isinstance(outcome.result, ReadError) else "read"
            if outcome.is_last:
                kind = outcome.item.path.suffix
                report.outcomes.setdefault(kind, Counter())[what] += 1
            if failed and what.startswith(_MISTAKES):
                report.findings.append(f"{outcome.source}: {outcome.result.reason}")  # type: ignore[union-attr]
                if keep is not None:
                    shutil.copy(outcome.path, keep)
            now = time.monotonic()
            report.worst, before = max(report.worst, (now - before, outcome.source)), now
            shutil.rmtree(outcome.spool)
            if outcome.is_last:
                outcome.path.unlink()
    report.seconds = time.monotonic() - started
    return report


def reason_of(error: ReadError) -> str:
    return re.sub(r"\d[\d.,]*", "N", re.sub(r"\(.*", "", error.reason)).strip()[:80]


def written(files: int, seed: int, folder: Path) -> Iterator[Broken]:
    """Write broken files, format after format in turn."""
    good = list(seeds().items())
    for number in range(files):
        rng = random.Random(f"{seed}/{number}")
        name, data = good[number % len(good)]
        path = folder / f"{number:05}-{name}"
        path.write_bytes(broken(data, rng, [other for _, other in good]))
        yield Broken(path, path.name, folder)


def broken(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Return the content with one to four changes; of an archive, half of the time to a member."""
    if data[:2] == b"PK" and rng.random() < 0.5:
        return in_member(data, rng, others)
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = changed(data, rng, others)
    return data


def in_member(archive: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(buffer, "w") as new:
        names = [name for name in old.namelist() if old.getinfo(name).file_size]
        chosen = rng.choice(names)
        for name in names:
            data = old.read(name)
            new.writestr(name, changed(data, rng, others) if name == chosen else data)
    return buffer.getvalue()


def changed(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Return the content with one change: bits, a cut, a splice, a repetition, a number, a swap."""
    if not data:
        return data
    at = rng.randrange(len(data))
    end = min(len(data), at + rng.choice((1, 2, 4, 16, 64, 512)))
    match rng.randrange(9):
        case 0:
            return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        case 1:
            noisy = bytearray(data)
            for _ in range(rng.choice((4, 40, 400))):
                noisy[rng.randrange(len(noisy))] = rng.randrange(256)
            return bytes(noisy)
        case 2:
            return data[:at]
        case 3:
            return data[:at] + data[end:]
        case 4:
            other = rng.choice(others)
            start = rng.randrange(len(other))
            return data[:at] + other[start : start + rng.choice((8, 64, 1024))] + data[at:]
        case 5:
            return data[:at] + data[at:end] * rng.choice((2, 10, 300)) + data[end:]
        case 6:
            numbers = list(re.finditer(rb"\d+", data))
            if not numbers:
                return data[:at] + rng.choice((b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff")) + data[at + 4 :]
            found = rng.choice(numbers)
            return data[: found.start()] + rng.choice(_NUMBERS).encode() + data[found.end() :]
        case 7:
            return (
                data[:at]
                + rng.choice((b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0"))
                + data[at + 4 :]
            )
        case _:
            middle = rng.randrange(at, len(data))
            return data[:at] + data[middle:] + data[at:middle]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="copy files here that a reader's own mistake ended")
    asked = parser.parse_args()
    if asked.keep is not None:
        asked.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        report = soak(asked.files, asked.seed, Path(scratch), keep=asked.keep, workers=os.cpu_count() or 1)
    print(report)
    return bool(report.findings)


if __name__ == "__main__":
    sys.exit(main())
