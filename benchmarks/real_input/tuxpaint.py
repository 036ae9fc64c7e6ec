"""An archive of pictures without words: 750 stamps of Tux Paint, found by what their makers wrote of them.

    python -m benchmarks.real_input.fetch tuxpaint-stamps-default
    python -m benchmarks.real_input.tuxpaint

Test data: nothing of plait was trained, tuned or chosen on it, and this script only measures.

The protocol, written down before it was first run. A stamp is a PNG with a text file of the same name;
the first line of that file, in English, is its description. Stamps of equal pixels count as one picture
with several descriptions, and those without a description are left out. Each picture is copied under a
number in place of its name, so that a library holds no word about it, and all are added to one library.
Every picture is asked for once, by its first description as it stands. Answers are all pictures that have
that description. Nothing else is asked, and no question is left out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import described, machine, measure_add
from benchmarks.real_input.fetch import CACHE, documents_of
from benchmarks.real_input.systems import LANES, System
from plait import Library, Query
from plait.encode.base import Encoder
from plait.encode.pictures import open_picture
from plait.evaluation.intervals import bootstrap
from plait.train.mini.pictures import pixel_hash

RESULTS = Path(__file__).parents[1] / "results"
SYSTEMS = (
    System("plait's default", LANES, "gated"),
    System("figure_words alone", ("figure_words",)),
)
_MOST_PIXELS = 30_000_000
_PACKAGE = "tuxpaint-stamps-default"


@dataclass(frozen=True, slots=True)
class Stamp:
    """One picture, and the descriptions of all files that hold its pixels."""

    path: Path
    descriptions: tuple[str, ...]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--cache", type=Path, default=CACHE, help="where fetch.py put the package")
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of the table")
    options.add_argument("--model", default="plait-mini")
    asked = options.parse_args()
    stamps = stamps_in(documents_of(_PACKAGE, asked.cache))
    work = Path(tempfile.mkdtemp(prefix="plait-tuxpaint-"))
    try:
        found = measure(stamps, work, model=asked.model)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    asked.results.mkdir(parents=True, exist_ok=True)
    (asked.results / "tuxpaint.json").write_text(json.dumps(found, indent=1) + "\n")
    (asked.results / "tuxpaint.md").write_text(to_markdown(found))
    print(to_markdown(found))


def stamps_in(folder: Path) -> list[Stamp]:
    """Return the pictures that have a description, in the order of their paths, each content once."""
    first: dict[str, Path] = {}
    descriptions: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*.png"), key=lambda path: path.relative_to(folder).as_posix()):
        words = description_of(path.with_suffix(".txt"))
        if words:
            pixels = pixel_hash(open_picture(str(path), max_pixels=_MOST_PIXELS))
            first.setdefault(pixels, path)
            descriptions.setdefault(pixels, []).append(words)
    return [Stamp(path, tuple(dict.fromkeys(descriptions[pixels]))) for pixels, path in first.items()]


def description_of(path: Path) -> str:
    """Return the first line of a stamp's text file, "" if there is none."""
    if not path.exists():
        return ""
    return next(iter(path.read_text("utf-8", "replace").splitlines()), "").strip()


def measure(
    stamps: Sequence[Stamp], work: Path, *, model: str = "plait-mini", encoder: Encoder | None = None
) -> dict[str, Any]:
    """Return all that is measured, as JSON.

    Args:
        work: an empty folder.
        encoder: None means the one called `model`.
    """
    archive = work / "archive"
    archive.mkdir()
    places = {}
    for number, stamp in enumerate(stamps):
        copy = archive / f"{number:04}{stamp.path.suffix}"
        shutil.copyfile(stamp.path, copy)
        places[copy.absolute().as_posix()] = number
    with Library(work / "library", encoder=encoder or _encoder(model)) as library:
        added = measure_add(library, sorted(archive.iterdir()))
        ranks, seconds = ask(library, stamps, places)
        found = {
            "added": added.to_dict(),
            "model": {"name": library.encoder().name, "fingerprint": library.encoder().fingerprint},
        }
    return {
        **found,
        "pictures": len(stamps),
        "descriptions": len({stamp.descriptions[0] for stamp in stamps}),
        "systems": {name: summary(of_system) for name, of_system in ranks.items()},
        "search_ms": {f"p{p}": float(np.percentile(seconds, p)) * 1000 for p in (50, 95)},
        "machine": machine(),
    }


