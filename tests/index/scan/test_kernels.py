"""Both products of a scan equal the reference MaxSim; with integers by torch as with floats by NumPy."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.index.multi_vector import MultiVectors
from plait.index.scan import kernels
from plait.index.scan.kernels import exact, rough
from plait.index.scan.lone_torch import lone_torch
from plait.scoring.maxsim import maxsim
from plait.scoring.quantise import int8


def unit(random, *shape):
    vectors = random.standard_normal(shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.fixture
def without_torch(monkeypatch):
    monkeypatch.setattr(kernels, "lone_torch", lambda: nullcontext(None))


@pytest.fixture
def without_integers(monkeypatch):
    monkeypatch.setattr(kernels, "_integers_work", lambda: False)


@st.composite
def problems(draw):
    """Items of T vectors and a query, of any small shape."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parts, tokens, count, per_item, width = (draw(st.integers(1, high)) for high in (3, 4, 9, 5, 17))
    return unit(random, count, per_item, width), unit(random, parts, tokens, width)


def by_the_reference(vectors, query):
    return maxsim(query, vectors) / query.shape[1]


def planes_of(vectors):
    codes, scales = int8(vectors)
    return np.ascontiguousarray(codes.transpose(1, 0, 2)), scales


def test_this_machine_multiplies_integers():
    """Were it not so, the tests of both ways would compare one with itself."""
    cpu = Path("/proc/cpuinfo")
    if not cpu.exists() or "vnni" not in cpu.read_text():
        pytest.skip("this processor has no instruction for products of bytes")
    assert kernels._integers_work()


@settings(deadline=None)
@given(problems())
def test_rough_scores_are_those_of_the_rounded_vectors_and_query(problem):
    vectors, query = problem
    planes, scales = planes_of(vectors)
    asked, query_scales = int8(query)
    rounded = planes.transpose(1, 0, 2) * scales[:, None, None], asked * query_scales[:, None, None]
    np.testing.assert_allclose(rough(planes, scales, query), by_the_reference(*rounded), atol=1e-5)


@settings(deadline=None)
@given(problems())
def test_rough_scores_are_near_the_exact_ones(problem):
    vectors, query = problem
    np.testing.assert_allclose(
        rough(*planes_of(vectors), query),
        by_the_reference(vectors, query),
        atol=0.01 * vectors.shape[2] ** 0.5,
    )


@pytest.mark.parametrize(
    ("count", "planes", "width", "parts", "tokens"),
    [(5000, 4, 128, 1, 32), (9000, 2, 16, 3, 5), (1, 1, 384, 1, 1), (3000, 1, 1152, 1, 1), (5, 2, 1, 1, 2)],
)
def test_integers_and_floats_give_the_same_rough_scores(
    count, planes, width, parts, tokens, without_integers, monkeypatch
):
    random = np.random.default_rng(count)
    codes = random.integers(-127, 128, (planes, count, width), np.int8)
    scales = random.random(count).astype(np.float32)
    query = unit(random, parts, tokens, width)
    by_floats = rough(codes, scales, query)
    monkeypatch.undo()
    np.testing.assert_allclose(rough(codes, scales, query), by_floats, rtol=2e-6, atol=1e-4)


def test_extreme_codes_do_not_overflow():
    """1,152 numbers of 127 times 200 tokens are 3.7e9: more than an int32 holds."""
    planes, scales = np.full((2, 3, 1152), 127, np.int8), np.ones(3, np.float32)
    assert rough(planes, scales, np.ones((1, 200, 1152), np.float32)).tolist() == [[127 * 1152] * 3]
    lowest = np.full((2, 3, 128), -128, np.int8)
    assert rough(lowest, scales, np.ones((1, 32, 128), np.float32)).tolist() == [[-128 * 128] * 3]


@pytest.mark.parametrize("which", ["integers", "floats"])
def test_some_items_score_as_among_all(which, request):
    if which == "floats":
        request.getfixturevalue("without_integers")
    random = np.random.default_rng(3)
    planes, scales = planes_of(unit(random, 6000, 2, 8))
    query = unit(random, 2, 3, 8)
    for items in (np.array([5999, 0, 17, 17]), np.arange(0, 6000, 2), np.empty(0, np.int64)):
        np.testing.assert_array_equal(
            rough(planes, scales, query, items), rough(planes, scales, query)[:, items]
        )


def test_no_items_have_no_scores():
    query = np.ones((2, 3, 4), np.float32)
    assert rough(np.empty((2, 0, 4), np.int8), np.empty(0, np.float32), query).shape == (2, 0)
    assert exact(np.empty((0, 2, 4), np.float16), query).shape == (2, 0)


