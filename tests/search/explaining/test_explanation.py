"""Explanations of hits in a small library that is really stored, in memory and scanned."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from tests.helpers.tiny_encoder import TinyEncoder

from plait.errors import InputError
from plait.index.backends.lancedb import LanceIndex
from plait.library.explaining import explain
from plait.schema import Box, Filter, Query, SearchRequest
from plait.search.searcher import Searcher

VALVE = "turn the brass valve slowly"
PUMP = "the pump needs oil"
METHODS = ("gated", "zsum", "rrf")


@dataclass(frozen=True)
class PlacedEncoder(TinyEncoder):
    """Knows that the four tokens of a figure are its quarters."""

    def token_grid(self, field):
        return (2, 2) if field == "image_tokens" else None


@pytest.fixture
def searcher(library, figure):
    found = library(
        {
            "a": [([VALVE, "see also the index"], [figure("red", "blue")]), ([PUMP], [figure("green")])],
            "b": [(["the index of words"], [figure("grey")]), (["blue paint"], [])],
            "c": [(["oil paint and brass"], [figure("blue", "grey")])],
        },
        metadata={"a": {"lang": "en"}, "b": {"lang": "de"}, "c": {"lang": "en"}},
    )
    return replace(found, encoder=PlacedEncoder())


def why(searcher, query, id, **options):
    return explain(searcher, SearchRequest(query, **options), id, path_of=lambda path: f"/library/{path}")


def positive(shares):
    return sum(share for share in shares.values() if share > 0)


def test_words_alone_have_all_shares(searcher):
    for method in METHODS:
        found = why(searcher, Query.of("brass valve"), "a:0", method=method)

        assert found.parts == {"text 1": 1.0}
        assert found.sides == {"text": 1.0}
        assert found.lanes.keys() == {"bm25", "text"}
        assert positive(found.lanes) == pytest.approx(1)
        assert min(found.lanes.values()) > 0
        assert (found.gates, found.heat) == ({}, None)


def test_a_picture_alone_has_all_shares(searcher, picture):
    for method in METHODS:
        found = why(searcher, Query(images=(picture("red", "blue"),)), "a:0", method=method)

        assert found.parts == {"image 1": 1.0}
        assert found.sides == {"image": 1.0}
        assert positive(found.lanes) == pytest.approx(1)
        assert found.words == ()


def test_both_are_told_apart_by_what_matches(searcher, picture):
    query = Query(texts=("brass valve",), images=(picture("green"),))
    for method in METHODS:
        by_words = why(searcher, query, "a:0", method=method)
        by_picture = why(searcher, query, "a:1", method=method)

        for found in (by_words, by_picture):
            assert positive(found.parts) == positive(found.sides) == pytest.approx(1)
            assert positive(found.lanes) == pytest.approx(1)
        assert by_words.parts["text 1"] > by_words.parts["image 1"]
        assert by_picture.parts["image 1"] > by_picture.parts["text 1"]
        assert by_picture.sides["image"] > by_picture.sides["text"]


def test_one_lane_is_all(searcher):
    found = why(searcher, Query.of("brass valve"), "a:0", lanes=("bm25",))
    assert found.lanes == {"bm25": 1.0}


def test_a_unit_without_figures_owes_pictures_nothing(searcher, picture):
    found = why(searcher, Query(texts=("blue paint",), images=(picture("red"),)), "b:1")

    assert found.parts == {"text 1": 1.0, "image 1": 0.0}
    assert found.sides == {"text": 1.0}
    assert found.heat is None


def test_shares_of_texts_follow_what_the_unit_says_and_their_weights(searcher):
    query = Query(texts=("brass valve", "needs oil"))
    assert why(searcher, query, "a:0").parts["text 1"] > 0.9
    assert why(searcher, query, "a:1").parts["text 2"] > 0.9

    both = why(searcher, Query(texts=("brass", "oil"), text_weights=(3, 1)), "c:0").parts
    assert both["text 1"] > both["text 2"] > 0


def test_pictures_are_left_out_one_by_one(searcher, picture):
    query = Query(images=(picture("green"), picture("red", "blue")))
    assert why(searcher, query, "a:1").parts["image 1"] > 0.9
    assert why(searcher, query, "a:0").parts["image 2"] > 0.9


def test_what_is_unwanted_speaks_against_the_hit(searcher):
    query = Query(texts=("brass", "oil paint"), text_weights=(1, -0.5))

    against = why(searcher, query, "c:0").parts
    spared = why(searcher, query, "a:0").parts

    assert against["text 1"] == pytest.approx(1)
    assert against["text 2"] < 0
    assert spared == {"text 1": 1.0, "text 2": 0.0}


def test_what_is_liked_is_one_part_whatever_it_holds(searcher):
    query = Query(texts=("oil paint",), like=("a:0",))
    found = why(searcher, query, "c:0")

    assert found.parts.keys() == {"text 1", "like 1"}
    assert positive(found.parts) == pytest.approx(1)


def test_words_stand_where_they_are_in_the_best_passage(searcher):
    found = why(searcher, Query.of("valves of brass"), "a:0")

    assert found.passage == VALVE
    assert [(word.text, word.by) for word in found.words] == [("brass", "word"), ("valve", "word")]
    assert [VALVE[word.start : word.end] for word in found.words] == ["brass", "valve"]
    assert (found.page, found.box) == (1, Box(0, 0, 1, 1))


def test_the_heat_lies_over_what_the_picture_asked_shows(searcher, picture):
    found = why(searcher, Query(images=(picture("blue"),)), "a:0").heat

    assert found.picture.startswith("/library/")
    assert found.picture.endswith("red-blue.png")
    assert (found.rows, found.columns) == (2, 2)
    left, right = found.values[0::2], found.values[1::2]
    assert right == (1.0, 1.0)
    assert max(left) < 0.01
    assert found.box == Box(0, 0, 0.5, 0.5)


def test_the_region_asked_with_is_told_on_the_whole_image(searcher, picture):
    query = Query(images=(picture("grey", "blue"),), image_boxes=(Box(0.5, 0, 1, 1),))
    box = why(searcher, query, "a:0").heat.query_box

    assert 0.5 <= box.left < box.right <= 1
    assert (box.right - box.left, box.bottom - box.top) == (0.25, 0.5)


def test_a_figure_that_is_not_why_the_unit_was_found_is_not_heated(searcher, picture):
    found = why(searcher, Query(texts=("index",), images=(picture("red"),)), "b:0", weights={"bm25": 9})
    assert found.sides["image"] < 0
    assert found.heat is None


def test_parts_and_documents_are_explained_as_they_are_found(searcher, picture):
    query = Query(texts=("the index of the pump",), images=(picture("green"),))
    for id, kind in {"a:0.p1": "passage", "a:1.f0": "figure", "a": "document", "a:0": None}.items():
        ranking = searcher.ranking(query, k=20, kind=kind)
        (hit,) = [hit for hit in searcher.hits(ranking, ranking.places) if hit.id == id]

        found = why(searcher, query, id, kind=kind)

        assert found.id == id
        assert found.score == pytest.approx(hit.score, rel=1e-5)
        assert found.passage == hit.passage
        assert positive(found.parts) == pytest.approx(1)


def test_scanned_and_in_memory_explain_alike(searcher, picture, tmp_path):
    query = Query(texts=("brass valve", "oil"), images=(picture("red"),), text_weights=(1, -1))
    found = {
        exact: why(
            Searcher(
                PlacedEncoder(),
                LanceIndex(tmp_path / "store", TinyEncoder().fields, exact_bytes=exact).snapshot(),
            ),
            query,
            "a:0",
        )
        for exact in (0, 1 << 20)
    }

    assert found[0].parts == pytest.approx(found[1 << 20].parts, abs=1e-4)
    assert found[0].lanes == pytest.approx(found[1 << 20].lanes, abs=1e-4)
    assert found[0].words == found[1 << 20].words
    assert found[0].heat.values == pytest.approx(found[1 << 20].heat.values, abs=1e-3)


def test_an_id_that_is_not_there_is_refused(searcher):
    for id in ("z", "z:0", "a:9", "a:0.p7", "a:0.t0", "a:0.x1", "a:", "", "a:0.", "a:-1", "a:٣"):
        with pytest.raises(InputError, match="holds nothing of id"):
            why(searcher, Query.of("brass"), id)


def test_what_the_request_does_not_find_is_refused(searcher):
    filtered = Query(texts=("brass",), filters=(Filter("lang", "=", "de"),))
    with pytest.raises(InputError, match="does not find a:0"):
        why(searcher, filtered, "a:0")
    with pytest.raises(InputError, match="does not find a:0"):
        why(searcher, Query.of("paint"), "a:0", lanes=("bm25",))
    with pytest.raises(InputError, match="does not find a:0"):
        why(searcher, Query(like=("a:0",)), "a:0")


def test_a_library_of_one_unit_has_nothing_to_compare_it_with(library):
    found = why(library({"a": [([VALVE], [])]}), Query.of("brass"), "a:0")
    assert found.parts == {"text 1": 1.0}
    assert positive(found.lanes) == pytest.approx(1)
