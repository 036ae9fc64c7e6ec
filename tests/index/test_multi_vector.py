"""The exact scan: equal to the reference MaxSim, whatever the shapes and whatever is masked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import ShapeError
from plait.index import multi_vector
from plait.index.multi_vector import MultiVectors
from plait.scoring.maxsim import maxsim


def units_of(counts, tokens, width, seed=0):
    random = np.random.default_rng(seed)
    raw = [random.standard_normal((count, tokens, width)).astype(np.float32) for count in counts]
    return [unit / np.linalg.norm(unit, axis=2, keepdims=True) for unit in raw]


def by_the_reference(units, query, weights):
    """Unit by unit, part by part, item by item."""
    scores = []
    for unit in units:
        best = [
            max((float(maxsim(part[None], item[None])[0, 0]) / len(part) for item in unit), default=np.nan)
            for part in query
        ]
        scores.append(float(np.dot(weights, best)))
    return scores


SHAPES = st.tuples(
    st.lists(st.integers(0, 4), max_size=9),  # items of each unit
    st.integers(1, 5),  # tokens an item
    st.integers(1, 4),  # tokens a query
    st.integers(1, 3),  # parts
    st.integers(0, 99),  # seed
)


@settings(deadline=None)
@given(SHAPES, st.data())
def test_scan_equals_maxsim_for_ragged_and_empty_units(shapes, data):
    counts, tokens, query_tokens, parts, seed = shapes
    units = units_of(counts, tokens, 6, seed)
    query = np.stack(units_of([query_tokens] * parts, 1, 6, seed + 1))[:, :, 0]
    weights = np.full(parts, 1 / parts, np.float32)
    scan = MultiVectors.of(units, tokens=tokens, width=6)
    expected = np.array(by_the_reference(units, query, weights), np.float32)
    np.testing.assert_allclose(scan.scores(query, weights), expected, atol=1e-6)

    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(units), max_size=len(units))), bool)
    np.testing.assert_allclose(
        scan.scores(query, weights, mask), np.where(mask, expected, np.nan).astype(np.float32), atol=1e-6
    )


def test_scan_in_several_blocks_equals_the_scan_of_each_unit_alone():
    units = units_of([3] * 700, 4, 8)  # 2,100 items in blocks of 2^18 / (128 x 8) = 256
    query = np.stack(units_of([64, 64], 1, 8, seed=5))[:, :, 0]
    weights = np.array([0.3, 0.7], np.float32)
    together = MultiVectors.of(units, tokens=4, width=8).scores(query, weights)
    alone = [MultiVectors.of([unit], tokens=4, width=8).scores(query, weights)[0] for unit in units]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_one_token_is_the_dot_product():
    scan = MultiVectors.of([np.array([[[1, 0]], [[0.6, 0.8]]], np.float32)], tokens=1, width=2)
    assert scan.scores(np.array([[[0, 1]]], np.float32), np.ones(1, np.float32)) == pytest.approx([0.8])


def test_a_masked_scan_touches_only_the_masked_items():
    units = units_of([2, 2, 2], 2, 4)
    units[1][:] = np.inf  # would turn every product with it into NaN or a warning
    scan = MultiVectors.of(units, tokens=2, width=4)
    scores = scan.scores(units[0][:1], np.ones(1, np.float32), np.array([True, False, False]))
    assert np.isfinite(scores[0])
    assert np.isnan(scores[1:]).all()


def test_a_mask_that_leaves_most_scores_as_no_mask_does():
    units = units_of([1, 0, 2, 1, 3], 2, 4)
    scan = MultiVectors.of(units, tokens=2, width=4)
    query, weights = units[0][:1], np.ones(1, np.float32)
    mask = np.array([True, True, False, True, True])
    expected = np.where(mask, scan.scores(query, weights), np.float32(np.nan))
    np.testing.assert_array_equal(scan.scores(query, weights, mask), expected)


@pytest.mark.parametrize("tokens", [1, 3])
def test_queries_that_are_scanned_together_score_as_each_alone(tokens, monkeypatch):
    """To the last bit, among threads too: one user's answers depend on no other's."""
    scan = MultiVectors.of(units_of([1, 2, 0] * 900, tokens, 96), tokens=tokens, width=96)
    shapes = [(1, tokens), (2, tokens), (1, tokens), (1, 2 * tokens), (1, tokens)]
    queries = [np.stack(units_of([count] * parts, 1, 96, seed=count))[:, :, 0] for parts, count in shapes]
    alone = [scan._best_of_all([query])[0] for query in queries]
    for together, expected in zip(scan._best_of_all(queries), alone, strict=True):
        np.testing.assert_array_equal(together, expected)
    monkeypatch.setattr(multi_vector, "workers_for", lambda products: 3)
    for shared, expected in zip(scan._best_of_all(queries), alone, strict=True):
        np.testing.assert_array_equal(shared, expected)


def test_several_queries_asked_at_once_score_as_each_asked_alone():
    scan = MultiVectors.of(units_of([1, 2, 0] * 30, 2, 8), tokens=2, width=8)
    weights = np.array([0.25, 0.75], np.float32)
    asked = [
        (np.stack(units_of([2] * parts, 1, 8, seed=parts))[:, :, 0], weights[:parts]) for parts in (1, 2, 1)
    ]
    for scores, one in zip(scan.scores_of(asked), asked, strict=True):
        np.testing.assert_array_equal(scores, scan.scores(*one))
    nothing = MultiVectors.of([], tokens=2, width=8)
    assert [len(scores) for scores in nothing.scores_of(asked)] == [0, 0, 0]


def test_each_item_scores_its_own_product_and_the_best_one_gives_the_score():
    units = units_of([4, 0, 1], 3, 6)
    scan = MultiVectors.of(units, tokens=3, width=6)
    query, weights = units[0][2:3], np.ones(1, np.float32)
    one, four, none = scan.item_scores(query, weights, [2, 0, 1])
    assert [len(one), len(four), len(none), four.argmax()] == [1, 4, 0, 2]
    np.testing.assert_allclose([one[0], four[2]], scan.scores(query, weights)[[2, 0]], rtol=1e-6)
    alone = MultiVectors.of([units[0][1:2]], tokens=3, width=6)
    assert four[1] == pytest.approx(alone.scores(query, weights)[0])


@pytest.mark.parametrize(
    ("query", "weights"),
    [((1, 2, 5), 1), ((2, 4), 2), ((1, 2, 4), 2), ((0, 2, 4), 0), ((1, 0, 4), 1)],
)
def test_a_query_that_does_not_fit_is_refused(query, weights):
    scan = MultiVectors.of(units_of([1], 2, 4), tokens=2, width=4)
    with pytest.raises(ShapeError):
        scan.scores(np.zeros(query, np.float32), np.ones(weights, np.float32))
