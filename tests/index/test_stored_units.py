"""Units from memory and from the store: the same units, read once, and gone when they are removed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.helpers.entries import FIELDS, make_entry

from plait.index.backends.lancedb import LanceIndex
from plait.index.ordering import Rows, UnitOrder
from plait.index.stored_units import StoredUnits
from plait.index.unit_texts import UnitTexts


class Counted:
    """Rows that count how many of their texts are read, in order and one by one."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.columns = rows.columns
        self.read_texts = self.taken_texts = 0

    def read(self, columns: Sequence[str]):
        for batch in self._rows.read(columns):
            self.read_texts += len(batch) * ("unit" in columns)
            yield batch

    def take(self, row_ids: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        self.taken_texts += len(row_ids)
        return self._rows.take(row_ids, columns)

    def take_batch(self, row_ids, columns: Sequence[str]) -> pa.RecordBatch:
        self.taken_texts += len(row_ids)
        return self._rows.take_batch(row_ids, columns)


@pytest.fixture
def index(tmp_path) -> LanceIndex:
    index = LanceIndex(tmp_path, FIELDS)
    index.add([make_entry(f"d{n}", [f"passage {n} {m}" for m in range(4)]) for n in range(10)])
    return index


def units_of(index: LanceIndex, earlier: StoredUnits | None = None, **options) -> tuple[StoredUnits, Counted]:
    rows = Counted(index.snapshot()._table)
    return StoredUnits(UnitOrder.of(rows, FIELDS), earlier, **options), rows


def everything(units: StoredUnits) -> list[tuple[str, str, str, int]]:
    read = units.read(range(len(units._order)))
    return [(unit.id, unit.passages[0].text, document.id, document.version) for unit, document in read]


def test_memory_and_store_give_the_same_units_in_the_order_asked(index) -> None:
    units, _ = units_of(index)
    from_store = everything(units)
    assert from_store[5] == ("d1:1", "passage 1 1", "d1", 1)
    held, _ = units_of(index)
    held.hold()
    assert everything(held) == from_store
    assert [unit.id for unit, _ in held.read([7, 0, 7])] == ["d1:3", "d0:0", "d1:3"]
    assert held.read([]) == []


def test_what_was_taken_is_not_taken_again_and_what_is_held_never(index) -> None:
    units, rows = units_of(index)
    units.read([2, 3, 2])
    assert rows.taken_texts == 3  # both units and their document, which stands with another
    units.read([3, 2])
    assert rows.taken_texts == 3
    held, rows = units_of(index)
    held.hold()
    assert (rows.read_texts, everything(held) != [], rows.taken_texts) == (40, True, 0)


def test_only_new_units_are_read_for_the_next_snapshot_and_removed_ones_are_let_go(index) -> None:
    first, _ = units_of(index)
    first.hold()
    index.remove(["d3"])
    index.add([make_entry("d4", ["changed"]), make_entry("d5", [f"passage 5 {m}" for m in range(4)])])
    second, rows = units_of(index, first)
    second.hold()
    # d5 was stored again as it was but for its version, which stands in the row of its first unit
    assert (rows.read_texts, rows.taken_texts) == (0, 2)
    fresh, _ = units_of(index)
    assert everything(second) == everything(fresh)
    assert {document.version for _, document in second.read(range(len(second._order)))} == {1, 2}
    kept = second._texts.texts("unit", range(len(second._order)))
    assert not any("passage 3" in text or "passage 4" in text for text in kept)
    shared = first._texts._cells["unit"][0]
    assert second._texts._cells["unit"][0] is shared  # and not copied
    assert second._before is None


def test_what_does_not_fit_is_taken_from_the_store(index) -> None:
    units, rows = units_of(index, most_bytes=3000)
    units.hold()
    texts = units._texts
    held = [text for text in texts.texts("unit", range(40)) if text is not None]
    assert 0 < len(held) < 40
    assert 2000 < texts.bytes <= 3000
    assert everything(units) == everything(units_of(index)[0])
    assert 0 < rows.taken_texts <= 80 - len(held)
    index.add([make_entry("e", ["one more"])])
    later, rows = units_of(index, units, most_bytes=3000)
    later.hold()
    assert rows.read_texts == 0  # what did not fit before does not fit now
    assert later._texts.bytes <= 3000
    assert everything(later)[-1] == ("e:0", "one more", "e", 1)


def test_texts_come_back_as_they_were() -> None:
    cells = ["", "a" * 10_000, 'Grüße, "世界" \U0001f600\n']
    batch = pa.record_batch({"unit": pa.array([*cells, None]), "document": pa.array([None, None, "x", None])})
    texts = UnitTexts(6)
    assert texts.add(batch, np.array([4, 0, 2, 3]))
    assert texts.texts("unit", [0, 1, 2, 3, 4]) == [cells[1], None, cells[2], None, cells[0]]
    assert texts.texts("document", [2, 4]) == ["x", None]
    later = UnitTexts(2)
    later.keep(texts, np.array([2, -1]))
    assert later.texts("unit", [0, 1]) == [cells[2], None]
    assert 0 < later.bytes < texts.bytes


def test_threads_read_what_one_reads(index) -> None:
    units, _ = units_of(index, most_bytes=3000)
    units.hold()
    expected = everything(units)
    orders = [np.random.default_rng(seed).permutation(40).tolist() for seed in range(24)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(units.read, orders))
    assert [[unit.id for unit, _ in some] for some in found] == [
        [expected[row][0] for row in order] for order in orders
    ]


def test_a_snapshot_that_is_loaded_holds_its_units(index) -> None:
    index.follow()
    snapshot = index.snapshot()
    assert None not in snapshot._units._texts.texts("unit", range(len(snapshot)))
    index.remove(["d0"])
    later = index.snapshot()
    assert [unit.id for unit, _ in later.units([0, 35])] == ["d1:0", "d9:3"]
    assert None not in later._units._texts.texts("unit", range(len(later)))
