"""Places in a new order: worked by hand, and over a library on disk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from plait.errors import QueryError
from plait.schema import Query, SearchRequest
from plait.search.ranking import Place
from plait.search.rerank.base import TOP, in_order, no_rerankers, reranked, shortlist, standardised
from plait.search.responding import Responder

NAN = float("nan")


@dataclass(frozen=True)
class Longest:
    """Prefers what has the most characters."""

    share: float = 1.0
    name: str = "longest"

    def scores(self, shortlist):
        lengths = [sum(len(passage.text) for passage in one.passages) for one in shortlist.candidates]
        return np.array(lengths, np.float32)


def places(*scores: float) -> list[Place]:
    return [Place(row, score, {"text": score}) for row, score in enumerate(scores)]


def rows(found: list[Place]) -> list[int]:
    return [place.row for place in found]


def test_both_scores_count_in_deviations_by_their_shares():
    # Old: 3, 2, 1 are 1.225, 0, -1.225 deviations; new: 0, 30, 0 are -0.707, 1.414, -0.707.
    found = in_order(places(3, 2, 1), np.array([0, 30, 0], np.float32), 0.5)
    assert rows(found) == [1, 0, 2]  # 0.707, 0.259, -0.966
    # The sums lie 1.673 apart and the old scores 2, so the one between gets 3 - 0.448 x 2 / 1.673.
    np.testing.assert_allclose([place.score for place in found], [3, 2.465, 1], atol=1e-3)


def test_a_share_of_nothing_leaves_the_order_and_one_of_all_makes_it():
    said = np.array([0, 1, 5], np.float32)
    assert rows(in_order(places(3, 2, 1), said, 0.0)) == [0, 1, 2]
    assert rows(in_order(places(3, 2, 1), said, 1.0)) == [2, 1, 0]


def test_a_place_without_a_new_score_keeps_its_standing():
    found = in_order(places(3, 2, 1), np.array([NAN, 0, 1], np.float32), 1.0)
    assert rows(found) == [0, 2, 1]  # 1.225 of its own, then 1 and -1
    alike = in_order(places(5, 4, 3, 2, 1), np.array([7, 7, 7, NAN, NAN], np.float32), 0.9)
    assert rows(alike) == [0, 1, 2, 3, 4]  # nothing was said that could lower the first three
    untouched = in_order(places(3, 2, 1), np.full(3, NAN, np.float32), 1.0)
    assert untouched == places(3, 2, 1)


def test_places_that_were_not_scored_stay_behind_as_they_were():
    found = in_order(places(5, 4, 2, 1), np.array([0, 1], np.float32), 1.0)
    assert rows(found) == [1, 0, 2, 3]
    assert [place.score for place in found] == [5, 4, 2, 1]
    assert found[0].lanes == {"text": 4}  # by which confidences are found


def test_scores_that_are_all_alike_change_nothing():
    assert in_order(places(3, 3, 3), np.ones(3, np.float32), 0.7) == places(3, 3, 3)
    assert standardised(np.array([2.0, NAN, 2.0])).tolist() == pytest.approx([0, NAN, 0], nan_ok=True)


def test_a_search_gives_its_first_places_in_the_new_order(library):
    searcher = library({"guide": [(["seal " + "pump " * n], []) for n in range(TOP + 3)]})
    plain = searcher.ranking(Query.of("seal"), k=TOP + 3)
    again = reranked(plain, [Longest()], searcher)
    first = rows(plain.places[:TOP])
    assert rows(again.places) == [*sorted(first, reverse=True), *rows(plain.places[TOP:])]
    scores = [place.score for place in again.places]
    assert scores == sorted(scores, reverse=True)
    assert {place.row: place.lanes for place in again.places} == {
        place.row: place.lanes for place in plain.places
    }


def test_of_parts_each_is_scored_by_its_own_words(library, figure):
    searcher = library({"guide": [(["seal", "the seal of a pump"], [figure("red")])]})
    request = SearchRequest(Query.of("seal"), kind="passage", fold=False)
    found = Responder(rerankers=lambda names: [Longest()]).respond(searcher, request)
    assert [hit.id for hit in found] == ["guide:0.p1", "guide:0.p0"]
    assert [hit.id for hit in Responder().respond(searcher, request)] == ["guide:0.p0", "guide:0.p1"]


def test_pages_go_on_in_the_new_order(library):
    searcher = library({"guide": [(["seal " + "pump " * n], []) for n in range(6)]})
    responder = Responder(rerankers=lambda names: [Longest()])
    request = SearchRequest(Query.of("seal"), k=4, fold=False)
    first = responder.respond(searcher, request)
    second = responder.respond(
        searcher, SearchRequest(Query.of("seal"), k=4, fold=False, cursor=first.next_cursor)
    )
    assert [hit.id for hit in (*first, *second)] == [f"guide:{n}" for n in (5, 4, 3, 2, 1, 0)]


def test_a_name_is_refused_where_no_reranker_is_set_up():
    assert (no_rerankers(None), no_rerankers(())) == ((), ())
    with pytest.raises(QueryError, match="names vlm"):
        no_rerankers(["vlm"])


def test_the_passage_nearest_to_the_words_is_read_under_its_headings(library, figure):
    units = [
        (["the boiler", "the seal of a pump"], [figure("red")]),
        (["a seal"], []),
        ([], [figure("blue")]),
    ]
    searcher = library({"guide": units})
    given = shortlist(
        searcher.ranking(Query.of("seal of a pump", figure("blue").picture.path), k=3), searcher
    )
    read = dict(zip(given.rows, given.best_passages(), strict=True))
    heading = given.candidates[0].heading
    assert read == {0: f"{heading}\nthe seal of a pump", 1: f"{heading}\na seal", 2: heading}
    pictures = shortlist(searcher.ranking(Query.of("", figure("red").picture.path), k=1), searcher)
    assert pictures.best_passages()[0] == f"{heading}\nthe boiler"  # no words are asked: the first
