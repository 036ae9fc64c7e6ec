"""Lane weights in a search: what counts nothing is not asked, and nothing else changes."""

from __future__ import annotations

import pytest

from plait.errors import InputError, QueryError
from plait.schema import Query
from plait.search.searcher import Searcher


@pytest.fixture
def handbook(library, figure) -> Searcher:
    return library(
        {
            "brush": [(["open the brush dialog"], [figure("red", "grey")]), (["paint"], [figure("green")])],
            "crop": [(["crop the picture to a square"], [figure("green", "red")])],
        }
    )


def test_a_search_without_weights_is_the_same(handbook, picture):
    query = Query.of("crop the brush", image=picture("green"))
    plain = handbook.search(query)
    assert handbook.search(query, weights={}) == plain
    assert handbook.search(query, weights={"bm25": 1.0}) == plain


def test_a_lane_of_weight_zero_is_not_asked(handbook, picture):
    query = Query.of("crop the brush", image=picture("green"))
    left = handbook.search(query, weights={"image": 0, "image_tokens": 0})
    assert left == handbook.search(query, lanes=("bm25", "text"))
    assert set(left[0].lanes) == {"bm25", "text"}


def test_weights_decide_which_side_wins(handbook, picture):
    query = Query.of("crop the picture", image=picture("red", "grey"))
    words = handbook.search(query, method="zsum", weights={"image": 0.1, "image_tokens": 0.1})
    shown = handbook.search(query, method="zsum", weights={"bm25": 0.1, "text": 0.1})
    assert (words[0].unit_id, shown[0].unit_id) == ("crop:0", "brush:0")


def test_wrong_weights_say_what_is_wrong(handbook, picture):
    with pytest.raises(QueryError, match="unknown lane colour: this library has bm25, text, image"):
        handbook.search(Query.of("crop"), weights={"colour": 1})
    with pytest.raises(InputError, match="the weight of lane text must be a number of 0 or more, got -1"):
        handbook.search(Query.of("crop"), weights={"text": -1})
    with pytest.raises(QueryError, match="the query asks image, image_tokens, and each has weight 0"):
        handbook.search(Query.of(image=picture("red")), weights={"image": 0, "image_tokens": 0})
