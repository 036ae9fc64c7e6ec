"""The nouns: queries refuse what cannot be asked, and every noun survives its JSON form."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.errors import InputError, QueryError
from plait.schema import (
    Box,
    Document,
    Filter,
    Hit,
    Hits,
    Page,
    Passage,
    Picture,
    Query,
    SearchPlan,
    SearchRequest,
    Segment,
    TimeSpan,
    Unit,
    unit_from_dict,
)

BOX = Box(0.25, 0, 0.5, 1)
PICTURE = Picture("a/b.png", "ab" * 32, 30, 20)


def test_a_query_of_nothing_is_refused() -> None:
    for nothing in (Query.of, lambda: Query(texts=("", "  "))):
        with pytest.raises(QueryError, match="empty"):
            nothing()


@pytest.mark.parametrize(
    "weights", [(1.0,), (-1.0, -1.0), (1.0, 0.0), (1.0, float("nan")), (1.0, float("inf"))]
)
def test_weights_must_fit_and_want_something(weights: tuple[float, ...]) -> None:
    with pytest.raises(QueryError, match="weight"):
        Query(texts=("a", "b"), text_weights=weights)


def test_what_is_unwanted_is_a_query_of_its_own() -> None:
    query = Query(
        ("gear", "rust"), (b"x", b"y"), (1.0, -0.5), (-2.0, 3.0), image_boxes=(BOX, None), like=("D:4",)
    )
    assert query.wanted == Query(("gear",), (b"y",), (1.0,), (3.0,), like=("D:4",))
    assert query.unwanted == Query(("rust",), (b"x",), (0.5,), (2.0,), image_boxes=(BOX,))
    assert query.wanted.unwanted is None


@pytest.mark.parametrize("box", [Box(0.5, 0, 0.5, 1), Box(-0.1, 0, 1, 1), Box(0, 0, float("nan"), 1)])
def test_a_box_without_area_or_outside_its_image_is_refused(box: Box) -> None:
    with pytest.raises(QueryError, match="box"):
        Query(images=(b"x",), image_boxes=(box,))


requests = st.builds(
    SearchRequest,
    st.just(Query.of("a")),
    k=st.integers(1, 1000),
    kind=st.sampled_from([None, "page", "figure"]),
    lanes=st.none() | st.lists(st.text(), max_size=2).map(tuple),
    weights=st.none() | st.dictionaries(st.text(), st.floats(0, 9), max_size=2),
    per_group=st.dictionaries(st.text(), st.integers(1, 9), max_size=2),
    facets=st.lists(st.text(), max_size=2).map(tuple),
    fold=st.booleans(),
    cursor=st.text(max_size=9),
    rerank=st.none() | st.lists(st.text(), max_size=2).map(tuple),
)


@given(requests)
def test_a_request_survives_its_json_form(request: SearchRequest) -> None:
    assert SearchRequest.from_dict(json.loads(json.dumps(request.to_dict()))) == request


@pytest.mark.parametrize(
    "options",
    [
        *({"k": 0}, {"k": True}, {"k": "5"}, {"k": 1001}, {"kind": "sofa"}, {"kind": 5}, {"recall": 0}),
        *({"lanes": "bm25"}, {"weights": []}, {"fold": 1}, {"per_group": {"document": 0}}, {"facets": [1]}),
        {"sort": "title"},
    ],
)
def test_a_request_refuses_options_that_cannot_be_meant(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        SearchRequest.from_dict({"query": {"texts": ["a"]}, **options})


def test_dropping_an_empty_text_drops_its_weight() -> None:
    query = Query(texts=("", "dial"), text_weights=(5.0, 2.0))
    assert (query.texts, query.text_weights) == (("dial",), (2.0,))


def test_missing_weights_are_one() -> None:
    assert Query(texts=("a", "b"), images=(b"x",)).text_weights == (1.0, 1.0)
    assert Query(images=(b"x",)).image_weights == (1.0,)


queries = st.builds(
    Query,
    texts=st.tuples(st.text(min_size=1).filter(str.strip)),
    images=st.lists(st.binary(min_size=1) | st.text(min_size=1).filter(str.strip), max_size=3).map(tuple),
    filters=st.lists(
        st.builds(
            Filter, st.text(min_size=1), st.sampled_from(["=", "<", "glob"]), st.integers() | st.text()
        ),
        max_size=2,
    ).map(tuple),
)


@given(queries)
def test_a_query_survives_its_json_form(query: Query) -> None:
    assert Query.from_dict(json.loads(json.dumps(query.to_dict()))) == query


@pytest.mark.parametrize(
    "values",
    [
        {"texts": ["a"], "text": "b"},
        {"texts": ["a"], "images": [{"base64": "%%"}]},
        {"texts": ["a"], "images": [{}]},
        {"texts": ["a"], "images": [7]},
        {"texts": ["a"], "filters": [{"field": "type", "operator": "like", "value": 1}]},
        {"texts": ["a"], "filters": [{"field": "type"}]},
        {"texts": 5},
        {"texts": "abc"},
        {"texts": [5]},
        {"texts": ["a"], "text_weights": ["x"]},
        {"texts": ["a"], "filters": ["type=pdf"]},
    ],
)
def test_a_malformed_query_is_a_query_error(values: dict[str, object]) -> None:
    with pytest.raises(QueryError):
        Query.from_dict(values)


def test_a_document_survives_its_json_form() -> None:
    document = Document(
        id="d",
        title="Title",
        source="a.pdf",
        metadata={"pages": 2},
        segments=(
            Segment("text", "words", page=1, box=Box(0, 0.1, 1, 0.2), section=("A", "B")),
            Segment("image", picture=PICTURE, caption="Fig. 1", page=2),
        ),
        pages=(Page(1, "i", PICTURE), Page(2)),
        warnings=("one page was empty",),
    )
    assert Document.from_dict(json.loads(json.dumps(document.to_dict()))) == document


def test_a_unit_survives_its_json_form_and_its_text_holds_every_word() -> None:
    unit = Unit(
        id="d:0",
        document_id="d",
        ordinal=0,
        title="Handbook",
        section=("Handbook", "Boiler"),
        page=3,
        passages=(Passage("first part", 3, Box(0, 0, 1, 1)), Passage("second part")),
        figures=(Segment("image", "a valve", PICTURE, "Figure 2"),),
        page_picture=PICTURE,
    )
    assert unit_from_dict(json.loads(json.dumps(asdict(unit)))) == unit
    assert unit.text == "Handbook > Boiler\nfirst part\nsecond part\nFigure 2\na valve"


def test_a_hit_says_its_place_in_words() -> None:
    hit = Hit(1, 0.5, "d:0", "d", "T", "a.pdf", section=("A", "B"), page=4)
    assert hit.place == "page 4, A > B"
    assert hit.to_dict()["place"] == hit.place


@pytest.mark.parametrize("found", [{}, {"box": BOX, "time": TimeSpan(1, 2.5), "part_id": "d:0.f0"}])
def test_hits_tell_every_field_and_share_nothing_that_can_be_changed(found) -> None:
    lanes, metadata = {"bm25": 1.5}, {"type": "manual"}
    hit = Hit(1, 0.5, "d:0", "d", "T", "a.pdf", section=("A",), lanes=lanes, metadata=metadata, **found)
    plan = SearchPlan(9, 3, 0.95, 0.96, {"text": "rough"})
    told = Hits([hit], plan).to_dict()
    assert told["hits"] == [{"id": hit.id, **asdict(hit), "place": hit.place}]
    assert list(told["hits"][0]) == ["id", *asdict(hit), "place"]
    assert told["plan"] == asdict(plan)
    told["hits"][0]["lanes"].clear()
    told["hits"][0]["metadata"].clear()
    told["plan"]["lanes"].clear()
    assert (hit.lanes, hit.metadata, plan.lanes) == ({"bm25": 1.5}, {"type": "manual"}, {"text": "rough"})