def ask(
    library: Library, stamps: Sequence[Stamp], places: dict[str, int]
) -> tuple[dict[str, list[float]], list[float]]:
    """Return system -> the rank of the best answer to each question, and the seconds of `Library.search`.

    Of equal scores half count as better. A picture that was not scored ranks last.
    """
    searcher = library.searcher()
    rows = searcher.snapshot.units(range(len(searcher.snapshot)))
    numbers = np.array([places[document.source] for _, document in rows])
    ranks: dict[str, list[float]] = {system.name: [] for system in SYSTEMS}
    seconds = []
    for stamp in stamps:
        query = Query.of(stamp.descriptions[0])
        started = time.perf_counter()
        library.search(query, k=10)
        seconds.append(time.perf_counter() - started)
        answers = np.array([stamp.descriptions[0] in stamps[number].descriptions for number in numbers])
        lanes = searcher.scores(query)
        for system in SYSTEMS:
            scores = system.scores(lanes, searcher.encoder.mixture)
            if scores is not None:
                ranks[system.name].append(rank(np.nan_to_num(scores, nan=-np.inf), answers))
    return {name: found for name, found in ranks.items() if found}, seconds


def rank(
    scores: np.ndarray[Any, np.dtype[np.float32]], answers: np.ndarray[Any, np.dtype[np.bool_]]
) -> float:
    """Return the rank of the best answer, counted from 1."""
    best, others = scores[answers].max(), scores[~answers]
    return float(1 + (others > best).sum() + (others == best).sum() / 2)


def summary(ranks: Sequence[float]) -> dict[str, dict[str, float]]:
    """Return each measure with its 95 % bootstrap interval."""
    found = np.array(ranks)
    values = {"R@1": found <= 1, "R@5": found <= 5, "R@10": found <= 10, "mrr": 1 / found}
    intervals = {name: bootstrap(value.astype(float).tolist()) for name, value in values.items()}
    return {name: {"mean": i.mean, "low": i.low, "high": i.high} for name, i in intervals.items()}


def to_markdown(found: dict[str, Any]) -> str:
    """Return what was measured as a page."""
    measures = ("R@1", "R@5", "R@10", "mrr")
    lines = [
        "# Stamps of Tux Paint (tuxpaint-stamps-default): words to pictures that have none",
        "",
        f"{found['pictures']} distinct pictures, {found['descriptions']} descriptions, added in "
        f"{found['added']['seconds']:.0f} s ({found['added']['documents_per_second']:.0f} pictures/s). Model "
        f"{found['model']['name']} ({found['model']['fingerprint'][:12]}). {described(found['machine'])}. "
        f"One search, median: {found['search_ms']['p50']:.0f} ms. x 100, in brackets 95 % intervals.",
        "",
        "| | " + " | ".join(measures) + " |",
        "|---" * (len(measures) + 1) + "|",
    ]
    for name, values in found["systems"].items():
        lines.append(f"| {name} | " + " | ".join(_cell(values[measure]) for measure in measures) + " |")
    lines += [
        "",
        f"    python -m benchmarks.real_input.fetch {_PACKAGE}",
        "    python -m benchmarks.real_input.tuxpaint",
    ]
    return "\n".join(lines) + "\n"


def _cell(found: Mapping[str, float]) -> str:
    mean, low, high = (format(100 * found[name], ".1f") for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def _encoder(model: str) -> Encoder:
    from plait.encode import load_encoder

    return load_encoder(model)


if __name__ == "__main__":
    main()
