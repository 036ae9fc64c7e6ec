"""Figures and tables by name: labels of captions, mentions in running text, and which one is meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.data.mentions import Label, Named, label_of, mentions, name_of
from plait.schema import Segment


def figure(number: str, panel: str = "") -> Label:
    return Label("figure", number, panel)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("see Figure 3, or Fig. 3a.", [figure("3"), figure("3", "a")]),
        ("Fig.~7 and FIG. 2. And fig 4", [figure("7"), figure("2"), figure("4")]),
        ("In Figs. 2, 3(b) and 5, the", [figure("2"), figure("3", "b"), figure("5")]),
        ("Figures 3–5 show", [figure("3"), figure("4"), figure("5")]),
        ("Figs. 3-5, and Figure 3-5", [figure("3"), figure("4"), figure("5"), figure("3-5")]),
        ("Tabelle 2, Tab. 3.1 und Abb. 2", [Label("table", "2"), Label("table", "3.1"), figure("2")]),
        ("Figure S2 and Table A.4; Table IV.", [figure("S2"), Label("table", "A.4"), Label("table", "IV")]),
        ("如图3所示，表 2-1", [figure("3"), Label("table", "2-1")]),
        ("Рис. 4 и таблица 1", [figure("4"), Label("table", "1")]),
        ("Scheme 1 (Figure 1)", [Label("scheme", "1"), figure("1")]),
        ("Table 2 and 3 people", [Label("table", "2")]),
    ],
)
def test_what_a_text_names(said, named):
    assert list(mentions(said)) == named


@pytest.mark.parametrize(
    "said",
    ["see the figure below", "figure 5,000 people", "a comfortable 3", "the table has 3 legs", "config 3",
     "Figure out 3 of them", "table 3rd from the left"],
)  # fmt: skip
def test_what_names_nothing(said):
    assert mentions(said) == ()


def test_a_range_of_thousands_is_its_ends():
    assert mentions("Figures 1 to 999") == (figure("1"), figure("999"))


@given(st.text(alphabet="Figures. 12,-–()nad", max_size=80))
def test_any_text_can_be_asked(said):
    assert len(mentions(said)) <= 20 * len(said)


def test_a_label_is_what_the_reader_found_or_the_captions_beginning():
    shown = Segment("image", caption="Fig. 2a: A saw, as in Figure 1")
    assert (name_of(shown), label_of(shown)) == ("Fig. 2a", figure("2", "a"))
    assert label_of(Segment("image", label="Figure 9", caption="Fig. 2")) == figure("9")
    for unnamed in (Segment("image", caption="A saw, see Figure 1"), Segment("image", label="Plate")):
        assert label_of(unnamed) is None


def test_the_nearest_of_a_name_is_meant():
    shown = [(0, "a", "Figure 1"), (7, "b", "Figure 1"), (7, "c", "Table 1")]
    named = Named((ordinal, name, Segment("image", label=label)) for ordinal, name, label in shown)
    assert [named.meant(figure("1"), at) for at in (0, 3, 4, 9)] == [["a"], ["a"], ["b"], ["b"]]
    assert named.meant(figure("2"), 0) == []


def test_panels_mean_the_whole_and_the_whole_its_panels():
    shown = [(0, "whole", "Figure 1"), (1, "a", "Figure 2a"), (1, "b", "Figure 2b")]
    named = Named((ordinal, name, Segment("image", label=label)) for ordinal, name, label in shown)
    assert named.meant(figure("1", "c"), 0) == ["whole"]
    assert named.meant(figure("2"), 0) == ["a", "b"]
    assert named.meant(figure("2", "b"), 0) == ["b"]
    assert named.meant(figure("2", "c"), 0) == []
