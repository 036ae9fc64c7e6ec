"""What cannot be used is refused in words, and not a byte of the store changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from tests.helpers.entries import FIELDS, make_entry, random_vectors

from plait.errors import (
    InputError,
    LibraryFormatError,
    LibraryLockedError,
    QueryError,
    ShapeError,
)
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry
from plait.schema import Filter
from plait.scoring.vectors import UnitVectors

ONE = np.ones(1, np.float32)
TEXT, IMAGE_TOKENS = FIELDS


@pytest.fixture
def index(tmp_path) -> LanceIndex:
    """A store of two documents, searched once, so that all it ever makes while searching is there."""
    index = LanceIndex(tmp_path / "store", FIELDS, wait_seconds=0.1)
    index.add([make_entry("a", ["one", "two"], metadata={"year": 2020}), make_entry("b", ["three"])])
    index.snapshot().bm25(["one"], [1.0])
    return index


@pytest.fixture
def unchanged(tmp_path, index) -> Callable[[], bool]:
    """Return a function that tells whether every file is as it was at the start, to the byte."""
    before = listing(tmp_path)
    return lambda: listing(tmp_path) == before


def listing(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


def entry_with(**vectors: np.ndarray) -> Entry:
    return replace(make_entry("bad"), vectors=(UnitVectors(vectors),))


@pytest.mark.parametrize(
    ("entry", "error", "said"),
    [
        (entry_with(text=np.ones((1, 1, 9), np.float32)), ShapeError, r"\(items, 1, 8\), got \(1, 1, 9\)"),
        (entry_with(image_tokens=np.ones((1, 2, 4), np.float32)), ShapeError, r"3, 4\), got \(1, 2, 4\)"),
        (entry_with(ret=np.ones((1, 32, 128), np.float32)), ShapeError, "no vector field is called 'ret'"),
        (entry_with(text=np.full((1, 1, 8), np.nan, np.float32)), ShapeError, "NaN or infinity"),
        (entry_with(text=np.full((1, 1, 8), np.inf, np.float32)), ShapeError, "NaN or infinity"),
        (replace(make_entry("bad", ["1", "2"]), vectors=()), ShapeError, "2 units but vectors for 0"),
        (entry_with(text=np.full((1, 1, 8), 1e6, np.float32)), ShapeError, "half precision"),
        (make_entry("good"), InputError, "document good comes twice in one batch"),
    ],
)
def test_a_batch_with_one_bad_document_stores_none_of_it(index, unchanged, entry, error, said):
    with pytest.raises(error, match=said):
        index.add([make_entry("good"), entry, make_entry("a", ["replaced"])])
    assert unchanged()


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (Filter("colour", "=", "red"), "colour"),
        (Filter("year", "~", 2020), "unknown filter operator '~'"),
        (Filter("year", ">", "soon"), "soon"),
        (Filter("year", "=", None), "None"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(index, unchanged, condition, said):
    with pytest.raises(QueryError, match=said):
        index.snapshot().mask([condition])
    assert unchanged()


@pytest.mark.parametrize("exact_bytes", [0, 1 << 26])
def test_a_query_of_another_width_is_refused_with_both_widths(tmp_path, index, unchanged, exact_bytes):
    snapshot = LanceIndex(tmp_path / "store", FIELDS, exact_bytes=exact_bytes).snapshot()
    wide = random_vectors(1, replace(TEXT, width=9))
    for score in (
        lambda: snapshot.field_scores("text", wide, ONE),
        lambda: snapshot.rough_scores("text", wide, ONE),
        lambda: snapshot.best_items("text", wide, ONE, [0]),
    ):
        with pytest.raises(ShapeError, match="9 dims, the stored vectors 8"):
            score()
    with pytest.raises(ShapeError, match="one weight for each of 1 parts"):
        snapshot.field_scores("text", random_vectors(1, TEXT), np.ones(2, np.float32))
    assert unchanged()


@pytest.mark.parametrize(
    "fields", [FIELDS[:1], (replace(TEXT, width=16), IMAGE_TOKENS), (*FIELDS, replace(TEXT, name="ret"))]
)
def test_a_store_of_another_encoder_is_refused_and_kept(tmp_path, index, unchanged, fields):
    with pytest.raises(LibraryFormatError, match="other columns than this model needs"):
        LanceIndex(tmp_path / "store", fields)
    assert unchanged()


@pytest.mark.parametrize(
    "change", [lambda index: index.add([make_entry("c")]), lambda index: index.remove(["a"])]
)
def test_a_second_writer_is_refused_and_changes_nothing(tmp_path, index, unchanged, change):
    with FileLock(tmp_path / "store" / "units.lock"):
        with pytest.raises(LibraryLockedError, match=r"another process .* wait until it is done"):
            change(index)
        index.optimize()
        assert unchanged()
    change(index)
    assert not unchanged()
