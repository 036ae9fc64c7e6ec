"""Documents to units: nothing lost, nothing empty, long sections split, figures in place."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from plait.data.segmenting import units
from plait.data.sentences import sentences, weight
from plait.schema import Document, Page, Picture, Segment


def document(*segments: Segment, pages: tuple[Page, ...] = ()) -> Document:
    return Document(id="d", title="Saws", source="saws.html", segments=segments, pages=pages)


def figure(name: str, *section: str, caption: str = "", page: int | None = None) -> Segment:
    return Segment("image", picture=Picture(name, name, 50, 50), caption=caption, section=section, page=page)


def text(words: str, *section: str, page: int | None = None) -> Segment:
    return Segment("text", text=words, section=section, page=page)


def test_each_section_is_a_unit_with_its_figures():
    found = units(
        document(
            text("A", "A"), text("one", "A"), figure("f", "A"), text("B", "A", "B"), text("two", "A", "B")
        )
    )
    assert [(u.id, u.section, [p.text for p in u.passages], len(u.figures)) for u in found] == [
        ("d:0", ("A",), ["one"], 1),
        ("d:1", ("A", "B"), ["two"], 0),
    ]


def test_a_section_of_headings_only_goes_with_the_next():
    (unit,) = units(document(text("A", "A"), text("B", "A", "B"), text("words", "A", "B")))
    assert unit.section == ("A", "B")
    assert unit.text == "Saws > A > B\nwords"


def test_headings_that_no_section_path_holds_stay_as_text():
    first, last = units(
        document(text("A", "A"), text("B", "B"), text("words", "B"), text("x", "C"), text("D", "D"))
    )
    assert [p.text for p in first.passages] == ["A\nwords"]
    assert [p.text for p in last.passages] == ["x\nD"]


def test_a_document_of_headings_only_is_one_unit():
    (unit,) = units(document(text("A", "A"), text("B", "B")))
    assert [p.text for p in unit.passages] == ["A\nB"]


def test_each_page_is_a_unit_with_its_picture():
    picture = Picture("p", "p", 9, 9)
    pages = (Page(1, picture=picture), Page(2), Page(3))
    found = units(document(text("one", page=1), text("two", "A", page=1), text("three", page=3), pages=pages))
    assert [(u.page, u.page_picture, len(u.passages)) for u in found] == [(1, picture, 1), (3, None, 1)]
    assert found[0].passages[0].text == "one\ntwo"


def test_a_long_section_is_split_between_paragraphs_into_even_parts():
    paragraphs = [text(f"p{i} " + "word " * 99, "A") for i in range(9)]
    found = units(document(*paragraphs))
    sizes = [sum(weight(p.text) for p in u.passages) for u in found]
    assert len(found) == 3
    assert max(sizes) <= 400
    assert all(u.passages[0].text.startswith("p") for u in found)


def test_a_figure_stays_with_the_text_before_it():
    long = "word " * 300
    found = units(document(text("1 " + long, "A"), figure("f", "A"), text("2 " + long, "A")))
    assert [len(u.figures) for u in found] == [1, 0]


def test_a_paragraph_longer_than_a_unit_is_cut():
    found = units(document(text("word " * 2000)))
    assert len(found) == 5


def test_passages_overlap_by_a_short_sentence():
    words = [f"Sentence {i} has exactly seven words." for i in range(12)]
    (unit,) = units(document(text(" ".join(words))), passage_words=25, overlap_words=10)
    assert unit.passages[0].text.split(". ")[-1] == unit.passages[1].text.split(". ")[0] + "."
    assert all(weight(p.text) <= 25 for p in unit.passages)


def test_passages_do_not_overlap_by_a_long_sentence():
    words = " ".join(f"Sentence {i} " + "is long " * 10 + "now." for i in range(4))
    (unit,) = units(document(text(words)), passage_words=25, overlap_words=10)
    assert [p.text[:10] for p in unit.passages] == [f"Sentence {i}" for i in range(4)]


def test_a_picture_shown_twice_is_kept_once_with_its_caption():
    (unit,) = units(document(text("x"), figure("f"), figure("f", caption="A saw"), figure("g")))
    assert [(f.picture.sha256, f.caption) for f in unit.figures] == [("f", "A saw"), ("g", "")]


def test_a_lone_picture_is_a_unit():
    (unit,) = units(document(figure("f")))
    assert (unit.passages, len(unit.figures)) == ((), 1)


def test_passages_say_where_they_begin():
    first = replace(text("one. " * 60), anchor="a")
    second = replace(text("two. " * 60), anchor="b")
    (unit,) = units(document(first, second))
    assert [p.anchor for p in unit.passages] == ["a", "b"]


def test_abbreviations_do_not_end_a_sentence():
    said = "See Fig. 3 and J. Smith, e.g. Chapter 2. Then go on. Done!"
    assert [s.strip() for s in sentences(said, longest=99)] == [
        "See Fig. 3 and J. Smith, e.g. Chapter 2.",
        "Then go on.",
        "Done!",
    ]


def test_text_without_spaces_is_weighed_by_its_letters():
    assert weight("鋸" * 100) > 40
    assert weight("x" * 600) > 90
    assert weight("four words of English") == 4


@given(st.text(max_size=400), st.integers(3, 40))
def test_sentences_joined_are_the_text(said, longest):
    assert "".join(sentences(said, longest=longest)) == said


@given(st.text(alphabet="ab. \n鋸A", max_size=600), st.integers(5, 30))
def test_no_sentence_is_longer_than_allowed(said, longest):
    assert all(weight(s) <= longest for s in sentences(said, longest=longest))


SEGMENTS = st.lists(
    st.tuples(
        st.text(alphabet="ab. \nA鋸", min_size=1, max_size=120), st.sampled_from([(), ("S",), ("S", "T")])
    ),
    max_size=12,
)


@given(SEGMENTS)
def test_all_text_is_in_some_passage(parts):
    given_text = [text(words, *section) for words, section in parts]
    found = units(document(*given_text), max_words=30, passage_words=12, overlap_words=4)
    held = "".join("".join(p.text.split()) for u in found for p in u.passages)
    position = 0
    for segment in given_text:
        for sentence in sentences(segment.text, longest=12):
            wanted = "".join(sentence.split())
            assert wanted in held
            position += 1
    assert all(u.passages or u.figures for u in found)
    assert [u.ordinal for u in found] == list(range(len(found)))
