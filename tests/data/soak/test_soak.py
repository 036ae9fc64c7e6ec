"""A share of `make soak`: broken files all end well, and the fuzz targets hold on some bytes."""

from __future__ import annotations

import random

import pytest
from tests.data.soak.fuzz_targets import TARGETS
from tests.data.soak.mutations import broken, soak
from tests.data.soak.seeds import seeds

FILES = 250  # ten of each format


def test_broken_files_end_as_documents_or_reasons(tmp_path):
    report = soak(FILES, 1, tmp_path)
    assert report.findings == []
    assert sum(outcomes.total() for outcomes in report.outcomes.values()) == FILES
    assert len(report.outcomes) == len({name.rpartition(".")[2] for name in seeds()})
    assert sum(outcomes["read"] for outcomes in report.outcomes.values()) > FILES // 5


def test_one_seed_breaks_files_in_one_way():
    good = list(seeds().values())
    once, again = (
        [broken(data, random.Random(f"7/{i}"), good) for i, data in enumerate(good)] for _ in range(2)
    )
    assert once == again
    assert all(data != kept for data, kept in zip(once, good, strict=True))


@pytest.mark.parametrize("target", TARGETS)
def test_a_fuzz_target_holds_on_random_bytes(target):
    rng = random.Random(3)
    for size in (0, 1, 10, 60, 200, 200):
        TARGETS[target](rng.randbytes(size))
