"""A scanned field: the scores of its segments' items, in whatever company a query or a unit comes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plait.errors import ShapeError
from plait.index.scan import mapped_vectors
from plait.index.scan.field import Piece, ScannedField
from plait.index.scan.file_format import Section
from plait.index.scan.kernels import exact, rough
from plait.index.scan.mapped_vectors import MappedVectors
from plait.index.scan.segment import Segment
from plait.scoring.vectors import VectorField

WIDTH = 32
FIELD = VectorField("dense", width=WIDTH, tokens=1, items="unit", asks="text")
SMAPS = Path("/proc/self/smaps")
SIZE = 6000  # units, too many to be compared exactly at once


def unit_vectors(random, *shape):
    vectors = random.standard_normal(shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def segment(random, units: int, tokens: int = 1) -> Segment:
    """One of units with 0 to 3 items."""
    offsets = np.cumsum([0, *(random.permutation(units) % 4)])
    vectors = unit_vectors(random, offsets[-1], tokens, WIDTH).astype(np.float16)
    return Segment.of(np.arange(units, dtype=np.uint64), offsets, vectors)


@pytest.fixture(scope="module")
def pieces() -> list[Piece]:
    """Two segments whose units alternate among the rows; a third of the first's are no more."""
    random = np.random.default_rng(0)
    first, second = segment(random, 4500), segment(random, 3000)
    alive = [
        (np.setdiff1d(np.arange(4500), np.arange(0, 4500, 3)), first, 0),
        (np.arange(3000), second, 1),
    ]
    found = []
    for units, whole, start in alive:
        there = np.diff(whole.offsets)[units] > 0
        found.append(Piece(whole, (2 * np.arange(len(units)) + start)[there], units[there]))
    return found


@pytest.fixture(scope="module")
def field(pieces) -> ScannedField:
    return ScannedField(FIELD, SIZE, pieces)


def one_by_one(pieces, score):
    """Return (N,) the best of each unit's items, where `score` gives (items,) those of a segment."""
    expected = np.full(SIZE, np.nan, np.float32)
    for piece in pieces:
        of_items = score(piece.segment)
        for row, unit in zip(piece.rows, piece.units, strict=True):
            expected[row] = of_items[piece.segment.offsets[unit] : piece.segment.offsets[unit + 1]].max()
    return expected


def test_every_unit_scores_its_best_item_and_one_without_items_nothing(field, pieces):
    query, weights = unit_vectors(np.random.default_rng(1), 2, 1, WIDTH), np.array([0.75, 0.25], np.float32)
    each = [
        one_by_one(pieces, lambda whole, part=part: rough(whole.planes, whole.scales, query)[part])
        for part in range(2)
    ]
    scores, is_exact = field.rough_scores(query, weights)
    assert not is_exact
    np.testing.assert_allclose(scores, 0.75 * each[0] + 0.25 * each[1], rtol=1e-6)


def test_queries_that_come_together_score_as_each_alone(field):
    random = np.random.default_rng(2)
    queries = [
        unit_vectors(random, parts, tokens, WIDTH) for parts, tokens in [(1, 1), (2, 1), (1, 3), (1, 1)]
    ]
    alone = [field._rough_everywhere([query])[0] for query in queries]
    for together, expected in zip(field._rough_everywhere(queries), alone, strict=True):
        np.testing.assert_array_equal(together, expected)


@pytest.mark.parametrize("all_exact", [False, True])
def test_several_queries_asked_at_once_score_as_each_asked_alone(field, all_exact, monkeypatch):
    monkeypatch.setattr(field._costs, "prefers_exact", lambda units: all_exact)
    random, weights = np.random.default_rng(5), np.array([0.75, 0.25], np.float32)
    asked = [(unit_vectors(random, 2, 1, WIDTH), weights), (unit_vectors(random, 1, 1, WIDTH), weights[:1])]
    for (scores, is_exact), one in zip(field.rough_scores_of(asked), asked, strict=True):
        assert is_exact == all_exact
        np.testing.assert_array_equal(scores, field.rough_scores(*one)[0])
    with pytest.raises(ShapeError, match=f"stored vectors {WIDTH}"):
        field.rough_scores_of([(unit_vectors(random, 1, 1, WIDTH + 1), weights[:1])])


