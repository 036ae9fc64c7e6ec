"""Parts of a document: each has its place, its neighbours, and what names it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.data.parts import Part, Parts, parts
from plait.data.segmenting import units
from plait.errors import InputError
from plait.schema import Document, Page, Picture, Segment, TimeSpan, compact, unit_from_dict


def text(words: str, *section: str, page: int | None = None) -> Segment:
    return Segment("text", text=words, section=section, page=page)


def figure(name: str, caption: str, *section: str, page: int | None = None) -> Segment:
    picture = Picture(name, name, 50, 50)
    return Segment("image", picture=picture, caption=caption, section=section, page=page)


def table(caption: str, *section: str, page: int | None = None) -> Segment:
    rows = (("saw", "teeth"), ("s", "9"))
    return Segment("table", rows=rows, header_rows=1, caption=caption, section=section, page=page)


def made(*segments: Segment, pages: int = 0) -> Parts:
    document = Document(
        "d", "Saws", "saws.pdf", segments=segments, pages=tuple(map(Page, range(1, pages + 1)))
    )
    return parts(units(document))


PAGED = (
    text("Blades", "Blades", page=1),
    text("Figure 1 shows one; Table 1 lists them.", "Blades", page=1),
    figure("f", "Figure 1: A blade", "Blades", page=1),
    text("See also Fig. 1a.", "Blades", "Care", page=2),
    table("Table 1: Blades", "Blades", "Care", page=2),
    text("Grips", "Grips", page=3),
    text("Nothing is named here.", "Grips", page=3),
)


def test_a_paged_document_has_pages_with_passages_figures_and_tables():
    found = made(*PAGED, pages=3)
    assert (found.document.id, found.document.title) == ("d", "Saws")
    assert [p.id for p in found.of_kind("page")] == ["d:0", "d:1", "d:2"]
    assert [(p.id, p.title, p.parent) for p in found.of_kind("figure")] == [("d:0.f0", "Figure 1", "d:0")]
    assert [(p.id, p.title, p.parent) for p in found.of_kind("table")] == [("d:1.t0", "Table 1", "d:1")]
    assert found.get("d:1.t0").text == "Table 1: Blades\nsaw | teeth\ns | 9"
    assert found.get("d:0").children == ("d:0.p0", "d:0.f0")
    assert found.get("d:1.p1").text == found.get("d:1.t0").text
    assert found.get("d:9") is None


def test_sections_of_a_paged_document_nest_and_span_pages():
    found = made(*PAGED, pages=3)
    assert [(s.id, s.section, s.page, s.parent) for s in found.of_kind("section")] == [
        ("d:s0", ("Blades",), 1, "d"),
        ("d:s1", ("Blades", "Care"), 2, "d:s0"),
        ("d:s2", ("Grips",), 3, "d"),
    ]
    assert found.get("d:s0").children == ("d:0.p0", "d:0.f0", "d:s1")
    assert found.get("d:s1").children == ("d:1.p0", "d:1.p1", "d:1.t0")
    assert found.document.children == ("d:0", "d:1", "d:2", "d:s0", "d:s2")
    assert (found.get("d:1").parent, found.get("d:1").section_id) == ("d", "d:s1")


def test_a_section_that_goes_on_is_one_and_a_second_of_its_name_another():
    found = made(
        text("one", "A", "x", page=1),
        text("two", "A", "x", page=2),
        text("three", "B", page=3),
        text("four", "A", page=4),
        pages=4,
    )
    assert [s.section for s in found.of_kind("section")] == [("A",), ("A", "x"), ("B",), ("A",)]
    assert found.get("d:s1").children == ("d:0.p0", "d:1.p0")
    assert found.get("d:s3").children == ("d:3.p0",)


def test_sections_that_begin_within_a_page_are_there():
    found = made(*(text(words, *section, page=1) for words, section in _WITHIN_A_PAGE), pages=1)
    assert [(s.section, s.children) for s in found.of_kind("section")] == [
        (("A",), ("d:0.p0", "d:s1")),
        (("A", "B"), ("d:0.p1",)),
        (("C",), ("d:0.p2",)),
    ]


_WITHIN_A_PAGE = (("A", "A"), ("one", "A"), ("B", "AB"), ("two", "AB"), ("C", "C"), ("three", "C"))


def test_passages_and_what_they_name_know_each_other():
    found = made(*PAGED, pages=3)
    assert found.get("d:0.p0").mentions == ("d:0.f0", "d:1.t0")
    assert found.get("d:0.f0").mentioned_by == ("d:0.p0", "d:1.p0")
    assert found.get("d:1.t0").mentioned_by == ("d:0.p0",)  # and not by its own rows, under its caption


def test_neighbours_are_of_the_same_kind():
    found = made(*PAGED, pages=3)
    assert [p.id for p in found.of_kind("passage")] == ["d:0.p0", "d:1.p0", "d:1.p1", "d:2.p0"]
    assert (found.get("d:1.p0").previous, found.get("d:1.p0").next) == ("d:0.p0", "d:1.p1")
    assert [p.id for p in found.around("d:1.p0")] == ["d:0.p0", "d:1.p0", "d:1.p1"]
    assert [p.id for p in found.around("d:0", before=5, after=0)] == ["d:0"]
    assert [p.id for p in found.around("d:s1", before=0, after=9)] == ["d:s1", "d:s2"]
    assert found.around("d") == (found.document,)


def test_units_of_an_unpaged_document_are_its_sections():
    long = [text("word " * 300, "A", "long") for _ in range(2)]
    found = made(
        text("intro"), text("one", "A"), *long, text("two", "B", "C"), figure("f", "Fig. 2", "B", "C")
    )
    assert [(s.id, s.title, s.parent) for s in found.of_kind("section")] == [
        ("d:0", "", "d"),
        ("d:1", "A", "d"),
        ("d:2", "long", "d:1"),
        ("d:3", "long", "d:1"),
        ("d:4", "C", "d"),
    ]
    assert found.get("d:1").children == ("d:1.p0", "d:2", "d:3")
    assert found.get("d:4.f0").section_id == "d:4"
    assert found.of_kind("page") == ()


def test_parts_of_a_recording_know_their_time():
    given = [replace(text(str(k)), time=TimeSpan(k, k + 10.0)) for k in range(0, 160, 40)]
    found = made(*given)
    assert [str(s.time) for s in found.of_kind("section")] == ["0:00-0:50", "1:20-2:10"]


def test_what_cannot_be_asked_is_said():
    found = made(text("one"))
    with pytest.raises(InputError, match=r"'d:7' is no part of 'd'"):
        found.around("d:7")
    with pytest.raises(InputError, match="at least 0, got -1 and 1"):
        found.around("d", before=-1)
    with pytest.raises(InputError, match="units of one document, got those of 0"):
        parts([])


PLACES = st.lists(
    st.tuples(
        st.sampled_from(["text", "figure", "table"]),
        st.lists(st.sampled_from("AB"), max_size=3),
        st.integers(1, 3),
        st.sampled_from(["Figure 1", "Fig. 2b and Table 1", "none"]),
    ),
    min_size=1,
    max_size=12,
)


@given(PLACES, st.booleans())
def test_every_part_is_held_and_every_link_has_two_ends(given_places, paged):
    makers = {
        "text": text,
        "figure": lambda words, *s, page: figure(words, words, *s, page=page),
        "table": table,
    }
    segments = [
        makers[kind](words, *section, page=page if paged else None)
        for kind, section, page, words in given_places
    ]
    document = Document("d", "Saws", "saws", segments=tuple(segments), pages=(Page(1),) if paged else ())
    stored = [unit_from_dict(compact(unit)) for unit in units(document)]
    found = parts(stored)
    assert len({part.id for part in found.every}) == len(found.every)
    for part in found.every:
        assert _ends(found, part)
        assert part.kind == "document" or part.id in found.get(part.parent).children
        assert all(part.id in (found.get(c).parent, found.get(c).section_id) for c in part.children)
        assert all(part.id in found.get(m).mentioned_by for m in part.mentions)
        assert all(part.id in found.get(m).mentions for m in part.mentioned_by)


def _ends(found: Parts, part: Part) -> bool:
    after, before = found.get(part.next), found.get(part.previous)
    return (after is None or after.previous == part.id) and (before is None or before.next == part.id)
