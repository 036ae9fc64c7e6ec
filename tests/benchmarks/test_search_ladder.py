"""The ladder's table says what each form finds, and what it takes."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.search.ladder import K, first_numbers, forms, line, measured, principal_directions, share
from benchmarks.search.truth import maxsim


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    documents = random.standard_normal((600, 8, 16)) + 0.5 * random.standard_normal((600, 1, 16))
    documents = (documents / np.linalg.norm(documents, axis=2, keepdims=True)).astype(np.float16)
    queries = documents[:20].astype(np.float32)
    exact = maxsim(documents, queries)
    return {form.name: measured(form, documents, queries, exact) for form in forms(documents)}


def test_the_whole_vectors_find_everything_and_smaller_ones_less(rows):
    assert rows["float16"].recall == 1
    assert 1 > rows["int8"].recall > rows["binary"].recall > 0.1
    assert rows["first 4 tokens"].recall > rows["first 1 tokens"].recall


def test_rescoring_more_finds_more(rows):
    for row in rows.values():
        assert row.recall <= row.rescored[50] <= row.rescored[100] <= row.rescored[500]
        assert row.rescored[500] > 0.9


def test_bytes_are_those_of_a_document(rows):
    assert {name: row.bytes for name, row in rows.items()} == {
        "float16": 256,
        "int8": 128,
        "pooled": 128,  # 8 tokens stay as they are
        "binary": 16,
        "first 4 tokens": 128,
        "first 2 tokens": 64,
        "first 1 tokens": 32,
        "first 8 of width": 128,
        "first 4 of width": 64,
        "first 4 tokens, 8 of width": 64,
        "8 principal directions": 128,
        "4 principal directions": 64,
    }


def test_a_line_of_the_table(rows):
    assert line(rows["float16"]) == "| float16 | 256 | 1.000 | 1.000 | 1.000 | 1.000 |"


def test_a_share_counts_no_more_than_the_nearest():
    """Of equal scores more than K may be as near as the K-th."""
    found = np.zeros((2, 30), np.bool_)
    found[0, : K + 5] = found[1, :4] = True
    assert share(found) == (1 + 0.4) / 2


def test_cut_vectors_are_of_unit_length():
    vectors = np.array([[[3.0, 4.0, 12.0], [0.0, 0.0, 1.0]]], np.float32)
    np.testing.assert_allclose(first_numbers(2)(vectors), [[[0.6, 0.8], [0.0, 0.0]]], atol=1e-6)


def test_principal_directions_keep_products_and_order_by_what_they_hold():
    random = np.random.default_rng(1)
    documents = (random.standard_normal((50, 3, 4)) * [1, 8, 2, 4]).astype(np.float16)
    directions = principal_directions(documents)
    assert np.abs(directions).argmax(axis=0).tolist() == [1, 3, 2, 0]
    np.testing.assert_allclose(directions.T @ directions, np.eye(4), atol=1e-5)
