"""Fields too large to hold: what a search finds by rough scores and exact comparison of the best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from plait.errors import InputError
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, StoredDocument
from plait.schema import Filter, Passage, Query, Unit
from plait.scoring.mixture import MixtureParameters
from plait.scoring.vectors import QueryVectors, UnitVectors, VectorField
from plait.search.levelling import Levelling
from plait.search.searcher import Searcher
from plait.search.vectors import nearest

UNITS, DOCUMENTS = 5000, 100  # more than are ever compared exactly at once
FIELDS = (
    VectorField("text", 24, 1, "passage", "text"),
    VectorField("image", 16, 1, "figure", "image"),
    VectorField("image_tokens", 16, 12, "figure", "image"),
)
MIXTURE = MixtureParameters()
WORDS = ("brush", "crop", "layer", "mask", "path")


def unit_vectors(rng, *shape):
    raw = rng.standard_normal(shape)
    return (raw / np.linalg.norm(raw, axis=-1, keepdims=True)).astype(np.float32)


def near(rng, vectors, noise):
    moved = vectors + noise * rng.standard_normal(vectors.shape)
    return (moved / np.linalg.norm(moved, axis=-1, keepdims=True)).astype(np.float32)


def entries():
    """Return documents of 50 units each; units have 1 or 2 passages and 0 to 2 figures."""
    rng = np.random.default_rng(0)
    topics = unit_vectors(rng, 40, 24)
    looks = unit_vectors(rng, 40, 12, 16)
    for number in range(DOCUMENTS):
        name = f"d{number:03}"
        units, vectors = [], []
        for ordinal in range(UNITS // DOCUMENTS):
            topic = rng.integers(40)
            passages = tuple(Passage(f"{rng.choice(WORDS)} {rng.choice(WORDS)} {name}") for _ in range(2))
            units.append(Unit(f"{name}:{ordinal}", name, ordinal, name, passages=passages))
            tokens = near(rng, np.repeat(looks[topic][None], rng.integers(3), axis=0), 0.2)
            vectors.append(
                UnitVectors(
                    {
                        "text": near(rng, np.repeat(topics[topic][None, None], 2, axis=0), 0.15),
                        "image": tokens[:, 0, None],
                        "image_tokens": tokens,
                    }
                )
            )
        document = StoredDocument(name, name, f"{name}.html", {"part": number % 10}, "")
        yield Entry(document, tuple(units), tuple(vectors))


@dataclass(frozen=True)
class Asking:
    """An encoder of queries alone: each text and image is its own vector, drawn by a seed in its name."""

    mixture: MixtureParameters | None = MIXTURE
    name: str = "asking"
    fields: tuple[VectorField, ...] = FIELDS

    def encode_query(self, query):
        rng = np.random.default_rng([len(text) for text in (*query.texts, *query.images)])
        wanted = {"text": bool(query.texts), "image": bool(query.images)}
        asked = [field for field in FIELDS if wanted[field.asks]]
        return QueryVectors(
            {field.name: unit_vectors(rng, 1, field.tokens, field.width) for field in asked},
            {field.name: np.ones(1, np.float32) for field in asked},
        )


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Return the same documents held in memory, and scanned."""
    folder = tmp_path_factory.mktemp("stores")
    found = {}
    for name, options in (("held", {}), ("scanned", {"exact_bytes": 0})):
        index = LanceIndex(folder / name, FIELDS, **options)
        index.add(list(entries()))
        index.optimize()
        found[name] = index.snapshot()
    return found


def queries():
    for number in range(1, 25):
        text = f"{WORDS[number % 5]} " + "x" * number
        yield Query.of(text)
        yield Query(images=(f"{'i' * number}.png",))
        yield Query(texts=(text,), images=(f"{'i' * number}.png",))


def ids(hits):
    return [hit.unit_id for hit in hits]


@pytest.mark.parametrize("method", ["gated", "zsum", "rrf"])
def test_at_recall_1_the_hits_are_those_of_exact_scores(stores, method):
    held, scanned = (Searcher(Asking(), stores[name]) for name in ("held", "scanned"))
    for query in queries():
        expected = held.search(query, method=method)
        found = scanned.search(query, method=method, recall=1.0)
        assert ids(found) == ids(expected)
        np.testing.assert_allclose([h.score for h in found], [h.score for h in expected], atol=1e-4)
        assert expected.plan.is_exact
        assert found.plan.is_exact


@pytest.mark.parametrize(("method", "recall"), [("gated", 0.9), ("gated", 0.99), ("zsum", 0.95)])
def test_the_recall_that_is_asked_is_reached_by_comparing_some(stores, method, recall):
    held, scanned = (Searcher(Asking(), stores[name]) for name in ("held", "scanned"))
    shares, looked_at = [], []
    for query in queries():
        expected = set(ids(held.search(query, method=method)))
        found = scanned.search(query, method=method, recall=recall)
        shares.append(len(expected & set(ids(found))) / len(expected))
        looked_at.append(found.plan.rescored / found.plan.units)
        assert found.plan.recall == recall
        assert found.plan.expected_recall >= recall
        assert set(found.plan.lanes.values()) <= {"rough", "exact"}
    assert np.mean(shares) >= recall
    assert np.median(looked_at) < 0.7


