"""Search over many documents by late interaction: plait beside other engines, in one run, each on one core.

    python -m benchmarks.search.run [--sizes 10000,100000] [--data synthetic,real] [--engines plait,qdrant]
                                    [--queries N] [--quick] [--cache FOLDER] [--keep] [--write NAME]

Each engine builds its index in one new process and is opened and asked in another, on the same vectors,
queries and filters. Recall@10 is against exact float32. Engines are installed into virtual environments in
the cache folder; the first run downloads gigabytes (PLAID needs a torch of its own).

Left out are: an engine that would hold more than half of the machine's memory; one whose index is not
built in --build-seconds, or would not be by what it took at the size before; a setting whose queries would
take more than --ask-seconds by its first five. None of this applies to plait.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import machine
from benchmarks.search.collection import Collection, K
from benchmarks.search.environments import HERE, REQUIREMENTS, CannotInstallError, python_of
from benchmarks.search.making import SOURCES, Sizes, TooFewError, collection
from benchmarks.search.tables import to_markdown
from benchmarks.search.truth import recalls

CACHE = Path.home() / ".cache" / "plait-benchmarks"
RESULTS = Path(__file__).parents[1] / "results"
_ROOT = Path(__file__).parents[2]
_THREADS = ("OMP", "OPENBLAS", "MKL", "RAYON", "NUMEXPR", "VECLIB_MAXIMUM")


@dataclass(frozen=True, slots=True)
class Engine:
    """How an engine is run.

    Attributes:
        environment: of `environments.py`.
        held_bytes: what it holds in memory for each number of a document, where that is all of them.
    """

    environment: str
    held_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on an engine is left out; plait never is.

    Attributes:
        build_seconds: for an index.
        ask_seconds: for all queries of one setting.
    """

    build_seconds: float = 300
    ask_seconds: float = 120


ENGINES = {
    "plait": Engine(HERE),
    "numpy_scan": Engine(HERE, held_bytes=4),
    "qdrant": Engine("qdrant"),
    "qdrant_graph": Engine("qdrant"),
    "lance_pq": Engine("lancedb"),
    "lance_rq": Engine("lancedb"),
    "plaid": Engine("plaid", held_bytes=4),  # while building
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--sizes", default="10000,100000,1000000", help="documents; default: %(default)s")
    options.add_argument("--data", default=",".join(SOURCES), help="default: %(default)s")
    options.add_argument("--engines", default=",".join(ENGINES), help="default: %(default)s")
    options.add_argument("--queries", type=int, default=100, help="default: %(default)s")
    options.add_argument("--quick", action="store_true", help="2,000 documents, 20 queries; installs nothing")
    options.add_argument("--cache", type=Path, default=CACHE, help="default: %(default)s")
    options.add_argument("--keep", action="store_true", help="keep the indexes, and use those kept before")
    options.add_argument("--build-seconds", type=float, default=Limits().build_seconds, help="default: 300")
    options.add_argument("--ask-seconds", type=float, default=Limits().ask_seconds, help="default: 120")
    options.add_argument("--write", metavar="NAME", help="keep results/search-NAME.json and .md")
    asked = options.parse_args()
    if asked.quick:
        asked.sizes, asked.data, asked.engines, asked.queries = "2000", "synthetic", "plait,numpy_scan", 20
    names, sources = asked.engines.split(","), asked.data.split(",")
    if unknown := [name for name in names if name not in ENGINES]:
        options.error(f"no such engines: {', '.join(unknown)}; there are {', '.join(ENGINES)}")
    if unknown := [name for name in sources if name not in SOURCES]:
        options.error(f"no such data: {', '.join(unknown)}; there are {', '.join(SOURCES)}")
    file = RESULTS / f"search-{asked.write}.json" if asked.write else None
    found = json.loads(file.read_text(encoding="utf-8")) if file is not None and file.is_file() else {}
    limits = Limits(asked.build_seconds, asked.ask_seconds)
    for data in sources:
        for size in sorted(map(int, asked.sizes.split(","))):
            sizes = Sizes(data, size, asked.queries)
            try:
                made = collection(sizes, asked.cache)
            except TooFewError as error:
                print(f"{size} {data} documents are left out: {error}", file=sys.stderr)
                continue
            for name in names:
                row = measured(
                    name, sizes, made, asked.cache, found.get("rows", []), keep=asked.keep, limits=limits
                )
                found = merged(found, row)
                if file is not None:
                    write(found, file)
    print(to_markdown(found))


def measured(
    name: str,
    sizes: Sizes,
    made: Collection,
    cache: Path,
    rows: list[dict[str, Any]],
    *,
    keep: bool,
    limits: Limits = Limits(),
) -> dict[str, Any]:
    """Return the row of one engine at one size: what was measured, or why it was left out."""
    row: dict[str, Any] = {"engine": name, "data": sizes.data, "documents": len(made.documents)}
    reason = why_not(name, made, rows, sizes, limits)
    if reason is not None:
        return row | {"left_out": reason}
    print(f"{name}: {row['documents']} {sizes.data} documents", file=sys.stderr)
    store = cache / "search" / "stores" / f"{name}-{made.folder.name}"
    try:
        python = python_of(ENGINES[name].environment, cache)
        row["packages"] = REQUIREMENTS.get(ENGINES[name].environment, ())
        row["build"] = built(python, name, made, store, limits)
        row["ask"] = with_recalls(asked_in(python, "ask", name, made, store, limits), made)
        if name == "plait":
            row["add"] = asked_in(python, "add", name, made, store, limits)
    except (CannotInstallError, FailedError) as error:
        row["left_out"] = str(error)
    finally:
        if not keep:
            remove(store)
    return row | {"load": round(os.getloadavg()[0], 2)}


class FailedError(RuntimeError):
    """The engine's process ended without a result; says what its last words were."""


def why_not(
    name: str, made: Collection, rows: list[dict[str, Any]], sizes: Sizes, limits: Limits
) -> str | None:
    """Return by which rule an engine is left out, before it is started."""
    count, tokens, width = made.documents.shape
    held, half = ENGINES[name].held_bytes * count * tokens * width, _machine_bytes() / 2
    if held > half:
        return f"would hold {held / 1e9:.0f} GB of vectors in memory, more than half of the machine's"
    if name == "plait":
        return None
    smaller = [row for row in rows if row["engine"] == name and row["data"] == sizes.data]
    smaller = [row for row in smaller if row["documents"] < count]
    if not smaller:
        return None
    last = max(smaller, key=lambda row: row["documents"])
    if "left_out" in last:
        return f"as for {last['documents']:,}: {last['left_out']}"
    seconds, most = last["build"]["seconds"], limits.build_seconds
    if seconds * count / last["documents"] > most:
        return f"building took {seconds:.0f} s for {last['documents']:,}; the limit is {most:.0f} s"
    return None


def built(python: Path, name: str, made: Collection, store: Path, limits: Limits) -> dict[str, Any]:
    """Return what building took, now or when the index that is kept was built."""
    kept = store.with_suffix(".json")
    if not kept.is_file():
        remove(store)
        store.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(asked_in(python, "build", name, made, store, limits)), encoding="utf-8")
    taken: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return taken