@pytest.mark.parametrize("share", [0.2, 0.9])  # by what is gathered, and by what all score
def test_a_mask_leaves_scores_as_they_are(field, share, monkeypatch):
    monkeypatch.setattr(field._costs, "prefers_exact", lambda units: False)
    query, weights = unit_vectors(np.random.default_rng(3), 1, 1, WIDTH), np.ones(1, np.float32)
    mask = np.random.default_rng(4).random(SIZE) < share
    expected = np.where(mask, field.rough_scores(query, weights)[0], np.float32(np.nan))
    np.testing.assert_array_equal(field.rough_scores(query, weights, mask)[0], expected)


def test_exact_scores_of_several_segments_come_in_the_order_asked(field, pieces):
    query, weights = unit_vectors(np.random.default_rng(5), 1, 1, WIDTH), np.ones(1, np.float32)
    every = one_by_one(pieces, lambda whole: exact(whole.read(np.arange(whole.offsets[-1])), query)[0])
    rows = np.random.default_rng(6).permutation(SIZE)[:700]
    np.testing.assert_allclose(field.exact_scores(query, weights, rows), every[rows], atol=1e-6)
    some = rows[:5].tolist()
    for row, of_items, vectors in zip(
        some, field.item_scores(query, weights, some), field.item_vectors(some), strict=True
    ):
        assert len(of_items) == len(vectors)
        np.testing.assert_allclose(of_items, vectors[:, 0] @ query[0, 0], atol=1e-6)
        assert of_items.max(initial=-1) == pytest.approx(-1 if np.isnan(every[row]) else every[row])


def test_codes_of_one_vector_an_item_score_nearly_exactly_and_pooled_ones_lower(field):
    """So the first need no levelling before they are fused."""
    random = np.random.default_rng(7)
    many = VectorField("tokens", width=WIDTH, tokens=16, items="unit", asks="text")
    whole = segment(random, SIZE, tokens=16)
    there = np.flatnonzero(np.diff(whole.offsets))
    pooling = ScannedField(many, SIZE, [Piece(whole, there, there)])
    assert [field.pools, pooling.pools] == [False, True]
    weights = np.ones(1, np.float32)
    differences = []
    for one, tokens in ((field, 1), (pooling, 16)):
        query = unit_vectors(random, 1, tokens, WIDTH)
        differences.append(
            float(np.nanmean(one.rough_scores(query, weights)[0] - one.scores(query, weights)))
        )
    assert abs(differences[0]) < 1e-3
    assert differences[1] < -0.05


def test_files_keep_little_mapped_and_what_is_read_again_is_the_same(tmp_path, monkeypatch):
    if not SMAPS.exists():
        pytest.skip("this system does not tell what is mapped")
    monkeypatch.setattr(mapped_vectors, "_MOST_BYTES", 4 << 20)
    values = np.arange(8 << 20).astype(np.uint16).view(np.float16).reshape(-1, 1, 512)  # 16 MB
    path = tmp_path / "vectors"
    path.write_bytes(bytes(4096) + values.tobytes())
    with open(path, "rb") as file:
        section = Section(4096, values.shape, np.dtype(np.float16))
        twice = [MappedVectors(file.fileno(), section) for _ in range(2)]
    largest = 0
    for first in range(0, len(values), 1024):
        items = np.arange(first, first + 1024)
        for mapped in twice:
            assert mapped.take(items).tobytes() == values[items].tobytes()
        largest = max(largest, mapped_kilobytes(path))
    assert 2048 <= largest <= 8192  # the system may map 2 MB at a time
    assert twice[0].take(np.array([8191, 0])).tobytes() == values[[8191, 0]].tobytes()


def mapped_kilobytes(path: Path) -> int:
    mappings = [text for text in SMAPS.read_text().split("VmFlags") if f"{path}\n" in text]
    return sum(int(about.split("Rss:")[1].split()[0]) for about in mappings)
