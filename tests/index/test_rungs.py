"""Libraries that keep their vectors smaller: what searches compare, whatever changes come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plait.errors import LibraryFormatError
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, StoredDocument
from plait.schema import Unit
from plait.scoring.keeping import kept, restored
from plait.scoring.maxsim import maxsim
from plait.scoring.vectors import UnitVectors, VectorField
from plait.search.vectors import nearest

WHOLE = VectorField("ret", 16, 12, "unit", "joint")
ONE = np.ones(1, np.float32)


def unit_vectors(*shape, seed):
    raw = np.random.default_rng(seed).standard_normal(shape)
    return (raw / np.linalg.norm(raw, axis=-1, keepdims=True)).astype(np.float32)


def entry(number):
    name = f"d{number:03}"
    unit = Unit(f"{name}:0", name, 0, name)
    document = StoredDocument(name, name, f"{name}.html", {}, "")
    return Entry(document, (unit,), (UnitVectors({"ret": unit_vectors(2, 12, 16, seed=number)}),))


@pytest.mark.parametrize("exact_bytes", [0, 1 << 26], ids=["scanned", "in memory"])
@pytest.mark.parametrize("rung", ["float16", "int8", "pooled", "binary"])
def test_scores_are_those_of_what_is_kept(tmp_path, rung, exact_bytes):
    field = replace(WHOLE, kept=rung)
    index = LanceIndex(tmp_path, [field], exact_bytes=exact_bytes)
    index.add([entry(number) for number in range(300)])
    query = unit_vectors(1, 12, 16, seed=1000)
    every = np.concatenate([entry(number).vectors[0].fields["ret"] for number in range(300)])
    left = restored(kept(every, rung), rung, 16).astype(np.float32)
    expected = maxsim(query, left)[0].reshape(300, 2).max(axis=1) / 12

    def check(index, rows):
        snapshot = index.snapshot()
        np.testing.assert_allclose(snapshot.field_scores("ret", query, ONE), expected[rows], atol=1e-6)
        found = nearest(snapshot, "ret", query, k=5, recall=1.0)
        np.testing.assert_array_equal(found.rows, np.argsort(-expected[rows])[:5])

    check(index, np.arange(300))
    index.optimize()
    check(index, np.arange(300))
    index.remove(["d000", "d007"])
    index.optimize(keep_seconds=0)
    check(LanceIndex(tmp_path, [field], exact_bytes=exact_bytes), np.delete(np.arange(300), [0, 7]))


def test_scan_files_are_as_small_as_their_rung(tmp_path):
    sizes = {}
    for rung in ("float16", "int8", "pooled", "binary"):
        index = LanceIndex(tmp_path / rung, [replace(WHOLE, kept=rung)], exact_bytes=0)
        index.add([entry(number) for number in range(300)])
        index.optimize()
        files = list((tmp_path / rung / "scan" / "ret").glob("*.scan"))
        assert len(files) == 1
        sizes[rung] = files[0].stat().st_size
    items = 600
    assert sizes["float16"] - sizes["int8"] == pytest.approx(items * 12 * 16, abs=2 * 4096)
    assert sizes["int8"] - sizes["pooled"] == pytest.approx(items * 4 * 16, abs=2 * 4096)
    assert sizes["float16"] - sizes["binary"] == pytest.approx(items * 12 * (32 - 2), abs=2 * 4096)


def test_a_store_opened_as_another_rung_is_refused(tmp_path):
    LanceIndex(tmp_path, [replace(WHOLE, kept="int8")]).add([entry(0)])
    with pytest.raises(LibraryFormatError, match="ret_vectors"):
        LanceIndex(tmp_path, [WHOLE])
