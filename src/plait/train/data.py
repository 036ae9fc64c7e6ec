"""Training sources as one dataset on disk, which trainers read a row at a time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from plait.data.training.arrow import SCHEMA, Watch, write_examples
from plait.data.training.examples import TrainingSource
from plait.data.training.files import Fingerprinted, check_names
from plait.data.training.report import ReadReport
from plait.errors import InputError, PlaitError
from plait.extras import require

_ROWS, _REPORT = "rows.arrow", "report.json"
_FORMAT = 1  # goes up with what is written for the same rows
_WATCHED_EVERY = 500


def to_dataset(
    sources: Sequence[TrainingSource],
    cache_folder: str | Path,
    *,
    max_bad_share: float = 0.1,
    strict: bool = False,
    fresh: bool = False,
    progress: bool = True,
) -> tuple[Any, ReadReport]:
    """Return the examples of all sources as a `datasets.Dataset`, and what became of their rows.

    Columns: query {"text", "image"}; documents, a list of these; label, "" of none; grades and teacher,
    lists of real numbers, empty of none; id; source. Pictures are absolute paths. Rows lie on disk, in
    the order of the sources; writing them takes 8 bytes of memory a row beside what the sources hold.

    The next call with the same settings and files finds them in the cache, and so does another process
    that waited meanwhile. Pictures do not count: where they were moved or replaced, ask for a fresh one.
    A source that cannot tell whether it changed is read anew each time.

    Args:
        cache_folder: made where missing; each mix of sources has a folder in it, which may be deleted.
        max_bad_share: of the rows that may be bad, in [0, 1].
        strict: an id that a source has twice is an error.
        fresh: read the files again in any case.
        progress: show on standard error, where that is a terminal, how many rows were read.

    Raises:
        InputError: no rows that can be used, more bad ones than allowed, all positives the same, or
            with `strict`, repeated ids; sources of one name.
        PlaitError: the disk is full, or a file cannot be read or written.
        MissingExtraError: `datasets` is not installed.
    """
    require("datasets")
    check_names(sources)
    folder, key = Path(cache_folder), _key(sources)
    target = folder / (key or "unfingerprinted-" + _hashed([source.name for source in sources]))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            found = None if fresh or key is None else _opened(target)
            if found is None:
                _write(sources, target, progress=progress)
                found = _opened(target)
    except PlaitError:
        raise
    except OSError as error:
        raise PlaitError(
            f"the training data could not be read, or written to {folder} ({error}): see that its disk has "
            "room, and that files may be read and written, then start again"
        ) from error
    assert found is not None  # it was written a moment ago, under the lock
    dataset, report = found
    _check(report, max_bad_share=max_bad_share, strict=strict)
    return dataset, report


def _key(sources: Sequence[TrainingSource]) -> str | None:
    """Return a name for the rows these sources give now; None where one cannot tell."""
    prints = [source.fingerprint() for source in sources if isinstance(source, Fingerprinted)]
    return None if len(prints) < len(sources) or None in prints else _hashed((_FORMAT, prints))


def _hashed(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:32]


def _opened(target: Path) -> tuple[Any, ReadReport] | None:
    """Return what a folder of the cache holds; None where it is not there, or not whole."""
    datasets = require("datasets")
    try:
        report = ReadReport.from_dict(json.loads((target / _REPORT).read_text()))
        # An empty one cannot be opened: there is no batch of rows in its file.
        dataset = (
            datasets.Dataset.from_file(str(target / _ROWS))
            if report.rows
            else datasets.Dataset(SCHEMA.empty_table())
        )
    except (OSError, ValueError, LookupError, TypeError):  # Arrow's own errors are among these
        return None
    return (dataset, report) if len(dataset) == report.rows else None


def _write(sources: Sequence[TrainingSource], target: Path, *, progress: bool) -> None:
    """Write the rows into a folder that has its name only once it is whole."""
    part = target.with_name(f"{target.name}.partial")
    shutil.rmtree(part, ignore_errors=True)  # of a process that was killed
    part.mkdir()
    try:
        with _watching(progress) as watch:
            report = write_examples(sources, part / _ROWS, watch=watch)
        (part / _REPORT).write_text(json.dumps(report.to_dict(), indent=1))
        for name in (_ROWS, _REPORT):
            _settle(part / name)
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _settle(file: Path) -> None:
    """Wait until a file is on the disk: a crash must not leave its name with less in it."""
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())


@contextmanager
def _watching(progress: bool) -> Iterator[Watch]:
    """Give what shows a count of rows while they are read."""
    bars = require("tqdm")
    with bars.tqdm(unit=" rows", disable=None if progress else True, dynamic_ncols=True) as bar:

        def watch(source: str, good: int, bad: int) -> None:
            if (good + bad) % _WATCHED_EVERY == 0:
                bar.set_description_str(f"{source}, {bad:,} left out", refresh=False)
                bar.update(good + bad - bar.n)

        yield watch


def _check(report: ReadReport, *, max_bad_share: float, strict: bool) -> None:
    if not report.rows:
        raise InputError(f"no row can be used for training:\n{report}")
    if report.bad_share > max_bad_share:
        raise InputError(
            f"{report.bad:,} of {report.rows + report.bad:,} rows cannot be used, more than the "
            f"{max_bad_share:.1%} allowed: repair them, or allow more with max_bad_share\n{report}"
        )
    if report.entities < 2:
        raise InputError(
            f"all {report.rows:,} rows have the same label or relevant document: expected several, for a "
            "model learns by telling them apart"
        )
    if strict and report.repeated_ids:
        raise InputError(
            f"{report.repeated_ids:,} rows have the id of an earlier one: give each its own, or leave "
            f"`strict` out\n{report}"
        )