def test_recentred_hits_are_those_of_exact_scores(stores):
    encoder = Asking()
    held, scanned = (
        Searcher(encoder, stores[name], levelling=Levelling(encoder, stores[name], recentring=True))
        for name in ("held", "scanned")
    )
    for query in list(queries())[:6]:
        expected, found = held.search(query), scanned.search(query, recall=1.0)
        assert ids(found) == ids(expected)
        np.testing.assert_allclose([h.score for h in found], [h.score for h in expected], atol=1e-4)


@pytest.mark.parametrize("lanes", [None, ["text"]])
def test_with_hubs_held_back_scores_do_not_depend_on_what_was_compared(stores, lanes):
    encoder, snapshot = Asking(), stores["scanned"]
    levelling = Levelling(encoder, snapshot, recentring=True, hub_suppression=0.5)
    searcher = Searcher(encoder, snapshot, levelling=levelling)
    shares = []
    for query in [query for query in queries() if query.texts][:12]:
        exact = searcher.ranking(query, k=10, depth=UNITS, lanes=lanes, recall=1.0)
        found = searcher.ranking(query, k=10, lanes=lanes, recall=0.95)
        assert found.plan.rescored < UNITS
        there = [place.row for place in found.places]
        np.testing.assert_allclose(found.fused[there], exact.fused[there], atol=1e-3)
        best = {place.row for place in exact.places[:10]}
        shares.append(len(best & set(there[:10])) / 10)
    assert np.mean(shares) >= 0.95


def test_hits_that_are_found_have_their_exact_scores(stores):
    held, scanned = (Searcher(Asking(), stores[name]) for name in ("held", "scanned"))
    for query in list(queries())[:9]:
        exact = {hit.unit_id: hit.lanes for hit in held.search(query, k=UNITS)}
        for hit in scanned.search(query, recall=0.9):
            assert hit.lanes == pytest.approx(exact[hit.unit_id], abs=1e-5)


def test_pages_of_hits_follow_each_other(stores):
    scanned = Searcher(Asking(), stores["scanned"])
    query = Query(texts=("brush",), images=("i.png",))
    whole = ids(scanned.search(query, k=30, recall=1.0))
    pages = [ids(scanned.search(query, k=10, offset=start, recall=1.0)) for start in (0, 10, 20)]
    assert [hit for page in pages for hit in page] == whole


def test_one_hit_a_document_looks_at_as_many_units_as_it_takes(stores):
    held, scanned = (Searcher(Asking(), stores[name]) for name in ("held", "scanned"))
    query = Query.of("brush")
    expected = held.search(query, k=60, per_document=1)
    found = scanned.search(query, k=60, per_document=1, recall=0.99)
    assert len({hit.document_id for hit in found}) == len(found) == len(expected) == 60
    assert len(set(ids(found)) & set(ids(expected))) >= 57


def test_a_filter_comes_first_and_few_units_are_all_compared(stores):
    held, scanned = (Searcher(Asking(), stores[name]) for name in ("held", "scanned"))
    for value, few in ((3, False), (("d001", "d002"), True)):
        condition = Filter("document" if few else "part", "in" if few else "=", value)
        query = Query(texts=("brush",), images=("i.png",), filters=(condition,))
        found = scanned.search(query, recall=1.0)
        assert ids(found) == ids(held.search(query))
        assert found.plan.units == (2 * UNITS // DOCUMENTS if few else UNITS // 10)
        assert scanned.search(query).plan.is_exact or not few


def test_every_lane_s_exact_scores_can_be_had(stores):
    query = Query(texts=("brush",), images=("i.png",))
    held, scanned = (Searcher(Asking(), stores[name]).scores(query) for name in ("held", "scanned"))
    assert held.keys() == scanned.keys()
    for lane, scores in held.items():
        np.testing.assert_allclose(scanned[lane], scores, atol=1e-5)


@pytest.mark.parametrize("recall", [0, -0.1, 1.01, float("nan")])
def test_a_recall_that_cannot_be_is_refused(stores, recall):
    with pytest.raises(InputError, match="recall must be above 0 and at most 1"):
        Searcher(Asking(), stores["held"]).search(Query.of("brush"), recall=recall)


def test_nearest_gives_rows_scores_and_plan(stores):
    query = unit_vectors(np.random.default_rng(7), 2, 12, 16)
    held, scanned = (stores[name] for name in ("held", "scanned"))
    scores = held.field_scores("image_tokens", query, np.full(2, 0.5, np.float32))
    best = np.argsort(-np.nan_to_num(scores, nan=-2))[:10]
    for snapshot in (held, scanned):
        found = nearest(snapshot, "image_tokens", query, recall=1.0)
        np.testing.assert_array_equal(found.rows, best)
        np.testing.assert_allclose(found.scores, scores[best], atol=1e-5)
        assert found.plan.units == np.count_nonzero(~np.isnan(scores))
    mask = np.zeros(UNITS, np.bool_)
    mask[best[3:5]] = True
    assert nearest(scanned, "image_tokens", query, mask=mask).rows.tolist() == best[3:5].tolist()
    with pytest.raises(InputError, match="k must be at least 1, got 0"):
        nearest(scanned, "image_tokens", query, k=0)
