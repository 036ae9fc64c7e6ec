"""Opinions come over HTTP about queries that were asked, in the form that is documented, or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.tiny_encoder import TinyEncoder
from tests.serve.conftest import TOKEN, Service, drawn, running

from plait import Library
from plait.errors import InputError
from plait.library.feedback import Feedback
from plait.schema import Query
from plait.serve.feedback import RecentQueries
from plait.serve.http import create_app
from plait.serve.refusals import Refusal


def asked(service: Service, text: str = "safety valve") -> tuple[str, str]:
    """Return the id of a query and of its first hit."""
    found = service.client.post("/search", data={"text": text}, files={"image": drawn("brown")}).json()
    return found["query_id"], found["hits"][0]["unit_id"]


def test_a_hit_is_judged_and_the_judgement_taken_back(service: Service, library: Library) -> None:
    query, unit = asked(service)
    feedback = Feedback(library.folder)
    for grade in (1, 0):
        reply = service.client.post(
            "/feedback", json={"query": query, "unit": unit, "grade": grade, "rank": 1}
        )
        assert (reply.status_code, reply.json()) == (200, {"kept": True})
        (counted, opinion), *_ = feedback.grades()[query].values()
        assert (counted, opinion.rank) == (grade, 1)
    assert feedback.queries()[query].texts == ("safety valve",)
    service.client.post("/feedback", json={"query": query, "unit": unit, "grade": None})
    assert feedback.grades() == {}


def test_clicks_are_kept_only_where_that_is_set(service: Service, library: Library, tmp_path: Path) -> None:
    query, unit = asked(service)
    click = {"query": query, "unit": unit, "click": True}
    assert service.client.post("/feedback", json=click).json() == {"kept": False}
    assert Feedback(library.folder).opinions() == []
    for setting, status, kept in (("clicks", 200, 1), ("off", 403, 1)):
        changed = replace(library.settings, feedback=setting)
        with (
            Library(library.folder, encoder=TinyEncoder(), settings=changed) as other,
            running(create_app(other, token=TOKEN)) as open_service,
        ):
            query, unit = asked(open_service)
            reply = open_service.client.post("/feedback", json={"query": query, "unit": unit, "click": True})
            assert (reply.status_code, len(Feedback(library.folder).opinions())) == (status, kept)


def test_a_mistyped_setting_stops_the_service_before_it_begins(library: Library) -> None:
    changed = replace(library.settings, feedback="judgments")
    with (
        Library(library.folder, encoder=TinyEncoder(), settings=changed) as other,
        pytest.raises(InputError, match="off, judgements, clicks"),
    ):
        create_app(other, token=TOKEN)


def test_what_is_not_of_the_form_is_refused_and_nothing_is_kept(service: Service, library: Library) -> None:
    query, unit = asked(service)
    good = {"query": query, "unit": unit, "grade": 1}
    bad = [
        {**good, "grade": 9},
        {**good, "grade": 1.5},
        {**good, "grade": True},
        {**good, "click": True},
        {**good, "rank": -1},
        {**good, "rank": "first"},
        {**good, "more": 1},
        {"query": query, "unit": unit},
        {"query": query, "unit": unit, "click": False},
        {**good, "unit": 3},
        [good],
        "x",
    ]
    for body in bad:
        reply = service.client.post("/feedback", json=body)
        assert reply.status_code == 400, (body, reply.text)
        assert reply.json()["kind"] == "InputError"
    assert service.client.post("/feedback", content=b"{").status_code == 400
    for unknown in ({**good, "query": "0" * 16}, {**good, "unit": "nobody:0"}):
        assert service.client.post("/feedback", json=unknown).status_code == 404
    assert service.stranger.post("/feedback", content=json.dumps(good)).status_code == 401
    assert Feedback(library.folder).opinions() == []


def test_the_oldest_queries_are_forgotten_when_there_are_too_many_or_too_large() -> None:
    recent = RecentQueries()
    names = [recent.remember(Query.of(f"question {k}")) for k in range(1001)]
    with pytest.raises(Refusal):
        recent.find(names[0])
    assert recent.find(names[1]).texts == ("question 1",)
    large = [recent.remember(Query.of("", bytes([k]) * 40_000_000)) for k in range(2)]
    with pytest.raises(Refusal):
        recent.find(large[0])
    assert recent.find(large[1])
