"""Pools of candidates in files: checked and counted once, then read as a stream."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait.data.collections.pools import Candidate, Pool, bounded_problems
from plait.data.collections.tasks import first_of
from plait.data.collections.trec import Report
from plait.data.training.examples import BadRow, Side
from plait.data.training.fields import id_of, text_of
from plait.data.training.files import fingerprint
from plait.data.training.lines import Row
from plait.data.training.pictures import PictureFolder
from plait.errors import InputError

Watch = Callable[[Path], None]
Meet = Callable[[str, Mapping[str, Any]], None]
_DIGEST_BYTES = 16  # so many that equal digests are equal ids


@dataclass(frozen=True, slots=True)
class CandidateFiles:
    """Files of candidates, and how their rows are read.

    Attributes:
        form: of which benchmark they are, for fingerprints.
        files: read in this order.
        rows: yields the rows of a file.
        key: the field that holds the id, compared as a string.
        words: returns the words of a row, "" of none; an InputError leaves the row out.
        picture: the field that holds the address of a picture; "": candidates have words only.
        pictures: where addresses lead.
    """

    form: str
    files: Sequence[Path]
    rows: Callable[[Path], Iterator[Row | BadRow]]
    key: str
    words: Callable[[Mapping[str, Any]], str]
    picture: str = ""
    pictures: PictureFolder | None = None

    def candidates(self, report: Report, *, watch: Watch | None = None) -> Iterator[tuple[Row, Candidate]]:
        """Yield what can be read, ids as often as they come; one row is in memory at a time.

        A candidate whose picture is missing keeps its words, or nothing.
        """
        for file in self.files:
            if watch:
                watch(file)
            for row in self.rows(file):
                if isinstance(row, BadRow):
                    report(row.place, row.reason)
                    continue
                candidate, complaint = self._candidate(row)
                if complaint:
                    report(row.place, complaint)
                if candidate:
                    yield row, candidate

    def _candidate(self, row: Row) -> tuple[Candidate | None, str]:
        """Return the candidate of a row, None of none, and what is wrong with it, if anything."""
        try:
            name, words = id_of(row.values, self.key), self.words(row.values)
        except InputError as error:
            return None, str(error)
        try:
            side = Side(words, self._picture(row.values))
        except InputError as error:
            return Candidate(name, Side(words)), f"candidate {name!r}: {error}"
        complaint = "" if side else f"candidate {name!r} has neither words nor a picture: it is never found"
        return Candidate(name, side), complaint

    def _picture(self, values: Mapping[str, Any]) -> str:
        return self.pictures.find(text_of(values, self.picture)) if self.pictures and self.picture else ""


def read_pool(
    source: CandidateFiles,
    name: str,
    *,
    meet: Meet,
    strict: bool = False,
    watch: Watch | None = None,
) -> Pool:
    """Return the pool of some files, after reading them once from end to end.

    Memory grows by 16 bytes a candidate (twice that for a moment), and by none once the pool is there.
    Of an id that comes again, the first candidate counts.

    Args:
        meet: called with the id and the row of every candidate.
        watch: called with each file before it is read.

    Raises:
        InputError: there is no candidate; or `strict`, and something is wrong with one. Also of the
            pool's `read`, where the files were changed since.
    """
    problems, told, digests = bounded_problems(strict=strict), hashlib.sha256(), bytearray()
    state = _state(source.files)

    def report(place: str, message: str) -> None:
        told.update(f"{place}\0{message}\0".encode())
        problems.report(place, message)

    for row, candidate in source.candidates(report, watch=watch):
        digests += hashlib.blake2b(candidate.id.encode(), digest_size=_DIGEST_BYTES).digest()
        meet(candidate.id, row.values)
    repeated = _repeated(digests)
    if repeated is not None:
        _report_repeated(source, repeated, report)
    size = len(digests) // _DIGEST_BYTES - (0 if repeated is None else int(np.count_nonzero(repeated)))
    if not size:
        files = ", ".join(map(str, source.files))
        raise InputError(f"{files}: no candidate that can be used{first_of(problems)}")
    root = source.pictures.root if source.pictures else ""
    mark = fingerprint(source.form, root, told.hexdigest(), files=source.files)
    return Pool(name, size, mark, _Stream(source, repeated, state), problems)


@dataclass(frozen=True, slots=True)
class _Stream:
    """Reads a pool that was checked before.

    Attributes:
        repeated: True for the candidates that are left out, in the files' order; None: there are none.
        state: of the files when they were checked.
    """

    source: CandidateFiles
    repeated: NDArray[np.bool_] | None
    state: str

    def __call__(self) -> Iterator[Candidate]:
        self._check_unchanged()
        for number, (_, candidate) in enumerate(self.source.candidates(_known)):
            if self.repeated is None or not self.repeated[number]:
                yield candidate
        self._check_unchanged()

    def _check_unchanged(self) -> None:
        if _state(self.source.files) != self.state:
            files = ", ".join(map(str, self.source.files))
            raise InputError(
                f"{files}: changed since the candidates were counted: leave the files alone while they are "
                "searched, and begin again"
            )


def _state(files: Sequence[Path]) -> str:
    """Return what changes with the files, "" where one is gone."""
    try:
        return fingerprint(files=files)
    except OSError:
        return ""


def _repeated(digests: bytearray) -> NDArray[np.bool_] | None:
    """Return (N,) which ids an earlier candidate has; None where all are distinct."""
    halves = np.frombuffer(digests, np.uint64).reshape(-1, 2)
    first = np.sort(halves[:, 0])
    if not (first[1:] == first[:-1]).any():
        return None
    order = np.lexsort((halves[:, 1], halves[:, 0]))  # stable: of equal ones, the earlier candidate first
    again = order[1:][(halves[order[1:]] == halves[order[:-1]]).all(axis=1)]
    repeated = np.zeros(len(halves), np.bool_)
    repeated[again] = True
    return repeated


def _report_repeated(source: CandidateFiles, repeated: NDArray[np.bool_], report: Report) -> None:
    for number, (row, candidate) in enumerate(source.candidates(_known)):
        if repeated[number]:
            report(row.place, f"the id {candidate.id!r} is that of an earlier candidate, which counts")


def _known(place: str, message: str) -> None:
    """Pass over what was reported when the pool was checked."""