@settings(deadline=None)
@given(problems())
def test_padding_a_query_with_zeros_changes_nothing(problem):
    """As `QueryVectors` has it: the shorter part's vectors are longer by the factor of padding."""
    vectors, query = problem
    padded = np.concatenate([query * 2, np.zeros_like(query)], axis=1)
    planes, scales = planes_of(vectors)
    np.testing.assert_allclose(rough(planes, scales, padded), rough(planes, scales, query), atol=1e-6)
    halves = vectors.astype(np.float16)
    np.testing.assert_allclose(exact(halves, padded), exact(halves, query), atol=1e-6)


def test_a_query_of_zeros_scores_zero():
    planes, scales = planes_of(unit(np.random.default_rng(0), 3, 2, 4))
    assert not rough(planes, scales, np.zeros((1, 2, 4), np.float32)).any()


@settings(deadline=None)
@given(problems())
def test_exact_scores_are_the_reference_of_the_half_precision_vectors(problem):
    vectors, query = problem
    halves = vectors.astype(np.float16)
    expected = by_the_reference(halves.astype(np.float32), query)
    np.testing.assert_allclose(exact(halves, query), expected, atol=1e-6)


@pytest.mark.parametrize("which", ["torch", "numpy"])
@pytest.mark.parametrize(("count", "per_item", "width", "tokens"), [(300, 32, 128, 32), (70, 1, 768, 1)])
def test_exact_scores_equal_those_of_the_scan_in_memory(which, count, per_item, width, tokens, request):
    if which == "numpy":
        request.getfixturevalue("without_torch")
    random = np.random.default_rng(5)
    halves = unit(random, count, per_item, width).astype(np.float16)
    query = unit(random, 2, tokens, width)
    memory = MultiVectors.of(halves[:, None].astype(np.float32), tokens=per_item, width=width)
    for part, weights in enumerate(np.eye(2, dtype=np.float32)):
        np.testing.assert_allclose(
            exact(halves, query)[part], memory.scores(query, weights), atol=1e-6, rtol=0
        )


def test_files_opened_for_reading_are_scanned_without_a_warning(tmp_path):
    random = np.random.default_rng(6)
    planes, scales = planes_of(unit(random, 50, 4, 16))
    halves = unit(random, 50, 4, 16).astype(np.float16)
    query = unit(random, 1, 3, 16)
    planes.tofile(tmp_path / "planes")
    halves.tofile(tmp_path / "halves")
    mapped = np.memmap(tmp_path / "planes", np.int8, "r", shape=planes.shape)
    np.testing.assert_array_equal(rough(mapped, scales, query), rough(planes, scales, query))
    mapped = np.memmap(tmp_path / "halves", np.float16, "r", shape=halves.shape)
    np.testing.assert_array_equal(exact(mapped, query), exact(halves, query))


def test_shares_of_several_threads_are_put_together(monkeypatch):
    random = np.random.default_rng(7)
    planes, scales = planes_of(unit(random, 3001, 2, 8))
    halves, query = unit(random, 3001, 2, 8).astype(np.float16), unit(random, 1, 3, 8)
    alone = rough(planes, scales, query), exact(halves, query)
    monkeypatch.setattr(kernels, "workers_for", lambda products: 3)
    np.testing.assert_array_equal(rough(planes, scales, query), alone[0])
    np.testing.assert_allclose(exact(halves, query), alone[1], atol=1e-6)


def test_torch_keeps_to_one_thread_here_and_to_its_own_elsewhere():
    before, others, entered, looked = torch.get_num_threads(), [], threading.Event(), threading.Event()

    def elsewhere():
        entered.wait()
        others.append(torch.get_num_threads())
        looked.set()

    watcher = threading.Thread(target=elsewhere)
    watcher.start()
    with lone_torch() as alone:
        assert alone is torch
        assert torch.get_num_threads() == 1
        entered.set()
        looked.wait()
    watcher.join()
    assert others == [before]
    assert torch.get_num_threads() == before


def test_a_new_thread_is_held_to_one_too():
    """torch sets a thread up when it first uses it, with all of its threads."""
    seen = []

    def fresh():
        with lone_torch():
            torch.ones(200_000).float().add_(1)
            seen.append(torch.get_num_threads())

    thread = threading.Thread(target=fresh)
    thread.start()
    thread.join()
    assert seen == [1]


def test_importing_the_kernels_imports_no_torch():
    code = "import sys, plait.index.scan.kernels; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("which", ["integers", "floats"])
@pytest.mark.parametrize("count", [1, 700, 5000])
def test_parts_score_together_as_each_alone(which, count, request):
    """So the queries of several threads can share a scan, which for vectors on their own goes another way."""
    if which == "floats":
        request.getfixturevalue("without_integers")
    random = np.random.default_rng(count)
    planes, scales = planes_of(unit(random, count, 1, 96))
    query = unit(random, 9, 1, 96)
    for parts in (2, 3, 9):
        alone = np.concatenate([rough(planes, scales, query[part : part + 1]) for part in range(parts)])
        np.testing.assert_array_equal(rough(planes, scales, query[:parts]), alone)
