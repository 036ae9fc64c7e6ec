"""What the soak's writer does, step by step, and what must be stored after each: one seeded stream."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from tests.helpers.entries import make_entry, random_vectors

from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry
from plait.scoring.vectors import UnitVectors, VectorField

Kind = Literal["add", "update", "remove", "optimize", "compact"]
Stored = Mapping[str, int]  # document id -> the number of the step that stored it, which is its version

KINDS: tuple[Kind, ...] = ("add", "update", "remove", "optimize", "compact")
FIELDS = (
    VectorField("text", 32, 1, "passage", "text"),
    VectorField("ret", 32, 8, "unit", "joint"),
)
_NAMES = tuple(f"d{number:02}" for number in range(32))


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a writer.

    Attributes:
        documents: what it stores: id -> version.
        removed: ids it removes, some of which are not there.
    """

    kind: Kind
    documents: Stored
    removed: tuple[str, ...] = ()

    def after(self, stored: Stored) -> Stored:
        """Return what must be stored once the step is done."""
        kept = {name: version for name, version in stored.items() if name not in self.removed}
        return {**kept, **self.documents}

    def do(self, index: LanceIndex) -> None:
        if self.documents:
            index.add([entry(name, version) for name, version in self.documents.items()])
        elif self.removed:
            index.remove(self.removed)
        elif self.kind == "optimize":
            index.optimize()
        elif self.kind == "compact":
            index.optimize(keep_seconds=0)


def kind_of(seed: int, number: int) -> Kind:
    """Return what step `number` is: six of ten add or update."""
    return random.Random(f"{seed} {number}").choices(KINDS, (3, 3, 2, 1, 1))[0]


def step(seed: int, number: int, stored: Stored) -> Step:
    """Return step `number`, to be done when `stored` is there; the same whenever it is asked."""
    chance = random.Random(f"{seed} {number} {sorted(stored)}")
    kind = kind_of(seed, number)
    there, absent = sorted(stored), sorted(set(_NAMES) - set(stored))
    if kind == "remove":
        gone = chance.sample(there, min(len(there), chance.randint(1, 5)))
        return Step(kind, {}, (*gone, "nobody"))
    if kind == "add":
        chosen = chance.sample(absent, min(len(absent), chance.randint(1, 6)))
    elif kind == "update":
        chosen = chance.sample(there, min(len(there), chance.randint(1, 4))) + absent[: chance.randint(0, 1)]
    else:
        chosen = []
    return Step(kind, dict.fromkeys(chosen, number))


@cache
def entry(name: str, version: int) -> Entry:
    """Return a document in one of its versions: up to four units, some without vectors.

    Every unit holds the word `word_of(name, version)`, and its vectors are like no other's.
    """
    chance = random.Random(f"{name} {version}")
    texts = [f"{word_of(name, version)} unit {ordinal}" for ordinal in range(chance.randint(0, 4))]
    made = make_entry(name, texts, metadata={"version": version}, figures=chance.randint(0, 2))
    vectors = tuple(
        UnitVectors(
            {
                field.name: random_vectors(chance.randint(0, 3), field, chance.getrandbits(32))
                for field in FIELDS
                if chance.random() < 0.9
            }
        )
        for _ in texts
    )
    return replace(made, vectors=vectors)


def word_of(name: str, version: int) -> str:
    """Return the word that this version of this document alone holds."""
    return f"{name}v{version}"
