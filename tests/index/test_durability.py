"""A writer killed at random moments: what it acknowledged is there, and nothing is half there."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tests.helpers.entries import FIELDS, make_entry, random_vectors

from plait.index.backends.lancedb import LanceIndex

KILLS = 8
WRITER = """
import sys
from tests.helpers.entries import FIELDS, make_entry
from tests.index.test_durability import step
from plait.index.backends.lancedb import LanceIndex

index = LanceIndex(sys.argv[1], FIELDS)
for number in range(int(sys.argv[2]), 10_000):
    step(index, number)
    print(number, flush=True)
"""


def step(index: LanceIndex, number: int) -> None:
    """Replace a pair of documents by their next generation; tidy up now and then."""
    texts = [f"generation {number}"] * (1 + number % 3)
    index.add([make_entry(f"{name}{number % 3}", texts, seed=number) for name in ("left", "right")])
    if number % 4 == 3:
        index.optimize(keep_seconds=0)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_and_nothing_is_half_visible(tmp_path):
    moments = random.Random(7)
    acknowledged = -1
    for _ in range(KILLS):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(acknowledged + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            first = writer.stdout.readline()
            time.sleep(moments.uniform(0, 0.2))
            writer.send_signal(signal.SIGKILL)
            lines = [first, *writer.stdout]
        assert writer.returncode == -signal.SIGKILL
        whole = [int(line) for line in lines if line.endswith("\n")]
        acknowledged = max([acknowledged, *whole])
        check(LanceIndex(tmp_path, FIELDS), acknowledged)
    assert acknowledged > KILLS


def check(index: LanceIndex, acknowledged: int) -> None:
    snapshot = index.snapshot()
    units = snapshot.units(range(len(snapshot)))
    for pair in range(min(3, acknowledged + 1)):
        last = max(number for number in range(acknowledged + 1) if number % 3 == pair)
        generations = set()
        for name in (f"left{pair}", f"right{pair}"):
            rows = snapshot.documents_of()[name]
            texts = {units[row][0].passages[0].text for row in rows}
            assert len(texts) == 1, "units of two generations in one document"
            generation = int(texts.pop().split()[1])
            assert len(rows) == units[rows[0]][1].units == 1 + generation % 3
            check_lanes(snapshot, rows, generation)
            generations.add(generation)
        assert len(generations) == 1, "half of one commit"
        assert generations <= {last, acknowledged + 1}, "an acknowledged commit is lost"


def check_lanes(snapshot, rows, generation: int) -> None:
    """Every lane holds the same generation as the text does."""
    words = snapshot.bm25([f"{generation}"], [1.0])
    for place, row in enumerate(rows):
        assert words[row] > 0
        for field in FIELDS:
            vectors = random_vectors(1, field, seed=generation + place)
            score = snapshot.field_scores(field.name, vectors, np.ones(1, np.float32))[row]
            assert score == pytest.approx(1, abs=2e-3)
