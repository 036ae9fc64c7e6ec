"""Models over shared towers: they say what they say alone, and nothing is read twice."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.tiny_packages import write_manual

from plait.encode.mini import MiniEncoder
from plait.encode.mini_towers import Towers
from plait.model.mini.configuration_mini import MiniConfig
from plait.schema import Query, Unit
from plait.scoring.vectors import Vectors
from plait.train.mini.manuals import read_manual
from plait.train.mini.sharing import SharedTowers, SharingEncoder


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> list[Unit]:
    folder = tmp_path_factory.mktemp("manual")
    write_manual(folder / "pages", ("plane", "chisel"), seed=1)
    (folder / "spool").mkdir()
    return read_manual(folder / "pages", folder / "spool")


@pytest.fixture
def queries(manual: list[Unit]) -> list[Query]:
    (figure,) = manual[0].figures
    assert figure.picture
    return [Query.of("a plane"), Query.of(image=figure.picture.path), Query.of("a saw", figure.picture.path)]


def test_a_model_says_the_same_over_towers_of_its_own(manual: list[Unit], queries: list[Query]) -> None:
    alone = MiniEncoder.load(threads=1)
    shared = SharingEncoder(alone.folder, SharedTowers(MiniConfig()))
    for _ in range(2):  # the second time from memory
        for one, two in zip(alone.encode_units(manual), shared.encode_units(manual), strict=True):
            assert one.fields.keys() == two.fields.keys()
            assert all(one.fields[name] == pytest.approx(two.fields[name], abs=1e-5) for name in one.fields)
        for query in queries:
            one, two = alone.encode_query(query), shared.encode_query(query)
            assert one.fields.keys() == two.fields.keys()
            assert all(one.fields[name] == pytest.approx(two.fields[name], abs=1e-5) for name in one.fields)


def test_another_model_reads_nothing_again(
    manual: list[Unit], queries: list[Query], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, towers = MiniEncoder.load().folder, SharedTowers(MiniConfig())
    first = SharingEncoder(folder, towers)
    asked = [first.encode_query(query).fields for query in queries]
    first.encode_units(manual)

    def unread(self: Towers, shown: Sequence[object]) -> Vectors:
        assert not shown
        return np.zeros((0, 384), np.float32)

    monkeypatch.setattr(Towers, "vectors", unread)
    monkeypatch.setattr(Towers, "cells_and_top", unread)
    second = SharingEncoder(folder, towers)
    second.encode_units(manual)
    for before, query in zip(asked, queries, strict=True):
        again = second.encode_query(query).fields
        assert all(np.array_equal(before[name], again[name]) for name in before)


def test_no_text_is_no_vector(tmp_path: Path) -> None:
    assert SharedTowers(MiniConfig()).vectors([]).shape == (0, 384)
