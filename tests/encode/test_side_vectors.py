"""Vectors on disk: read as they were added, and of a kill only whole chunks stay."""

from __future__ import annotations

import numpy as np
import pytest

from plait.encode.side_vectors import CHUNK, NOTHING, WHOLE, Encoded, VectorFile

WIDTH = 4


def sides(count, *, start=0):
    """Return sides of 0 to 3 vectors."""
    return [
        Encoded(
            np.full((k % 4, WIDTH), k / 8, np.float16), WHOLE if k % 4 else NOTHING, 2**64 - 1 - k
        )
        for k in range(start, start + count)
    ]  # fmt: skip


def opened(folder, *, total=CHUNK + 10):
    return VectorFile(folder, "some", width=WIDTH, total=total)


def test_sides_are_read_as_they_were_added(tmp_path):
    file = opened(tmp_path)
    file.append(sides(CHUNK))
    file.append(sides(10, start=CHUNK))
    vectors = opened(tmp_path).read()
    assert len(vectors) == len(file) == CHUNK + 10
    for k in (0, 1, 6, CHUNK + 3):
        np.testing.assert_array_equal(vectors.of(k), np.full((k % 4, WIDTH), k / 8))
        assert vectors.contents[k] == 2**64 - 1 - k
    assert vectors.damaged == sum(k % 4 == 0 for k in range(CHUNK + 10))


def test_sides_that_all_give_nothing_can_be_read(tmp_path):
    file = opened(tmp_path, total=1)
    file.append(sides(1))
    assert file.read().of(0).shape == (0, WIDTH)


@pytest.mark.parametrize("cut", ["vectors", "sides", "listed"])
def test_what_a_kill_left_of_a_chunk_is_forgotten(tmp_path, cut):
    file = opened(tmp_path)
    file.append(sides(CHUNK))
    whole = {name: (tmp_path / name).read_bytes() for name in ("some.vectors", "some.sides")}
    file.append(sides(9, start=CHUNK))
    listed = tmp_path / "some.sides"
    if cut == "vectors":  # killed before the sides were listed
        listed.write_bytes(whole["some.sides"])
    elif cut == "sides":  # killed within
        listed.write_bytes(listed.read_bytes()[:-5])
    assert len(opened(tmp_path)) == CHUNK
    assert {name: (tmp_path / name).read_bytes() for name in whole} == whole


def test_vectors_that_a_disk_lost_are_computed_again(tmp_path):
    opened(tmp_path).append(sides(CHUNK))
    numbers = tmp_path / "some.vectors"
    numbers.write_bytes(numbers.read_bytes()[:-8])
    assert len(opened(tmp_path)) == 0
    assert numbers.read_bytes() == b""
