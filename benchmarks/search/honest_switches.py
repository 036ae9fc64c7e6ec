"""What recentring and hub suppression do to the rank of answers, on libraries of manuals.

    python -m benchmarks.search.honest_switches

MRR of each kind of question before, and the difference that each switch makes, query by query, with its
95 % interval. Manuals are stored as any library is and searched by the very code that the settings
`recentring` and `hub_suppression` switch on.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.real_input.fetch import CACHE
from benchmarks.search.honest import RESULTS
from benchmarks.search.honest_material import Manual, manual
from benchmarks.search.unwanted import stored
from plait import Query
from plait.encode.mini import MiniEncoder
from plait.evaluation.intervals import bootstrap
from plait.index.base import Scores
from plait.scoring.vectors import QueryVectors
from plait.search.levelling import Levelling
from plait.search.searcher import Searcher

MANUALS = ("jmeter-help", "ns3-doc", "kicad-doc-en", "python-xarray-doc")
SWITCHES = {  # recentring, hub_suppression
    "none": (False, 0.0),
    "recentring": (True, 0.0),
    "hubs 0.25": (False, 0.25),
    "hubs 0.5": (False, 0.5),
    "both": (True, 0.5),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--cache", type=Path, default=CACHE, help="where fetch.py put the manuals")
    options.add_argument("--results", type=Path, default=RESULTS)
    asked = options.parse_args()
    torch.set_num_threads(1)
    encoder = MiniEncoder.load(threads=1)
    work = asked.cache / "honest"
    found = {}
    for package in MANUALS:
        read = manual(package, encoder, packages=asked.cache, work=work)
        found[package] = measure(read, encoder)
    (asked.results / "honest-switches.json").write_text(json.dumps(found, indent=1) + "\n")
    (asked.results / "honest-switches.md").write_text(to_markdown(found))
    print(to_markdown(found))


def measure(asked: Manual, encoder: MiniEncoder) -> dict[str, Any]:
    """Return kind -> switch -> the difference of the MRR, and the MRR itself without any switch."""
    ranks: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as folder:
        snapshot = stored(asked, encoder, Path(folder))
        remembering = Remembering(encoder)
        units = snapshot.units(range(len(snapshot)))
        rows = {unit.id: row for row, (unit, _) in enumerate(units)}
        searchers = {
            name: Searcher(remembering, snapshot, levelling=Levelling(remembering, snapshot, *options))
            for name, options in SWITCHES.items()
        }
        for one in asked.asked:
            relevant = [rows[unit] for unit in one.relevant]
            for name, searcher in searchers.items():
                rank = _reciprocal_rank(searcher.ranking(one.query, k=len(snapshot)).fused, relevant)
                ranks[one.kind][name].append(rank)
                ranks["all"][name].append(rank)
    return {kind: _compared(of_kind) for kind, of_kind in ranks.items()}


class Remembering(MiniEncoder):
    """The encoder, which reads a query once however often it is asked."""

    def __init__(self, encoder: MiniEncoder) -> None:
        self.__dict__.update(encoder.__dict__)
        self._known: dict[Query, QueryVectors] = {}

    def encode_query(self, query: Query) -> QueryVectors:
        """As of `MiniEncoder`."""
        if query not in self._known:
            self._known[query] = super().encode_query(query)
        return self._known[query]


def _reciprocal_rank(fused: Scores, rows: Sequence[int]) -> float:
    scores = np.nan_to_num(fused, nan=-np.inf)
    best = scores[rows].max()
    others = np.delete(scores, rows)
    return float(1 / (1 + (others > best).sum() + (others == best).sum() / 2)) if np.isfinite(best) else 0.0


def _compared(of_kind: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    before = of_kind["none"]
    found: dict[str, Any] = {"questions": len(before), "mrr": float(np.mean(before))}
    for name, after in of_kind.items():
        if name != "none":
            gain = bootstrap(np.subtract(after, before).tolist())
            found[name] = [gain.mean, gain.low, gain.high]
    return found


def to_markdown(found: Mapping[str, Any]) -> str:
    """Return what was measured as a page."""
    lines = ["# Recentring and hub suppression: what they do to the MRR x 100", ""]
    for name, kinds in found.items():
        columns = [key for key in next(iter(kinds.values())) if key not in ("questions", "mrr")]
        lines += [f"{name}:", "", "| kind | questions | none | " + " | ".join(columns) + " |"]
        lines += ["|---" * (3 + len(columns)) + "|"]
        for kind, values in sorted(kinds.items()):
            cells = [
                f"{100 * m:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
                for m, low, high in (values[column] for column in columns)
            ]
            lines.append(
                f"| {kind} | {values['questions']} | {100 * values['mrr']:.1f} | " + " | ".join(cells) + " |"
            )
        lines.append("")
    return "\n".join([*lines, "    python -m benchmarks.search.honest_switches", ""])


if __name__ == "__main__":
    main()
