"""What frameworks ask and are told, apart from any of them."""

from __future__ import annotations

import pytest

from plait.errors import QueryError
from plait.integrations.told import asked, facts_of, words_of
from plait.schema import Hit, Query, SearchRequest


def test_words_and_options_make_one_request() -> None:
    options = {"kind": "figure", "query": {"texts": ["rust"], "text_weights": [-0.5]}}
    wanted = Query(("gear", "rust"), text_weights=(1.0, -0.5))
    assert asked("gear", k=3, options=options) == SearchRequest(wanted, k=3, kind="figure")


def test_pictures_come_before_those_of_the_options() -> None:
    request = asked(
        images=("a.png",), options={"query": {"images": [{"path": "b.png"}], "image_weights": [2]}}
    )
    assert request.query == Query(images=("a.png", "b.png"), image_weights=(1.0, 2.0))


@pytest.mark.parametrize("options", [{"sort": 1}, {"query": {"text": "x"}}, {"kind": "sofa"}])
def test_options_that_cannot_be_meant_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"sort|text|sofa"):
        asked("gear", options=options)


def test_nothing_asked_is_refused() -> None:
    with pytest.raises(QueryError, match="empty"):
        asked("  ")


def test_a_hit_without_words_is_told_by_its_title() -> None:
    hit = Hit(1, 0.5, "D:0", "D", "Valves", "valves.png")
    assert words_of(hit) == "Valves"
    assert facts_of(hit) == {
        "id": "D:0",
        "kind": "section",
        "title": "Valves",
        "source": "valves.png",
        "document_id": "D",
        "rank": 1,
        "score": 0.5,
    }
