"""Two small results on one collection, worked out by hand.

        relevant   A finds      mrr    B finds      mrr
q1 t    d1         d1 d2        1      d2 d1        1/2
q2 t    d2         d3 d2        1/2    d2           1
q3 t    d3         d3           1      d1           0
q4 i    d4         d1 d2 d4     1/3    d1 d2 d4     1/3
q5 i    d1         nothing      0      d1           1
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.helpers.stored_results import asking, stored_result

from plait.evaluation.compare.results import Result, read_results

KINDS = {"q1": "text", "q2": "text", "q3": "text", "q4": "image", "q5": "image"}
QRELS = {"q1": {"d1": 1}, "q2": {"d2": 2}, "q3": {"d3": 1}, "q4": {"d4": 1, "d9": 0}, "q5": {"d1": 1}}
RUN_A = {"q1": "d1 d2", "q2": "d3 d2", "q3": "d3", "q4": "d1 d2 d4", "q5": ""}
RUN_B = {"q1": "d2 d1", "q2": "d2", "q3": "d1", "q4": "d1 d2 d4", "q5": "d1"}


def run_of(ranked: dict[str, str]) -> dict[str, dict[str, float]]:
    return {
        query: {name: -float(place) for place, name in enumerate(names.split())}
        for query, names in ranked.items()
    }


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A's result, with a baseline, and B's."""
    root = tmp_path_factory.mktemp("compared")
    labels = {"queries": asking(KINDS), "qrels": QRELS}
    a = stored_result(root / "a", {"old": run_of(RUN_A), "BM25": run_of(RUN_B)}, **labels)
    return a, stored_result(root / "b", {"new": run_of(RUN_B)}, **labels)


@pytest.fixture
def results(folders: tuple[Path, Path]) -> list[Result]:
    return read_results([str(folder) for folder in folders])
