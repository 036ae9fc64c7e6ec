"""Lanes levelled before they are fused: off changes nothing, on changes the same whatever was compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.helpers.tiny_encoder import TinyEncoder

from plait.errors import InputError
from plait.schema import Filter, Query
from plait.scoring.mixture import MixtureParameters
from plait.search.asking import Asked
from plait.search.levelling import Levelling
from plait.search.meeting import Meeting
from plait.search.searcher import Searcher

SWITCHES = {"recentring": {"recentring": True}, "hubs": {"hub_suppression": 0.5}}
SWITCHES["both"] = SWITCHES["recentring"] | SWITCHES["hubs"]
WORDS = ("valve", "pump", "seal", "filter", "motor", "belt", "wheel", "brake")
MIXED = replace(TinyEncoder(), mixture=MixtureParameters())


@pytest.fixture
def shop(library, figure) -> Searcher:
    """Return 24 units with one of eight words each, of which half show something; and one with all eight."""
    shown = [figure("red"), figure("green", "blue"), figure("grey")]
    documents = {f"d{at:02}": [([WORDS[at % 8]], [shown[at % 3]] if at % 2 else [])] for at in range(24)}
    searcher = library(documents | {"hub": [([" ".join(WORDS)], [])]})
    return replace(searcher, encoder=MIXED)


def levelled(searcher: Searcher, **options) -> Searcher:
    return replace(searcher, levelling=Levelling(searcher.encoder, searcher.snapshot, **options))


def question(figure, *, less: bool = False) -> Query:
    image = figure("red", "grey").picture.path
    weights = (1.0, -0.5) if less else (1.0,)
    return Query(texts=("valve seal", "motor")[: len(weights)], images=(image,), text_weights=weights)


def scored(ranking) -> dict[tuple[int, str], float]:
    return {(place.row, place.part): place.score for place in ranking.places}


@pytest.mark.parametrize("method", ["gated", "zsum", "rrf"])
def test_off_is_as_before_bit_for_bit(shop, figure, method) -> None:
    query = question(figure, less=True)
    before, off = (one.ranking(query, k=25, method=method) for one in (shop, levelled(shop)))
    assert off.places == before.places
    np.testing.assert_array_equal(off.fused, before.fused)


@pytest.mark.parametrize("options", SWITCHES.values(), ids=SWITCHES)
def test_scores_move_by_what_was_fixed_and_what_lanes_say_stays_raw(shop, figure, options) -> None:
    searcher, query = levelled(shop, **options), Query.of("valve seal")
    before, after = (one.ranking(query, k=25, lanes=["text"]) for one in (shop, searcher))
    asked = Asked.of(query, ("text",), Meeting(searcher.encoder, searcher.snapshot))
    moves = searcher.levelling.moves(asked)["text"]
    assert np.abs(moves).max() > 0.01
    np.testing.assert_allclose(after.fused - before.fused, 15 * moves, atol=1e-4)  # 15 nats a unit of cosine
    raw = {place.row: place.lanes for place in before.places}
    assert all(place.lanes == pytest.approx(raw[place.row], abs=1e-6) for place in after.places)


@pytest.mark.parametrize("kind", [None, "passage", "figure"])
def test_later_pages_have_the_scores_of_the_first(shop, figure, kind) -> None:
    searcher, query = levelled(shop, **SWITCHES["both"]), question(figure, less=True)
    whole = scored(searcher.ranking(query, k=25, kind=kind))
    assert whole != scored(shop.ranking(query, k=25, kind=kind))
    some = list(whole)[1::3]
    again = scored(searcher.ranking(query, k=2, kind=kind, among=some))
    assert again == pytest.approx({key: whole[key] for key in some}, rel=1e-4, abs=1e-4)


def test_a_filter_changes_no_score(shop) -> None:
    searcher, query = levelled(shop, **SWITCHES["both"]), Query.of("valve seal")
    whole = scored(searcher.ranking(query, k=25))
    few = replace(query, filters=(Filter("document", "in", ("d01", "d03", "hub")),))
    found = scored(searcher.ranking(few, k=25))
    assert len(found) == 3
    assert found == pytest.approx({key: whole[key] for key in found}, abs=1e-5)


def test_a_unit_near_to_every_query_goes_down(shop) -> None:
    asked = Asked.of(Query.of("valve"), ("text",), Meeting(shop.encoder, shop.snapshot))
    moves = levelled(shop, hub_suppression=1.0).levelling.moves(asked)["text"]
    (hub,) = shop.snapshot.documents_of()["hub"]
    assert moves.argmin() == hub
    query = Query.of("valve pump seal")  # the hub has a cosine of 0.61, nine units one of 0.58
    ranks = [
        [place.row for place in one.ranking(query, k=25, lanes=["text"]).places].index(hub)
        for one in (shop, levelled(shop, hub_suppression=1.0))
    ]
    assert ranks == [0, 9]


def test_kinds_of_units_get_one_mean_in_a_lane(shop) -> None:
    asked = Asked.of(Query.of("valve"), ("text",), Meeting(shop.encoder, shop.snapshot))
    text = asked.scores()["text"] + levelled(shop, recentring=True).levelling.moves(asked)["text"]
    shows = shop.snapshot.holding("figure")
    assert text[shows].mean() == pytest.approx(text[~shows].mean(), abs=1e-6)


class Mute(TinyEncoder):
    def encode_query(self, query):
        raise AssertionError("not asked for")


def test_where_words_alone_are_compared_no_bank_is_made(shop) -> None:
    searcher, query = replace(shop, encoder=Mute()), Query.of("valve seal")
    before, after = (
        one.ranking(query, lanes=["bm25"]) for one in (searcher, levelled(searcher, **SWITCHES["both"]))
    )
    assert after.places == before.places


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_cannot_be_is_refused(shop, share) -> None:
    with pytest.raises(InputError, match=r"hub_suppression must be from 0 to 1, got"):
        levelled(shop, hub_suppression=share)
