"""What is encoded together: every word is read, figures keep their words, headings go before."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.encode.items import FigureContext, Item, heading_of, query_parts, shares, texts_of, unit_items
from plait.encode.windows import TextLimit
from plait.schema import Box, Passage, Picture, Query, Segment, Unit


def limit(max_tokens):
    """Tokens are words and signs."""
    return TextLimit(lambda text: [m.span() for m in re.finditer(r"\w+|[^\w\s]", text)], max_tokens)


def figure(path, **place):
    return Segment("image", picture=Picture(path, "0" * 64, 30, 20), **place)


def unit(*, title="", section=(), texts=(), figures=()):
    passages = tuple(text if isinstance(text, Passage) else Passage(text) for text in texts)
    return Unit("d:0", "d", 0, title, section, passages=passages, figures=tuple(figures))


def test_a_figure_goes_with_its_caption_alternative_text_and_nearest_passage():
    def at(top):
        return Box(0.1, top, 0.9, top + 0.1)

    passages = (
        Passage("first", page=1, box=at(0.1)),
        Passage("second", page=1, box=at(0.6)),
        Passage("third", page=2, box=at(0.5)),
        Passage("fourth", page=2, box=at(0.9)),
    )
    figures = (
        figure("a.png", page=1, box=at(0.5), caption="Caption", text="alternative"),
        figure("b.png", page=1, box=at(0.0), text="alternative", caption="alternative"),
        figure("c.png", page=2, box=at(0.0)),
    )
    assert unit_items(unit(texts=passages, figures=figures), limit(50)) == [
        Item("Caption\nalternative\nsecond", "a.png"),
        Item("alternative\nfirst", "b.png"),
        Item("third", "c.png"),
        Item("fourth", None),
    ]


def test_without_pages_the_passage_at_the_figures_anchor_is_nearest():
    passages = (Passage("one", anchor="one"), Passage("two", anchor="two"))
    given = unit(texts=passages, figures=[figure("a.png", anchor="two")])
    assert unit_items(given, limit(9)) == [Item("two", "a.png"), Item("one", None)]


def test_words_too_long_for_a_figure_go_on_without_it():
    given = unit(texts=["a b c d e f g h i j k l"], figures=[figure("a.png", caption="one two three four")])
    assert unit_items(given, limit(10)) == [
        Item("one two three four\na b c d e f", "a.png", is_window=True),
        Item("e f g h i j k l", None, is_window=True),
    ]


def test_what_did_not_fit_beside_the_first_figure_is_not_read_again_with_the_second():
    figures = [figure("a.png", caption="one"), figure("b.png", caption="two")]
    items = unit_items(unit(texts=["a b c d e f g h i j k l"], figures=figures), limit(10))
    assert [(item.text, item.picture) for item in items] == [
        ("one\na b c d e f g h i", "a.png"),
        ("two\na b c d e f g h i", "b.png"),
        ("h i j k l", None),
    ]


def test_a_caption_longer_than_the_limit_is_read_whole_by_every_figure():
    words = [" ".join(f"{name}{k}" for k in range(14)) for name in "xy"]
    figures = [figure(f"{text[0]}.png", caption=text) for text in words]
    items = unit_items(unit(texts=["passage"], figures=figures), limit(10))
    read = {word for item in items for word in item.text.split()}
    assert read.issuperset(" ".join(words).split())
    assert [item.picture for item in items] == ["x.png", "y.png", None, None]


def test_every_text_stands_under_title_and_headings():
    given = unit(
        title="Manual",
        section=("Manual", "Saws"),
        texts=["a b c d e f g h i j k l m n"],
        figures=[figure("a.png", caption="one")],
    )
    items = unit_items(given, limit(15))
    assert [item.text.partition("\n")[0] for item in items] == ["Manual > Saws"] * 2
    assert [item.picture for item in items] == ["a.png", None]
    assert unit_items(unit(title="Manual", figures=[figure("a.png")]), limit(9)) == [Item("Manual", "a.png")]


def test_long_headings_give_way_outermost_first_and_are_read_on_their_own():
    given = unit(title="A very long title", section=("Part one", "Saws"), texts=["a b c"])
    assert unit_items(given, limit(16)) == [
        Item("Part one > Saws\na b c", None),
        Item("A very long title > Part one > Saws", None),
    ]
    assert unit_items(given, limit(8)) == [
        Item("Saws\na b c", None),
        Item("A very long title > Part one >", None, is_window=True),
        Item("one > Saws", None, is_window=True),
    ]


def test_a_unit_that_says_and_shows_nothing_gives_nothing():
    assert unit_items(unit(title="Title", section=("a", "b", "c"), texts=[" \n"]), limit(8)) == []


def test_the_sentences_that_name_a_figure_go_with_it_when_chosen():
    passages = ["See Fig. 1a now. Other words.", "As Figures 1 and 2 show. Done.", "Table 1 differs."]
    figures = [figure("a.png", caption="Figure 1: Caption"), figure("b.png", label="Figure 2")]
    chosen = FigureContext(mentions=True, nearest=False)
    assert unit_items(unit(texts=passages, figures=figures), limit(50), context=chosen) == [
        Item("Figure 1: Caption\nSee Fig. 1a now.\nAs Figures 1 and 2 show.", "a.png"),
        Item("As Figures 1 and 2 show.", "b.png"),
        *(Item(passage, None) for passage in passages),
    ]


def test_what_is_not_chosen_is_read_without_the_figure():
    given = unit(
        title="Manual", texts=["words"], figures=[figure("a.png", caption="caption", text="alternative")]
    )
    nothing = FigureContext(section=False, caption=False, alternative=False, mentions=False, nearest=False)
    assert unit_items(given, limit(50), context=nothing) == [
        Item("", "a.png"),
        Item("Manual\ncaption\nalternative", None),
        Item("Manual\nwords", None),
    ]
    without_words = unit(title="Manual", figures=[figure("a.png")])
    assert unit_items(without_words, limit(50), context=nothing) == [Item("", "a.png"), Item("Manual", None)]


@given(
    st.lists(st.text("abcd \n", max_size=80), max_size=3),
    st.lists(st.text("abcd ", max_size=60), max_size=3),
    st.text("AB ", max_size=30),
    st.integers(3, 20),
    st.builds(FigureContext, *[st.booleans()] * 5),
)
def test_every_word_of_a_unit_is_read_within_the_limit(texts, captions, title, max_tokens, context):
    figures = [figure(f"{k}.png", caption=caption) for k, caption in enumerate(captions)]
    given, reads = unit(title=title, texts=texts, figures=figures), limit(max_tokens)
    items = unit_items(given, reads, context=context)
    assert [item.picture for item in items if item.picture] == [f"{k}.png" for k in range(len(figures))]
    assert all(reads.count(item.text) <= max_tokens for item in items)
    assert all(item.text.strip() or item.picture for item in items)
    read = {word for item in items for word in item.text.split()}
    if items:
        assert read.issuperset(" ".join([title, *texts, *captions]).split())


def test_a_short_query_is_one_part_an_image():
    parts, weights = query_parts(Query(("a red", "square")), [], limit(9))
    assert parts == [("a red square", None)]
    assert weights.tolist() == [1.0]
    query = Query(("a red", "square"), ("x.png", "y.png"), image_weights=(3.0, 1.0))
    parts, weights = query_parts(query, query.images, limit(9))
    assert parts == [("a red square", "x.png"), ("", "y.png")]
    assert weights.tolist() == [0.75, 0.25]


def test_the_windows_of_a_long_query_share_the_weight_of_a_short_one():
    query = Query(("a b c d e f g h i j k l",), ("x.png", "y.png"), image_weights=(3.0, 1.0))
    parts, weights = query_parts(query, [0, 1], limit(10))
    assert parts == [("a b c d e f g h i j", 0), ("", 1), ("i j k l", None)]
    np.testing.assert_allclose(weights, [0.75 * 10 / 14, 0.25, 0.75 * 4 / 14], rtol=1e-6)


def test_shares_sum_to_one():
    assert shares((1.0, 3.0)).tolist() == [0.25, 0.75]
    assert shares((1e-30, 1e-30)).tolist() == [0.5, 0.5]
    assert shares(range(1, 8)).sum() == pytest.approx(1.0)


def test_headings_are_named_once_and_captions_speak_where_there_are_no_passages():
    figures = [figure("a.png", caption="one", text="two"), figure("b.png", caption="one")]
    given = unit(title="Title", section=("Title", "", "Saws"), figures=figures)
    assert heading_of(given) == "Title > Saws"
    assert texts_of(given) == ["one\ntwo"]
    assert texts_of(unit(texts=["a", "b"], figures=figures)) == ["a", "b"]
