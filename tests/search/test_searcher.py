"""The whole way from a query to explained hits, over a real store and a real (tiny) encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plait.errors import InputError, QueryError
from plait.schema import Box, Filter, Query
from plait.search.searcher import Searcher


@pytest.fixture
def handbook(library, figure) -> Searcher:
    return library(
        {
            "brush": [
                (["open the brush dialog", "choose a soft brush tip"], [figure("red", "grey")]),
                (["paint a stroke slowly"], [figure("green"), figure("blue", "grey")]),
            ],
            "crop": [(["crop the picture to a square"], [figure("green", "red")]), (["undo the crop"], [])],
            "notes": [([], [figure("blue")])],
        },
        {"brush": {"year": 2020}, "crop": {"year": 2024}, "notes": {"year": 2024}},
    )


def ids(hits):
    return [hit.unit_id for hit in hits]


def test_text_finds_the_passage_and_says_where_it_stands(handbook):
    hit = handbook.search(Query.of("a soft tip"))[0]
    assert (hit.rank, hit.unit_id, hit.document_id, hit.title) == (1, "brush:0", "brush", "Brush")
    assert (hit.passage, hit.anchor, hit.page, hit.box) == (
        "choose a soft brush tip",
        "p1",
        1,
        Box(0, 0, 1, 1),
    )
    assert hit.place == "page 1, Chapter"
    assert hit.source == "brush.html"
    assert hit.metadata == {"year": 2020}
    assert set(hit.lanes) == {"bm25", "text"}
    assert Path(hit.picture).name == "red-grey.png"


def test_an_image_finds_the_figure_and_says_where_it_stands(handbook, picture):
    hit = handbook.search(Query.of(image=picture("blue", "grey")))[0]
    assert hit.unit_id == "brush:1"
    assert (Path(hit.picture).name, hit.caption) == ("blue-grey.png", "blue grey")
    assert (hit.page, hit.box) == (7, Box(0, 0, 0.5, 0.5))
    assert hit.passage == "paint a stroke slowly"
    assert hit.lanes == pytest.approx({"image": 1, "image_tokens": 1}, abs=2e-3)


def test_encoded_bytes_ask_as_a_path_does(handbook, picture):
    path = picture("blue", "grey")
    by_bytes = handbook.search(Query.of(image=Path(path).read_bytes()))
    assert by_bytes == handbook.search(Query.of(image=path))


def test_text_and_image_together_agree_on_the_unit_that_has_both(handbook, picture):
    hits = handbook.search(Query.of("crop", image=picture("green", "red")))
    assert hits[0].unit_id == "crop:0"
    assert set(hits[0].lanes) == {"bm25", "text", "image", "image_tokens"}
    assert hits[0].anchor == "p0"  # the words' place, not the figure's


def test_units_without_figures_do_not_answer_an_image(handbook, picture):
    assert "crop:1" not in ids(handbook.search(Query.of(image=picture("red"))))


def test_a_unit_with_only_a_figure_is_placed_by_it(handbook, picture):
    hits = handbook.search(Query.of("stroke", image=picture("blue")))
    (notes,) = [hit for hit in hits if hit.unit_id == "notes:0"]
    assert (notes.passage, notes.page, notes.box) == ("", 7, Box(0, 0, 0.5, 0.5))


def test_only_words_are_compared_when_only_that_lane_is_asked(handbook):
    hits = handbook.search(Query.of("crop"), lanes=["bm25"])
    assert set(ids(hits)) == {"crop:0", "crop:1"}
    assert hits[0].passage == "crop the picture to a square" or hits[0].passage == "undo the crop"
    assert handbook.search(Query.of("zebra"), lanes=["bm25"]) == []


def test_scores_are_the_lanes_raw_scores_of_every_unit(handbook, picture):
    scores = handbook.scores(Query.of("crop", image=picture("red")))
    assert list(scores) == ["bm25", "text", "image", "image_tokens"]
    assert all(lane.shape == (5,) for lane in scores.values())
    assert np.isnan(scores["image"]).tolist() == [False, False, False, True, False]
    assert list(handbook.scores(Query.of("crop"), ["text"])) == ["text"]


def test_weights_of_several_texts_are_shares(handbook):
    once = handbook.scores(Query(texts=("crop", "brush"), text_weights=(1, 3)))
    scaled = handbook.scores(Query(texts=("crop", "brush"), text_weights=(10, 30)))
    for lane, scores in once.items():
        np.testing.assert_allclose(scaled[lane], scores, rtol=1e-6)
    same_twice = handbook.scores(Query(texts=("crop", "crop")))
    np.testing.assert_allclose(same_twice["bm25"], handbook.scores(Query.of("crop"))["bm25"], rtol=1e-6)


def test_filters_apply_before_ranking(handbook):
    hits = handbook.search(Query.of("the brush", year=2024), k=1)
    assert hits[0].document_id == "crop"  # not nothing, though the best two units are filtered out
    assert handbook.search(Query.of("brush", year=1999)) == []
    with pytest.raises(QueryError, match=r"no stored document has a field 'nothing'.*year"):
        handbook.search(Query.of("brush", nothing="x"))


def test_a_filtered_search_ranks_as_a_library_of_only_those_units(handbook, library, figure, picture):
    alone = library(
        {"crop": [(["crop the picture to a square"], [figure("green", "red")]), (["undo the crop"], [])]},
        {"crop": {"year": 2024}},
        folder="alone",
    )
    query = Query(
        texts=("undo the crop",), images=(picture("red"),), filters=(Filter("document", "=", "crop"),)
    )
    lanes = ["text", "image", "image_tokens"]  # BM25 keeps the whole library's statistics
    filtered = handbook.search(query, lanes=lanes)
    expected = alone.search(query, lanes=lanes)
    assert ids(filtered) == ids(expected)
    assert [hit.score for hit in filtered] == pytest.approx([hit.score for hit in expected], abs=1e-5)


def test_pages_of_hits_join_up(handbook):
    everything = handbook.search(Query.of("the brush"), k=10)
    pages = [handbook.search(Query.of("the brush"), k=2, offset=start) for start in (0, 2, 4)]
    assert [hit for page in pages for hit in page] == everything
    assert [hit.rank for hit in everything] == list(range(1, len(everything) + 1))
    assert handbook.search(Query.of("the brush"), offset=100) == []


def test_per_document_keeps_the_best_of_each(handbook):
    everything = handbook.search(Query.of("the brush"))
    one_each = handbook.search(Query.of("the brush"), per_document=1)
    first_of = {hit.document_id: hit.unit_id for hit in reversed(everything)}
    assert sorted(ids(one_each)) == sorted(first_of.values())
    assert [hit.score for hit in one_each] == sorted((hit.score for hit in one_each), reverse=True)
    assert ids(handbook.search(Query.of("the brush"), per_document=5)) == ids(everything)


def test_equal_scores_keep_the_order_of_the_library(library):
    same = library({name: [(["same words here"], [])] for name in ("c", "a", "d", "b")})
    for method in ("gated", "zsum", "rrf"):
        assert ids(same.search(Query.of("words"), method=method)) == ["a:0", "b:0", "c:0", "d:0"]


def test_reciprocal_ranks_stay_in_order_far_down(library):
    # the last bits of a rank sum still tell unit 1,500 from 1,501
    texts = [" ".join(["word"] + ["other"] * number) for number in range(1600)]
    long = library({"book": [([text], []) for text in texts]})
    hits = long.search(Query.of("word"), k=1600, method="rrf", lanes=["bm25"])
    assert ids(hits) == [f"book:{number}" for number in range(1600)]


def test_lanes_that_were_not_asked_are_not_read(handbook, picture):
    query = Query.of("brush", image=picture("blue"))
    hits = handbook.search(query, lanes=["text"])
    assert set(hits[0].lanes) == {"text"}
    assert set(handbook.snapshot._loaded) == {"text"}


@pytest.mark.parametrize("method", ["gated", "zsum", "rrf"])
def test_every_method_finds_the_obvious_unit(handbook, picture, method):
    assert (
        handbook.search(Query.of("paint stroke", image=picture("green")), method=method)[0].unit_id
        == "brush:1"
    )


def test_an_empty_library_answers_with_nothing(library, picture):
    assert library({}).search(Query.of("anything", image=picture("red"))) == []


@pytest.mark.parametrize("wrong", [{"k": 0}, {"offset": -1}, {"per_document": 0}, {"method": "magic"}])
def test_options_out_of_range_are_refused(handbook, wrong):
    with pytest.raises(InputError):
        handbook.search(Query.of("brush"), **wrong)


def test_lanes_that_cannot_answer_are_named(handbook, picture, tmp_path):
    with pytest.raises(QueryError, match="unknown lane sound"):
        handbook.search(Query.of("brush"), lanes=["sound"])
    with pytest.raises(QueryError, match="it can be answered by bm25, text"):
        handbook.search(Query.of("brush"), lanes=["image"])
    (tmp_path / "not.png").write_text("words")
    with pytest.raises(QueryError, match="not an image"):
        handbook.search(Query.of(image=str(tmp_path / "not.png")))
