"""What is written on the command line becomes one request, and an answer becomes lines."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers.tiny_encoder import TinyEncoder

from plait.cli.answers import answered
from plait.cli.requests import Written, boxed, counts, numbers, read_request, weighted
from plait.cli.search import paged
from plait.errors import InputError, QueryError
from plait.library import Library
from plait.schema import Box, Facet, FacetCount, Filter, Hit, Hits, Query, SearchPlan, SearchRequest

PLAN = SearchPlan(units=5, rescored=5, recall=0.99, expected_recall=1.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gear", ("gear", 1)),
        ("2*gear", ("gear", 2)),
        ("0.5*gear box", ("gear box", 0.5)),
        (".5*gear", ("gear", 0.5)),
        ("1*2*x", ("2*x", 1)),
        ("2 * x", ("2 * x", 1)),
        ("2*", ("2*", 1)),
        ("2* x", ("2* x", 1)),
        ("x*2", ("x*2", 1)),
        ("-2*x", ("-2*x", 1)),
        ("2*part.png#0,0,1,0.5", ("part.png#0,0,1,0.5", 2)),
    ],
)
def test_a_number_and_a_star_before_a_part_are_its_weight(text, expected):
    assert weighted(text) == expected


@given(st.text(min_size=1), st.integers(1, 10**6))
def test_every_text_can_be_asked_with_any_weight(text, weight):
    if not text[0].isspace():
        assert weighted(f"{weight}*{text}") == (text, weight)


def test_a_box_stands_after_the_file(tmp_path):
    assert boxed("part.png#0.1,0.2,0.5,0.6") == ("part.png", Box(0.1, 0.2, 0.5, 0.6))
    assert boxed("part#3.png") == ("part#3.png", None)
    assert boxed("part#3.png#0,0,1,.5") == ("part#3.png", Box(0, 0, 1, 0.5))
    named_so = tmp_path / "a#1,2"
    named_so.touch()
    assert boxed(str(named_so)) == (str(named_so), None)
    for wrong in ("a.png#1,2,3", "a.png#a,b,c,d", "a.png#,"):
        with pytest.raises(QueryError, match=r"cannot read the box .* left,top,right,bottom"):
            boxed(wrong)


def test_parts_become_one_query():
    written = Written(
        words=("red", "gear"),
        texts=("2*iron",),
        not_texts=("rust", "3*oil"),
        images=("0.5*a.png#0,0,1,0.5", "b.png"),
        not_images=("c.png",),
        likes=("D:4.f0",),
        not_likes=("2*D:5",),
        where=("type=pdf",),
    )
    assert written.query() == Query(
        texts=("red gear", "iron", "rust", "oil"),
        text_weights=(1, 2, -1, -3),
        images=("a.png", "b.png", "c.png"),
        image_weights=(0.5, 1, -1),
        image_boxes=(Box(0, 0, 1, 0.5), None, None),
        like=("D:4.f0", "D:5"),
        like_weights=(1, -2),
        filters=(Filter("type", "=", "pdf"),),
    )


@pytest.mark.parametrize(
    "wrong", ["document", "document=", "=2", "document=two", "document=nan", "document=inf"]
)
def test_a_number_by_name_that_cannot_be_read_shows_how_to_write_it(wrong):
    with pytest.raises(
        InputError, match=r"cannot read --per '.*': write a name and a number, as in --per doc"
    ):
        counts("--per", [wrong])


def test_numbers_by_name():
    assert numbers("--weight", ["bm25=2", "image=0.5"]) == {"bm25": 2, "image": 0.5}
    assert counts("--per", ["document=2"]) == {"document": 2}
    with pytest.raises(InputError, match=r"must be a whole number, got 2\.5"):
        counts("--per", ["document=2.5"])
    with pytest.raises(InputError, match="--weight names bm25 twice"):
        numbers("--weight", ["bm25=1", "bm25=2"])


DEFAULTS = {"k": 10, "kind": None, "fold": True, "cursor": ""}


def test_a_whole_request_is_read_from_a_file_or_standard_input(tmp_path, monkeypatch):
    request = SearchRequest(Query.of("gear"), k=3, kind="figure", per_group={"document": 1})
    file = tmp_path / "request.json"
    file.write_text(json.dumps(request.to_dict()))
    assert read_request(str(file), Written(), DEFAULTS) == request
    monkeypatch.setattr("sys.stdin", io.StringIO(file.read_text()))
    assert read_request("-", Written(), DEFAULTS) == request


def test_nothing_stands_beside_a_whole_request(tmp_path):
    for written, options in [(Written(words=("x",)), DEFAULTS), (Written(), {**DEFAULTS, "k": 3})]:
        with pytest.raises(InputError, match="--request is a whole search"):
            read_request(str(tmp_path), written, options)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read the request"),
        (b"\xff", "cannot read the request"),
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "a request is an object such as"),
        (b"{}", "a request must be an object such as"),
        (b'{"query": {"texts": ["x"]}, "kk": 1}', "unknown key 'kk'"),
    ],
)
def test_a_request_that_cannot_be_read_says_why(tmp_path, content, words):
    file = tmp_path / "request.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_request(str(file), Written(), DEFAULTS)


def hit(**values):
    given = {
        "rank": 1,
        "score": 1.5,
        "unit_id": "D:4",
        "document_id": "D",
        "title": "Gears",
        "source": "g.md",
    }
    return Hit(**{**given, **values})


def test_an_answer_tells_what_was_folded_left_out_and_counted_and_how_to_go_on():
    facet = Facet("type", (FacetCount("pdf", 1200, 12), FacetCount("html", 3, 3)), more=2)
    hits = Hits(
        [hit(folded=("E:1", "E:2"), confidence=0.876, lanes={"text": 0.5}), hit(rank=2, part_id="D:4.f0")],
        PLAN,
        facets=[facet],
        next_cursor="abc",
        distant=1,
    )
    lines = answered(hits).splitlines()
    assert lines[0] == " 1. Gears  [1.500]  88%  D:4"
    assert lines[1:4] == ["    g.md", "    +2 nearly the same", "    text 0.50"]
    assert lines[5] == " 2. Gears  [1.500]  D:4.f0"
    assert "1 distant hit left out: add --all to see them" in lines
    at = lines.index("    type  documents  units")
    assert lines[at + 1 : at + 4] == [
        "    pdf          12  1,200",
        "    html          3      3",
        "    and 2 more",
    ]
    assert lines[-1] == "more: --cursor abc"
    assert answered(hits, next_page=3).splitlines()[-1] == "more: add --page 3"
    assert "more" not in answered(Hits([hit()], PLAN), next_page=3)


def test_pages_hold_each_hit_once_in_order_and_end(tmp_path):
    for number in range(7):
        (tmp_path / f"{number}.txt").write_text("gear " * (number + 1) + f"and part {number}")
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        library.add([tmp_path])
        asked = SearchRequest(Query.of("gear"), k=3)
        every = [one.id for one in library.search(replace(asked, k=7))]
        pages = [paged(library, asked, page) for page in (1, 2, 3)]
        assert [one.id for page in pages for one in page] == every
        assert [one.rank for page in pages for one in page] == [1, 2, 3, 4, 5, 6, 7]
        assert [bool(page.next_cursor) for page in pages] == [True, True, False]
        with pytest.raises(InputError, match="there is no page 5: the hits end on page 3"):
            paged(library, asked, 5)
        second = replace(asked, cursor=pages[0].next_cursor)
        assert paged(library, second, 1) == pages[1]
        with pytest.raises(InputError, match="a cursor says which page follows"):
            paged(library, second, 2)


def test_nothing_and_nothing_good_are_told_apart():
    assert answered(Hits([], PLAN)) == "nothing found"
    told = answered(Hits([], PLAN, distant=1234))
    assert told == "nothing good found; 1,234 distant hits: add --all to see them"
