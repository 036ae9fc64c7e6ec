"""Passages, figures, tables, pages and documents as what is to be found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.helpers.tiny_encoder import TinyEncoder

from plait.errors import QueryError
from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, StoredDocument
from plait.schema import Box, Passage, Query, Segment, Unit
from plait.search.kinds import parts_of
from plait.search.searcher import Searcher

TABLE = Segment(
    "table", text="tip | width\nround | 3", caption="Sizes of tips", rows=(("tip", "width"), ("round", "3"))
)


@pytest.fixture(params=["in memory", "scanned"])
def atlas(tmp_path, request, figure) -> Searcher:
    """A paged book of two pages, a web page of one section, and notes without figures."""
    near = replace(figure("red"), page=1, caption="a brush", box=Box(0, 0.1, 1, 0.3))
    far = replace(figure("blue"), page=1, caption="a comb", box=Box(0, 0.7, 1, 0.9))
    tips = tuple(
        Passage(text, page=1, box=Box(0, top, 1, top + 0.1), anchor=f"p{n}")
        for n, (text, top) in enumerate([("a soft brush", 0.1), ("how to hold a comb", 0.7)])
    )
    rows = Passage("Sizes of tips\ntip | width\nround | 3", page=1, anchor="p2", table=0)
    units = [
        Unit("book:0", "book", 0, "Book", ("Tips",), 1, (*tips, rows), (near, far), tables=(TABLE,)),
        Unit("book:1", "book", 1, "Book", ("More",), 2, (Passage("a brush of hair", page=2),), ()),
        Unit("web:0", "web", 0, "Web", (), None, (Passage("brush and comb"),), (figure("green"),)),
        Unit("zoo:0", "zoo", 0, "Zoo", (), None, (Passage("animals"), Passage("tip of a tail")), ()),
    ]
    encoder = TinyEncoder()
    options = {"exact_bytes": 0} if request.param == "scanned" else {}
    index = LanceIndex(tmp_path / "store", encoder.fields, **options)
    for name in ("book", "web", "zoo"):
        mine = tuple(unit for unit in units if unit.document_id == name)
        document = StoredDocument(name, name.title(), f"{name}.html", {}, "0" * 64)
        index.add([Entry(document, mine, tuple(encoder.encode_units(mine)))])
    return Searcher(encoder, index.snapshot())


def found(searcher, query, kind, **options):
    ranking = searcher.ranking(query, kind=kind, **options)
    return searcher.hits(ranking, ranking.places)


def ids(hits):
    return [hit.id for hit in hits]


def test_units_say_whether_they_are_pages_or_sections(atlas):
    hits = found(atlas, Query.of("brush"), None)
    assert {hit.id: hit.kind for hit in hits}.items() >= {"book:0": "page", "web:0": "section"}.items()
    assert hits == atlas.search(Query.of("brush"))
    pages = found(atlas, Query.of("brush"), "page")
    assert {hit.id for hit in pages} == {"book:0", "book:1"}
    assert [hit.score for hit in pages] == pytest.approx(
        [hit.score for hit in found(atlas, Query.of("brush", document="book"), None)]
    )


def test_a_passage_is_found_by_its_own_words(atlas):
    hits = found(atlas, Query.of("soft brush"), "passage")
    assert hits[0].id == "book:0.p0"
    assert (hits[0].kind, hits[0].passage, hits[0].anchor, hits[0].page) == (
        "passage",
        "a soft brush",
        "p0",
        1,
    )
    assert hits[0].picture is None
    words = found(atlas, Query.of("brush comb"), "passage", lanes=["bm25"])
    assert sorted(ids(words)) == ["book:0.p0", "book:0.p1", "book:1.p0", "web:0.p0"]  # others share no word


def test_several_passages_of_one_unit_are_several_hits(atlas):
    hits = found(atlas, Query.of("brush comb"), "passage", k=3)
    assert {"book:0.p0", "book:0.p1", "web:0.p0"} <= set(ids(hits))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_passage_has_the_share_of_its_words_in_the_units_bm25(atlas):
    query = Query.of("soft comb")  # one word in each of two passages of book:0
    unit = found(atlas, query, None, lanes=["bm25"])[0]
    assert unit.id == "book:0"
    passages = {hit.id: hit.lanes["bm25"] for hit in found(atlas, query, "passage", lanes=["bm25"])}
    weights = atlas.snapshot.word_weights(["soft comb"], [1.0])
    share = weights["soft"] / (weights["soft"] + weights["comb"])
    assert passages["book:0.p0"] == pytest.approx(share * unit.lanes["bm25"], rel=1e-5)
    assert passages["book:0.p1"] == pytest.approx((1 - share) * unit.lanes["bm25"], rel=1e-5)


def test_a_figure_is_found_by_its_picture(atlas, picture):
    hits = found(atlas, Query.of(image=picture("blue")), "figure")
    assert ids(hits)[0] == "book:0.f1"
    assert {*ids(hits)} == {"book:0.f0", "book:0.f1", "web:0.f0"}
    best = hits[0]
    assert (best.kind, best.caption, best.page, best.box) == ("figure", "a comb", 1, Box(0, 0.7, 1, 0.9))
    assert best.passage == "how to hold a comb"  # the passage nearest to it
    assert best.lanes == pytest.approx({"image": 1, "image_tokens": 1}, abs=2e-3)


def test_a_figure_is_found_by_its_caption_and_the_passage_nearest_to_it(atlas):
    assert ids(found(atlas, Query.of("soft brush"), "figure"))[0] == "book:0.f0"
    assert ids(found(atlas, Query.of("hold"), "figure"))[0] == "book:0.f1"


def test_a_table_is_found_by_its_rows(atlas):
    (hit,) = found(atlas, Query.of("round tip"), "table")
    assert (hit.id, hit.kind, hit.caption) == ("book:0.t0", "table", "Sizes of tips")
    assert hit.passage.startswith("Sizes of tips")


def test_a_document_is_its_best_unit_and_comes_once(atlas):
    hits = found(atlas, Query.of("brush"), "document")
    units = found(atlas, Query.of("brush"), None)
    assert sorted(ids(hits)) == ["book", "web", "zoo"]
    assert hits[0].id == units[0].document_id
    best = next(hit for hit in units if hit.document_id == "book")
    book = next(hit for hit in hits if hit.id == "book")
    assert (book.unit_id, book.score, book.title, book.kind) == (best.unit_id, best.score, "Book", "document")


def test_filters_hold_for_parts(atlas):
    assert ids(found(atlas, Query.of("brush", page=2), "passage")) == ["book:1.p0"]
    assert found(atlas, Query.of("brush", document="zoo"), "figure") == []
    with pytest.raises(QueryError, match="no stored document has a field"):
        found(atlas, Query.of("brush", nothing=1), "figure")


def test_what_is_unwanted_counts_for_each_part_alone(atlas):
    query = Query(texts=("brush comb", "comb"), text_weights=(1, -3))
    hits = found(atlas, query, "passage", lanes=["bm25"])
    scores = {hit.id: hit.score for hit in hits}
    before = {hit.id: hit.score for hit in found(atlas, Query.of("brush comb"), "passage", lanes=["bm25"])}
    assert scores["book:0.p0"] == before["book:0.p0"]  # though its neighbour is of nothing else
    assert scores["book:0.p1"] < before["book:0.p1"]


def test_one_part_alone_scores_as_its_unit(atlas):
    # what a unit holds that has one passage and no figure is that passage
    unit = next(hit for hit in found(atlas, Query.of("brush hair"), None) if hit.id == "book:1")
    passage = next(hit for hit in found(atlas, Query.of("brush hair"), "passage") if hit.id == "book:1.p0")
    assert passage.score == pytest.approx(unit.score, rel=1e-5)
    assert passage.lanes == pytest.approx(unit.lanes, rel=1e-5)


def test_units_know_which_of_them_hold_what(atlas):
    held = {kind: atlas.snapshot.holding(kind).tolist() for kind in ("passage", "figure", "table")}
    assert held == {
        "passage": [True, True, True, True],
        "figure": [True, False, True, False],
        "table": [True, False, False, False],
    }
    with pytest.raises(ValueError, match="read-only"):
        atlas.snapshot.holding("figure")[0] = False


def test_parts_of_a_unit_know_their_passages(atlas):
    ((unit, _),) = atlas.snapshot.units([0])
    assert [part.passages for part in parts_of(unit, "passage")] == [(0,), (1,), (2,)]
    assert [(part.name, part.passages, part.figure) for part in parts_of(unit, "figure")] == [
        ("f0", (0,), 0),
        ("f1", (1,), 1),
    ]
    (table,) = parts_of(unit, "table")
    assert (table.passages, table.text) == ((2,), "Sizes of tips\ntip | width\nround | 3")


def test_items_score_as_the_units_that_have_only_one(atlas, picture):
    vectors = atlas.encoder.encode_query(Query.of(image=picture("red")))
    asked = vectors.fields["image_tokens"], vectors.weights["image_tokens"]
    of_items = atlas.snapshot.item_scores("image_tokens", *asked, [0, 1, 2])
    exact = atlas.snapshot.exact_scores("image_tokens", *asked, np.array([0, 2]))
    assert [len(scores) for scores in of_items] == [2, 0, 1]
    assert [of_items[0].max(), of_items[2][0]] == pytest.approx(exact.tolist(), abs=1e-6)
