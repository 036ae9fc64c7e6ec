"""Twenty kills of a writer in every kind of step; and that what looks for damage sees some."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.index.soak.checking import problems, remains
from tests.index.soak.killing import soak
from tests.index.soak.steps import FIELDS, KINDS, entry, step

from plait.index.backends.lancedb import LanceIndex

MODES = {"held in memory": {}, "scan files": {"exact_bytes": 0}}
STORED = {"d01": 2, "d02": 3, "d03": 3}


@pytest.fixture
def index(tmp_path):
    index = LanceIndex(tmp_path / "store", FIELDS)
    index.add([entry(name, version) for name, version in STORED.items()])
    return index


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_twenty_kills_lose_nothing_and_leave_nothing_half_there(tmp_path, mode):
    report = soak(tmp_path / "store", kills=20, seed=7, options=MODES[mode])
    assert report.findings == [], str(report)
    assert sum(report.kills.values()) == 20
    assert {kind for kind, _ in report.kills} == set(KINDS)


def test_a_whole_store_shows_no_problem(index):
    assert list(problems(index, STORED)) == []


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({"d01": 2, "d02": 3}, "not expected: {'d03': 3}"),
        ({**STORED, "d04": 1}, "expected {'d04': 1}"),
        ({**STORED, "d01": 5}, "expected {'d01': 5}, found {'d01': 2}"),
    ],
)
def test_a_document_lost_or_of_another_version_is_a_problem(index, stored, said):
    assert said in " ".join(problems(index, stored))


def test_units_words_or_vectors_of_another_version_are_problems(index):
    old, new = entry("d01", 2), entry("d01", 5)
    assert len(old.units) == len(new.units) > 1
    index.add([replace(old, units=new.units)])
    said = " ".join(problems(index, STORED))
    assert "d01 has the units ['d01v5 unit 0'" in said
    assert "BM25 finds the word of d01 in the units []" in said
    index.add([replace(old, vectors=new.vectors)])
    assert "by its own vectors" in " ".join(problems(index, STORED))


def test_bytes_of_a_removed_document_are_found_until_compaction(index, tmp_path):
    ever = sorted(STORED.items())
    index.remove(["d03"])
    left = {"d01": 2, "d02": 3}
    assert "d03v3" in " ".join(remains(tmp_path / "store", left, ever))
    index.optimize(keep_seconds=0)
    assert list(remains(tmp_path / "store", left, ever)) == []


def test_a_step_is_the_same_whenever_it_is_asked():
    stored = {}
    for number in range(50):
        one = step(3, number, stored)
        assert step(3, number, dict(reversed(stored.items()))) == one
        stored = one.after(stored)
    assert stored
