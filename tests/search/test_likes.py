"""More like this and less: stored parts become words and pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.helpers.tiny_encoder import TEXT, TinyEncoder

from plait.errors import QueryError
from plait.schema import Box, Filter, Query
from plait.search.likes import resolved
from plait.search.searcher import Searcher


@pytest.fixture
def shop(library, figure) -> Searcher:
    return library(
        {
            "brush": [(["a soft brush", "tips of brushes"], [figure("red", "grey")]), (["paint"], [])],
            "comb": [(["a comb of wood"], [figure("blue"), figure("green")])],
            "wood": [(["wood and more wood"], [])],
            "mute": [([], [figure("red")])],
        }
    )


def ids(hits):
    return [hit.id for hit in hits]


def told(searcher, *like, **options):
    found = resolved(Query(like=like), searcher.snapshot, None, **options)
    return found.query.texts, [Path(image).stem for image in found.query.images]


def test_a_passage_is_its_words(shop):
    assert told(shop, "comb:0.p0") == (("a comb of wood",), [])


def test_a_figure_is_its_picture_and_its_caption_counts_half(shop):
    found = resolved(Query(like=("comb:0.f1", "brush:0.p0")), shop.snapshot, None)
    assert found.query.texts == ("green", "a soft brush")
    assert (found.query.text_weights, found.query.image_weights) == ((0.5, 1), (1,))
    assert (found.text_origins, found.image_origins) == (("like 1", "like 2"), ("like 1",))


def test_a_unit_is_its_passages_and_figures_that_together_count_once(shop):
    found = resolved(Query(like=("brush:0",), like_weights=(3,)), shop.snapshot, None)
    assert found.query.texts == ("a soft brush", "tips of brushes")
    assert found.query.text_weights == (1.5, 1.5)
    assert [Path(image).stem for image in found.query.images] == ["red-grey"]
    assert told(shop, "comb:0")[1] == ["blue", "green"]


def test_a_document_is_what_its_units_are(shop):
    assert told(shop, "brush") == (("a soft brush", "tips of brushes", "paint"), ["red-grey"])


def test_long_documents_are_asked_with_passages_from_all_over(library):
    long = library({"long": [([f"passage {n}"], []) for n in range(101)]})
    texts = resolved(Query(like=("long",)), long.snapshot, None).query.texts
    assert (len(texts), texts[0], texts[-1]) == (6, "passage 0", "passage 100")


def test_a_figure_likes_what_its_picture_and_caption_do(shop, picture):
    alike = shop.search(Query(like=("comb:0.f0",)))
    asked = Query(texts=("blue",), text_weights=(0.5,), images=(picture("blue"),), image_weights=(1,))
    expected = [hit for hit in shop.search(asked) if hit.unit_id != "comb:0"]
    assert {hit.id: hit.lanes for hit in alike} == {hit.id: hit.lanes for hit in expected}


def test_what_is_liked_or_not_is_not_among_the_hits(shop):
    assert "comb:0" not in ids(shop.search(Query(like=("comb:0.p0",))))
    assert "comb:0" not in ids(shop.search(Query(texts=("wood",), like=("comb:0",), like_weights=(-1,))))
    assert not [hit for hit in shop.search(Query(like=("brush",))) if hit.document_id == "brush"]


def test_of_parts_only_those_that_are_liked_are_left_out(shop):
    ranking = shop.ranking(Query(like=("brush:0.p0",)), kind="passage")
    assert ids(shop.hits(ranking, ranking.places))[0] == "brush:0.p1"
    figures = shop.ranking(Query(like=("brush:0",)), kind="figure")
    assert sorted(ids(shop.hits(figures, figures.places))) == ["comb:0.f0", "comb:0.f1", "mute:0.f0"]
    documents = shop.ranking(Query(like=("brush:0",)), kind="document")
    assert "brush" not in ids(shop.hits(documents, documents.places))


def test_words_pictures_and_likes_are_asked_together(shop, picture):
    query = Query(
        texts=("wood", "paint"),
        text_weights=(2, -1),
        images=(picture("red"),),
        like=("comb:0.f0", "brush:0.p1"),
        like_weights=(1, -0.5),
        image_boxes=(Box(0, 0, 0.5, 1),),
        filters=(Filter("page", ">=", 1),),
    )
    found = resolved(query, shop.snapshot, None)
    assert found.query.texts == ("wood", "paint", "blue", "tips of brushes")
    assert found.query.text_weights == (2, -1, 0.5, -0.5)
    assert found.text_origins == ("text 1", "text 2", "like 1", "like 2")
    assert found.image_origins == ("image 1", "like 1")
    assert found.query.image_boxes == (Box(0, 0, 0.5, 1), None)
    assert found.wanted.texts == ("wood", "blue")
    assert [(part.texts, strength) for part, strength in found.unwanted] == [
        (("paint",), 0.5),
        (("tips of brushes",), 0.25),
    ]
    assert all(part.filters == query.filters for part, _ in found.unwanted)
    assert shop.search(query)


def test_without_likes_the_query_is_as_it_was(shop, picture):
    query = Query(texts=("wood",), images=(picture("red"),), filters=(Filter("page", "=", 1),))
    found = resolved(query, shop.snapshot, None)
    assert found.query == found.wanted == query
    assert (found.unwanted, found.named) == ((), {})


def test_stored_pictures_lie_below_the_folder_that_is_given(shop, tmp_path):
    (image,) = resolved(Query(like=("mute:0",)), shop.snapshot, tmp_path).query.images
    assert Path(image).parent == tmp_path


@pytest.mark.parametrize(
    "unknown",
    ["", "nothing", "brush:9", "brush:0.p9", "brush:0.f1", "brush:0.t0", "brush:0.x1", "brush:s0", "a\0b"],
)
def test_an_id_that_the_library_does_not_hold_is_refused(shop, unknown):
    if not unknown:
        with pytest.raises(QueryError, match="empty"):
            Query(like=(unknown,))
        return
    with pytest.raises(QueryError, match=r"holds nothing of id"):
        shop.search(Query(texts=("wood",), like=(unknown,)))


def test_a_model_of_words_is_asked_with_the_words_alone(shop):
    words = Searcher(TinyEncoder(fields=(TEXT,)), shop.snapshot)
    assert told(shop, "comb:0", reads_pictures=False) == (("a comb of wood",), [])
    assert ids(words.search(Query(like=("comb:0",))))[0] == "wood:0"
    with pytest.raises(QueryError, match=r"'mute:0' holds nothing that this library's model reads"):
        words.search(Query(like=("mute:0",)))


def test_a_picture_that_is_gone_is_told(shop, picture):
    Path(picture("red")).unlink()
    with pytest.raises(QueryError, match=r"the picture of 'mute:0\.f0' is gone from the library"):
        shop.search(Query(like=("mute:0.f0",)))
