"""What a ranking holds, and that it is the search of before."""

from __future__ import annotations

import numpy as np
import pytest

from plait.errors import InputError
from plait.schema import Query
from plait.scoring.mixture import MixtureParameters
from plait.search.scale import Fusing

TEXTS = ["open the brush dialog", "choose a soft brush tip", "paint a stroke", "crop the picture", "undo"]


@pytest.fixture
def notes(library):
    return library({"d": [([text], []) for text in TEXTS], "e": [(["a brush and a comb"], [])]})


def test_a_ranking_has_the_hits_of_a_search_and_more_where_more_were_compared(notes):
    query = Query.of("soft brush")
    hits = notes.search(query, k=2)
    ranking = notes.ranking(query, k=2)
    assert len(ranking.places) > 2
    assert notes.hits(ranking, ranking.places[:2]) == hits
    assert [place.score for place in ranking.places] == sorted(
        (p.score for p in ranking.places), reverse=True
    )
    assert len(notes.ranking(query, k=1, depth=3).places) == 3
    assert len(notes.ranking(query, k=3, depth=1).places) == 3


def test_places_that_are_named_keep_their_score_and_the_order_in_which_they_are_named(notes):
    query = Query(texts=("soft brush", "crop"), text_weights=(1, -1))
    every = notes.ranking(query).places
    asked = [(place.row, place.part) for place in (every[3], every[0])]
    again = notes.ranking(query, among=asked).places
    assert [(place.row, place.part) for place in again] == asked
    assert [place.score for place in again] == pytest.approx([every[3].score, every[0].score])
    assert again[0].lanes == pytest.approx(every[3].lanes)


def test_a_place_that_the_query_does_not_speak_of_is_left_out(notes):
    query = Query.of("brush", document="e")
    (place,) = notes.ranking(query).places
    others = [(row, "") for row in range(len(notes.snapshot)) if row != place.row]
    assert notes.ranking(query, among=[*others, (place.row, "")]).places == [place]
    assert notes.ranking(query, among=others).places == []


def test_one_document_each_goes_on_until_there_are_enough(library):
    # the best 128 that are compared first are all of one document
    books = {"a": [([f"brush number {n}"], []) for n in range(300)]}
    books |= {name: [([f"a brush among many other things called {name}"], [])] for name in "bcd"}
    ranking = library(books).ranking(Query.of("brush number"), k=4, kind="document")
    assert [place.part for place in ranking.places] == [""] * 4
    hits = library(books, folder="again").hits(ranking, ranking.places)
    assert sorted(hit.id for hit in hits) == ["a", "b", "c", "d"]
    assert {hit.kind for hit in hits} == {"document"}


def test_options_out_of_range_are_refused(notes):
    with pytest.raises(InputError, match="at least 1"):
        notes.ranking(Query.of("brush"), k=0)
    with pytest.raises(InputError, match="unknown fusion method 'magic'"):
        notes.ranking(Query.of("brush"), method="magic")
    with pytest.raises(InputError, match="recall must be above 0"):
        notes.ranking(Query.of("brush"), recall=0)


LANES = {
    "bm25": np.array([0, 2, 5, 0, 1], np.float32),
    "text": np.array([0.1, 0.5, 0.3, np.nan, 0.2], np.float32),
    "image_tokens": np.array([np.nan, 0.9, np.nan, 0.4, np.nan], np.float32),
    "figure_words": np.array([np.nan, 0.2, np.nan, 0.3, np.nan], np.float32),
}
FITTED = MixtureParameters(figure_words=20.0, figure_bias=-4.0)


@pytest.mark.parametrize("weights", [None, {"bm25": 0.5, "image_tokens": 2.0}])
@pytest.mark.parametrize("parameters", [FITTED, None])
@pytest.mark.parametrize("method", ["gated", "zsum", "rrf"])
@pytest.mark.parametrize("names", [tuple(LANES), ("figure_words",), ("text",), ("bm25", "image_tokens")])
def test_units_score_on_their_own_scale_as_they_did(method, parameters, weights, names):
    lanes = {name: LANES[name] for name in names}
    fusing = Fusing(method, parameters, weights)
    np.testing.assert_allclose(fusing.on_scale(lanes, lanes), fusing.fused(lanes), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ["gated", "zsum", "rrf"])
def test_a_made_up_unit_scores_as_the_unit_that_it_equals(method):
    fusing = Fusing(method, FITTED, None)
    rows = {lane: scores[[2, 2, 1]] for lane, scores in LANES.items()}
    np.testing.assert_allclose(fusing.on_scale(rows, LANES), fusing.fused(LANES)[[2, 2, 1]], rtol=1e-5)


def test_ranks_of_a_made_up_unit_are_counted_among_the_units():
    # 3 of the units score above 0.25, so its rank is 4, and the bm25 lane ranks 1 unit before it
    fusing = Fusing("rrf", None, None)
    units = {"text": np.array([0.1, 0.5, 0.3, 0.9], np.float32), "bm25": np.array([0, 3, 0, 1], np.float32)}
    made_up = {"text": np.array([0.25], np.float32), "bm25": np.array([2], np.float32)}
    assert fusing.on_scale(made_up, units) == pytest.approx([1 / 64 + 1 / 62])