def remove(store: Path) -> None:
    store.with_suffix(".json").unlink(missing_ok=True)
    shutil.rmtree(store, ignore_errors=True)


def asked_in(
    python: Path, do: str, name: str, made: Collection, store: Path, limits: Limits
) -> dict[str, Any]:
    """Return what a process of its own measured.

    Raises:
        FailedError: it ended without a result, or building took longer than the limit.
    """
    unlimited = name == "plait"
    asked = {
        "do": do,
        "engine": name,
        "collection": str(made.folder),
        "store": str(store),
        "limit_seconds": 1e9 if unlimited else limits.ask_seconds,
    }
    limit = None if unlimited or do != "build" else limits.build_seconds
    environment = os.environ | {f"{prefix}_NUM_THREADS": "1" for prefix in _THREADS}
    environment |= {"PYTHONPATH": os.pathsep.join([str(_ROOT), str(_ROOT / "src")])}
    command = [str(python), "-m", "benchmarks.search.worker", json.dumps(asked)]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=limit
        )
    except subprocess.TimeoutExpired:
        raise FailedError(f"not built in {limits.build_seconds:.0f} s") from None
    if done.returncode:
        words = next(iter(done.stderr.strip().splitlines()[-1:]), "no message")
        raise FailedError(f"{do} ended with exit code {done.returncode}: {words[:300]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def with_recalls(ask: dict[str, Any], made: Collection) -> dict[str, Any]:
    """Replace the documents found by the recalls they make."""
    documents, queries = made.documents, made.queries
    for row in ask["settings"]:
        if (found := row.pop("found", None)) is not None:
            tenth = made.tenth[int(row["filtered"])]
            every = recalls(documents, queries, found, tenth, k=K)
            row["recall"] = sum(every) / len(every)
            row["least_recall"] = min(every)
        details = row.pop("details", None) or []
        for name in details[0] if details else ():
            row[name] = sum(one[name] for one in details) / len(details)
    return ask


def merged(found: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return results with a row, in place of the one of the same engine, data and size."""
    key = ("data", "documents", "engine")
    rows = [one for one in found.get("rows", []) if any(one[name] != row[name] for name in key)]
    order = list(ENGINES)
    rows = sorted([*rows, row], key=lambda one: (one["data"], one["documents"], order.index(one["engine"])))
    return {"machine": machine(), "rows": rows}


def write(found: dict[str, Any], file: Path) -> None:
    """Write results, and tables beside them."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    file.with_suffix(".md").write_text(to_markdown(found), encoding="utf-8")


def _machine_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


if __name__ == "__main__":
    main()
