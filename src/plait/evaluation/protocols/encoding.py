"""Vectors of pools and of tasks' queries on disk: made once for a model, whatever interrupts it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plait.data.collections.pools import Pool, PoolQuery
from plait.data.locking import locked
from plait.data.training.examples import Side
from plait.data.whole_files import whole
from plait.encode.side_vectors import CHUNK, NOTHING, WITHOUT_PICTURE, VectorFile, Vectors
from plait.encode.sides import Role
from plait.errors import InputError
from plait.evaluation.protocols.side_encoders import SideEncoder, asked_side

Watch = Callable[[str, int, int], None]  # what is done, how many are, and how many there are

_FORMAT = 1  # goes up with what is stored for the same sides and model
_FACTS = "facts.json"
_SHORT = 16  # hex digits of a fingerprint in a folder's name; the whole one is in its facts


@dataclass(frozen=True, slots=True)
class Unread:
    """How many sides a model could not read whole.

    Attributes:
        without_picture: read by their words alone.
        nothing: not read at all, so never found.
    """

    without_picture: int = 0
    nothing: int = 0


class VectorStore:
    """Everything one encoder made, below one folder: a folder for each pool and for each task's queries.

    Args:
        folder: made where it is not there.
        name: of the model, for people.
        watch: told how far the encoding is.
        say: told of folders that hold something else and are begun anew.
    """

    def __init__(
        self, folder: Path, name: str, encoder: SideEncoder, *, watch: Watch, say: Callable[[str], None]
    ) -> None:
        self._folder = folder / f"{slug(name)}-{encoder.fingerprint[:_SHORT]}"
        self._name, self._encoder = name, encoder
        self._watch, self._say = watch, say

    @property
    def fingerprint(self) -> str:
        """The encoder's."""
        return self._encoder.fingerprint

    def pool(self, pool: Pool) -> Mapping[str, Vectors]:
        """Return lane -> the vectors of a pool's candidates."""

        def read(start: int) -> Iterator[Side]:
            return (candidate.side for candidate in islice(pool.read(), start, None))

        name = f"{slug(pool.name)}-{pool.fingerprint[:_SHORT]}"
        what = f"{pool.name}: candidates by {self._name}"
        return self._stored(name, read, "document", total=pool.size, made_of=pool.fingerprint, what=what)

    def queries(self, task: str, queries: Sequence[PoolQuery]) -> Mapping[str, Vectors]:
        """Return lane -> the vectors of a task's queries."""
        sides = [asked_side(query, instructed=self._encoder.instructed) for query in queries]
        made_of = digest((side.text, side.image) for side in sides)
        name = f"{slug(task)}-queries-{made_of[:_SHORT]}"
        what = f"{task}: queries by {self._name}"
        return self._stored(
            name, lambda start: iter(sides[start:]), "query", total=len(sides), made_of=made_of, what=what
        )

    def _stored(
        self,
        name: str,
        read: Callable[[int], Iterator[Side]],
        role: Role,
        *,
        total: int,
        made_of: str,
        what: str,
    ) -> Mapping[str, Vectors]:
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder, doing="encoding into", instead="another --work"):
            self._check_is_of(folder, made_of, total)
            return self._encoded(folder, read, role, total=total, what=what)

    def _check_is_of(self, folder: Path, made_of: str, total: int) -> None:
        """Remove what a folder holds if it was made of something else, or by another model."""
        facts = {
            "format": _FORMAT,
            "model": self.fingerprint,
            "made_of": made_of,
            "total": total,
        }
        file = folder / _FACTS
        if _facts_in(file) != facts:
            old = [*folder.glob("*.vectors"), *folder.glob("*.sides")]
            if old:
                self._say(f"{folder} was made of other files or by another model: begun anew")
            for one in old:
                one.unlink()
            with whole(file) as part:
                part.write_text(json.dumps(facts), encoding="utf-8")

    def _encoded(
        self, folder: Path, read: Callable[[int], Iterator[Side]], role: Role, *, total: int, what: str
    ) -> Mapping[str, Vectors]:
        """Return the vectors; chunks that every lane has are not computed again."""
        files = {
            lane: VectorFile(folder, lane, width=width, total=total)
            for lane, width in self._encoder.widths.items()
        }
        begun = min(len(file) for file in files.values())
        sides = read(begun)
        for start in range(begun, total, CHUNK):
            self._watch(what, start, total)
            chunk = list(islice(sides, CHUNK))
            if len(chunk) < min(CHUNK, total - start):
                raise InputError(f"{what}: {start + len(chunk)} of {total} were read; did the files change?")
            found = self._encoder.encode(chunk, role)
            for lane, file in files.items():
                if len(file) <= start:  # a kill between two lanes leaves one of them ahead
                    file.append(found[lane])
        self._watch(what, total, total)
        return {lane: file.read() for lane, file in files.items()}


def unread(vectors: Vectors, rows: NDArray[np.int64] | None = None) -> Unread:
    """Return how many of some sides, or of some rows of them, were not read whole."""
    counts = np.bincount(vectors.states if rows is None else vectors.states[rows], minlength=3)
    return Unread(int(counts[WITHOUT_PICTURE]), int(counts[NOTHING]))


def digest(parts: Iterable[object]) -> str:
    """Return a hash of some values, by their `repr`."""
    told = hashlib.sha256()
    for part in parts:
        told.update(repr(part).encode("utf-8", "surrogatepass") + b"\n")
    return told.hexdigest()


def slug(name: str) -> str:
    """Return a name as a folder can have it; different names may give the same."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.")[-60:] or "unnamed"


def _facts_in(file: Path) -> object:
    """Return what was written of a folder; None where nothing readable was."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
