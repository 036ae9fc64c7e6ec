"""Makes the collections that the engines are measured on, and keeps them in the cache."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.search import synthetic
from benchmarks.search.collection import GROUPS, Collection, K, write
from benchmarks.search.truth import tenth_best

ADDED = 1_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """Which collection it is.

    Attributes:
        data: "synthetic" or "real".
        documents, queries: how many.
        seed: of everything that is drawn.
    """

    data: str
    documents: int
    queries: int
    seed: int = 5


class TooFewError(RuntimeError):
    """There are not as many real documents; says how to get more."""


def collection(sizes: Sizes, cache: Path) -> Collection:
    """Return a collection, made first if the cache does not hold it.

    Raises:
        TooFewError: it is to be made of more real documents than there are.
    """
    folder = cache / "search" / f"{sizes.data}-{sizes.documents}-{sizes.queries}-{sizes.seed}"
    if not (folder / "sizes.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        SOURCES[sizes.data](folder, sizes, cache)
        _finish(folder, sizes)
    return Collection(folder)


def _synthetic(folder: Path, sizes: Sizes, cache: Path) -> None:
    source = synthetic.Synthetic(sizes.documents, seed=sizes.seed)
    write(folder / "documents.npy", source.blocks(), shape=(sizes.documents, source.tokens, source.width))
    np.save(folder / "added.npy", source.block(-(-sizes.documents // synthetic.BLOCK))[:ADDED])
    documents = Collection(folder).documents
    np.save(folder / "queries.npy", synthetic.queries(documents, sizes.queries, seed=sizes.seed)[0])


def _real(folder: Path, sizes: Sizes, cache: Path) -> None:
    """Take the first documents that `real.py` encoded, some of its queries, and the documents after those."""
    source = cache / "ret-vectors"
    needed = sizes.documents + ADDED
    there = np.load(source / "documents.npy", mmap_mode="r") if source.is_dir() else np.empty((0, 0, 0))
    if len(there) < needed:
        raise TooFewError(
            f"{len(there):,} real documents are encoded, {needed:,} are needed: "
            f"python -m benchmarks.search.real --documents {needed}"
        )
    firsts = range(0, sizes.documents, synthetic.BLOCK)
    blocks = (there[first : min(first + synthetic.BLOCK, sizes.documents)] for first in firsts)
    write(folder / "documents.npy", blocks, shape=(sizes.documents, *there.shape[1:]))
    np.save(folder / "added.npy", there[sizes.documents : needed])
    asked = np.load(source / "queries.npy")
    drawn = np.random.default_rng(sizes.seed).choice(len(asked), sizes.queries, replace=False)
    np.save(folder / "queries.npy", synthetic.unit(asked[np.sort(drawn)].astype(np.float32)))


SOURCES: dict[str, Callable[[Path, Sizes, Path], None]] = {"synthetic": _synthetic, "real": _real}


def _finish(folder: Path, sizes: Sizes) -> None:
    groups = np.random.default_rng(sizes.seed).integers(0, GROUPS, sizes.documents, dtype=np.uint8)
    np.save(folder / "groups.npy", groups)
    made = Collection(folder)
    np.save(folder / "truth.npy", tenth_best(made.documents, made.queries, made.groups, made.wanted, k=K))
    (folder / "sizes.json").write_text(json.dumps(asdict(sizes)) + "\n", encoding="utf-8")
