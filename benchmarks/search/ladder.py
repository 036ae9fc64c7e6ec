"""How much smaller token vectors can be kept, and what of the exact ten nearest is found among them.

    python -m benchmarks.search.real --documents 10000 --queries 1000
    python -m benchmarks.search.ladder [--documents 10000] [--queries 500] [--vectors FOLDER] [--write NAME]

Rungs are those that a library can keep (`PLAIT_VECTORS`). Queries stay as they are, but for their width where
that of the documents is cut. "rescored" ranks the best so many of a rung by the float16 vectors, which then
have to be kept too, on disk. The ten nearest are those of float32 products with the float16 vectors.

First tokens and first numbers of each vector are what a model trained with Matryoshka is for; the vectors of
`real.py` come from one that was not. Principal directions are those of the documents' own tokens.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import described, machine
from benchmarks.search.truth import maxsim
from plait.scoring.keeping import kept, restored
from plait.scoring.vectors import Rung, Vectors

K = 10
RESCORED = (50, 100, 500)
VECTORS = Path.home() / ".cache" / "plait-benchmarks" / "ret-vectors"
RESULTS = Path(__file__).parents[1] / "results"
_AT_ONCE = 1000  # documents
_TIES = 1e-5  # float32 sums in another order differ by less


@dataclass(frozen=True, slots=True)
class Form:
    """A way to keep the documents, and what is done to queries.

    Attributes:
        bytes: a document.
        documents: (n, T, d) -> what is left of them in float32.
        queries: the same for queries.
    """

    name: str
    bytes: float
    documents: Callable[[Vectors], Vectors]
    queries: Callable[[Vectors], Vectors] = lambda queries: queries


@dataclass(frozen=True, slots=True)
class Row:
    """A measured form: recall@10 without rescoring, and by how many were rescored."""

    name: str
    bytes: float
    recall: float
    rescored: dict[int, float]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--documents", type=int, default=10_000)
    options.add_argument("--queries", type=int, default=500)
    options.add_argument("--vectors", type=Path, default=VECTORS, help="default: %(default)s")
    options.add_argument("--write", metavar="NAME", help="keep results/ladder-NAME.json and .md")
    asked = options.parse_args()
    documents = np.load(asked.vectors / "documents.npy", mmap_mode="r")[: asked.documents]
    queries = np.load(asked.vectors / "queries.npy")[: asked.queries].astype(np.float32)
    exact = maxsim(documents, queries)
    rows = []
    for form in forms(documents):
        rows.append(measured(form, documents, queries, exact))
        print(line(rows[-1]), flush=True)
    if asked.write:
        keep(asked.write, rows, documents=len(documents), queries=len(queries))


def forms(documents: NDArray[np.float16]) -> Iterator[Form]:
    """Yield every rung, then prefixes of tokens and widths, and principal directions, in float16."""
    _, tokens, width = documents.shape
    for rung in get_args(Rung):
        yield Form(rung, kept(documents[:1], rung).nbytes, by_rung(rung))
    for first in (tokens // 2, tokens // 4, tokens // 8):
        yield Form(f"first {first} tokens", 2 * first * width, first_tokens(first))
    for first in (width // 2, width // 4):
        yield Form(f"first {first} of width", 2 * tokens * first, first_numbers(first), first_numbers(first))
    first = width // 2
    yield Form(
        f"first {tokens // 2} tokens, {first} of width",
        tokens * first,
        lambda vectors: first_numbers(first)(vectors[:, : tokens // 2]),
        first_numbers(first),
    )
    directions = principal_directions(documents)
    for first in (width // 2, width // 4):
        onto = projected(directions[:, :first])
        yield Form(f"{first} principal directions", 2 * tokens * first, onto, onto)


def by_rung(rung: Rung) -> Callable[[Vectors], Vectors]:
    return lambda vectors: restored(kept(vectors, rung), rung, vectors.shape[2]).astype(np.float32)


def first_tokens(count: int) -> Callable[[Vectors], Vectors]:
    return lambda vectors: vectors[:, :count]


def first_numbers(count: int) -> Callable[[Vectors], Vectors]:
    """Return what cuts vectors, at unit length again."""

    def cut(vectors: Vectors) -> Vectors:
        kept = vectors[..., :count]
        return kept / np.maximum(np.linalg.norm(kept, axis=-1, keepdims=True), 1e-9)

    return cut


def projected(directions: Vectors) -> Callable[[Vectors], Vectors]:
    return lambda vectors: vectors @ directions


def principal_directions(documents: NDArray[np.float16]) -> Vectors:
    """Return (d, d), in columns, the directions that hold most of some documents' tokens first."""
    some = documents[:: max(1, len(documents) // 2000)].astype(np.float32).reshape(-1, documents.shape[2])
    return np.linalg.eigh(some.T @ some)[1][:, ::-1].copy()


def measured(form: Form, documents: NDArray[np.float16], queries: Vectors, exact: NDArray[np.float32]) -> Row:
    """Return what a form finds.

    Args:
        exact: (Q, N) scores.
    """
    asked = form.queries(queries)
    blocks = (documents[first : first + _AT_ONCE] for first in range(0, len(documents), _AT_ONCE))
    scores = np.hstack([maxsim(form.documents(block.astype(np.float32)), asked) for block in blocks])
    order = np.argsort(-scores, axis=1, kind="stable")[:, : max(RESCORED)]
    found = np.take_along_axis(exact, order, axis=1) >= tenth(exact)[:, None] - _TIES
    rescored = {count: share(found[:, :count]) for count in RESCORED}
    return Row(form.name, form.bytes, share(found[:, :K]), rescored)


def tenth(exact: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (Q,) the score of the K-th nearest."""
    return np.partition(exact, -K, axis=1)[:, -K]


def share(found: NDArray[np.bool_]) -> float:
    """Return the mean share of the K nearest among (Q, candidates)."""
    return float(np.minimum(found.sum(axis=1), K).mean() / K)


def line(row: Row) -> str:
    """Return a row of the table."""
    rescored = " | ".join(f"{recall:.3f}" for recall in row.rescored.values())
    return f"| {row.name} | {row.bytes:,.0f} | {row.recall:.3f} | {rescored} |"


def keep(name: str, rows: list[Row], *, documents: int, queries: int) -> None:
    """Write the table, and what it was made of, into the results folder."""
    found = {"machine": machine(), "documents": documents, "queries": queries, "rows": [*map(asdict, rows)]}
    (RESULTS / f"ladder-{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    counts = " | ".join(f"best {count} rescored" for count in RESCORED)
    lines = [
        f"# The compression ladder: {documents:,} documents, {queries:,} queries ({name})\n",
        f"| kept as | bytes a document | recall@{K} | {counts} |",
        f"|---|{'---:|' * (2 + len(RESCORED))}",
        *map(line, rows),
        f"\n{described(found['machine'])}",
    ]
    (RESULTS / f"ladder-{name}.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
