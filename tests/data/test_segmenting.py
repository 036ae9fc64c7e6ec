"""Documents to units: nothing lost, nothing empty, long sections split, figures in place."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from plait.data.segmenting import units
from plait.data.sentences import sentences, weight
from plait.schema import Document, Page, Picture, Segment, TimeSpan


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


def test_what_is_told_of_a_picture_in_other_words_is_kept():
    given = [
        figure("f", caption="A saw"),
        figure("f", caption="Twice"),
        figure("f"),
        figure("f", caption="Twice"),
    ]
    (unit,) = units(document(*given))
    assert [(f.picture.sha256, f.caption) for f in unit.figures] == [("f", "A saw"), ("f", "Twice")]


def test_the_words_of_a_picture_that_is_not_there_are_text():
    (unit,) = units(document(text("one"), Segment("image", text="A saw", caption="Figure 1")))
    assert ([p.text for p in unit.passages], unit.figures) == (["one\nFigure 1\nA saw"], ())


def test_a_passage_of_a_page_ends_where_a_section_begins():
    given = [
        text("one", "A"), text("B", "B"), text("C", "B", "C"), text("two", "B", "C"), text("D", "D")
    ]  # fmt: skip
    (unit,) = units(document(*(replace(s, page=1) for s in given), pages=(Page(1),)))
    assert [(p.text, p.section) for p in unit.passages] == [("one", None), ("B\nC\ntwo\nD", ("B", "C"))]


def test_a_page_that_another_interrupts_is_one_unit():
    given = [text("one", page=1), text("two", page=2), text("1 note", page=1), text("three")]
    found = units(document(*given, pages=(Page(1), Page(2))))
    assert [(u.page, u.passages[0].text) for u in found] == [(1, "one\n1 note\nthree"), (2, "two")]


def test_footnotes_come_after_the_text_and_notes_apart_from_it():
    note, said = replace(text("1 see there"), role="footnote"), replace(text("say this"), role="notes")
    (unit,) = units(document(text("one"), note, text("two"), said))
    assert [p.text for p in unit.passages] == ["one\ntwo", "say this", "1 see there"]


def test_code_stays_whole_where_a_passage_can_hold_it():
    code = replace(text("for a in b:\n    print(a)\n\nfor c in d:\n    print(c)"), role="code")
    (unit,) = units(document(text("one two three four."), code), passage_words=12, overlap_words=0)
    assert [p.text for p in unit.passages] == ["one two three four.", code.text]
    (unit,) = units(document(code), passage_words=6, overlap_words=0)
    assert [p.text for p in unit.passages] == code.text.split("\n\n")


def table(rows: int, *, caption: str = "Table 1: Blades", header: int = 1, **place: int) -> Segment:
    cells = (*(("saw", "teeth"),) * header, *((f"s{k}", str(k)) for k in range(rows)))
    lines = "\n".join(" | ".join(row) for row in cells)
    return Segment("table", text=lines, rows=cells, header_rows=header, caption=caption, **place)


def test_a_table_is_passages_of_its_own_under_caption_and_header():
    (unit,) = units(document(text("before"), table(2), text("after"), table(1, caption="")))
    assert [(p.text, p.table) for p in unit.passages] == [
        ("before", None),
        ("Table 1: Blades\nsaw | teeth\ns0 | 0\ns1 | 1", 0),
        ("after", None),
        ("saw | teeth\ns0 | 0", 1),
    ]
    assert [t.caption for t in unit.tables] == ["Table 1: Blades", ""]


def test_a_long_table_is_cut_by_rows_under_its_header():
    (unit,) = units(document(table(7)), passage_words=18)
    assert [p.text.split("\n") for p in unit.passages] == [
        ["Table 1: Blades", "saw | teeth", *(f"s{k} | {k}" for k in range(4))],
        ["Table 1: Blades", "saw | teeth", *(f"s{k} | {k}" for k in range(4, 7))],
    ]
    assert {p.table for p in unit.passages} == {0}


def test_a_caption_or_header_too_long_to_repeat_is_said_once():
    (unit,) = units(document(table(4, caption="long " * 10)), passage_words=12)
    assert [p.text.count("saw | teeth") for p in unit.passages] == [0, 1, 1]
    assert [p.text.count("long") for p in unit.passages] == [10, 0, 0]
    (unit,) = units(document(table(4, caption="", header=2)), passage_words=9)
    assert [p.text.count("saw | teeth") for p in unit.passages] == [2, 0]


def test_a_table_longer_than_a_unit_is_several():
    found = units(document(table(300), text("after")), max_words=400)
    assert [len(u.tables) for u in found] == [1, 1, 1]
    assert [u.tables[0].rows[:2] for u in found] == [
        (("saw", "teeth"), (f"s{first}", str(first))) for first in (0, 133, 266)
    ]
    assert sum(len(u.tables[0].rows) - 1 for u in found) == 300
    assert found[-1].passages[-1].text == "after"


def test_rows_of_empty_cells_say_nothing():
    (unit,) = units(document(Segment("table", rows=(("", " "), ("saw", ""), ("", "")))))
    assert [p.text for p in unit.passages] == ["saw |"]
    assert units(document(Segment("table", rows=(("", " "),)))) == ()


def test_a_long_header_is_not_repeated_in_every_unit():
    found = units(document(table(300, header=150, caption="long " * 200)), max_words=400)
    assert [u.tables[0].header_rows for u in found] == [0] * 4
    assert [u.tables[0].caption != "" for u in found] == [True, False, False, False]
    assert sum(len(u.tables[0].rows) for u in found) == 450


def said(start: float, words: str, *section: str) -> Segment:
    return Segment("text", text=words, section=section, time=TimeSpan(start, start + 5))


def shown(start: float, name: str) -> Segment:
    return replace(figure(name), time=TimeSpan(start, start))


def test_a_recording_is_parts_of_about_a_minute_that_begin_with_scenes():
    given = [
        shown(0, "a"),
        said(1, "one"),
        shown(20, "b"),
        said(21, "two"),
        shown(40, "c"),
        said(41, "three"),
    ]
    given += [said(60, "four"), said(110, "five"), said(116, "six"), said(120, "new", "Chapter")]
    found = units(document(*given))
    assert [[f.picture.sha256 for f in u.figures] for u in found] == [["a", "b"], ["c"], [], []]
    assert [(u.passages[0].text, str(u.passages[0].time)) for u in found] == [
        ("one\ntwo", "0:01-0:26"),
        ("three\nfour\nfive", "0:41-1:55"),
        ("six", "1:56-2:01"),
        ("new", "2:00-2:05"),
    ]


def test_a_recording_without_times_told_apart_is_still_split():
    assert len(units(document(*[said(0, "word " * 100)] * 9))) == 3


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


WORDS = st.text(alphabet="ab. \nST鋸", min_size=1, max_size=120)
PICTURE = Picture("f", "f", 50, 50)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    kind = draw(st.sampled_from(["text", "text", "image", "table"]))
    rows = draw(st.lists(st.tuples(WORDS, WORDS), max_size=6)) if kind == "table" else []
    return Segment(
        kind,
        text="\n".join(" | ".join(row) for row in rows) or draw(WORDS),
        caption="" if kind == "text" else draw(WORDS),
        picture=draw(st.sampled_from([None, PICTURE])) if kind != "text" else None,
        rows=tuple(rows),
        header_rows=draw(st.integers(0, len(rows))),
        role=draw(st.sampled_from(["body", "footnote", "code", "notes"])),
        section=draw(st.sampled_from([(), ("S",), ("S", "T")])),
        page=draw(st.sampled_from([None, 1, 2])),
        time=draw(st.sampled_from([None, TimeSpan(3, 5), TimeSpan(80, 90)])),
    )


@given(st.lists(segments(), max_size=12), st.booleans())
def test_all_words_are_in_some_passage_or_with_some_figure(given_segments, paged):
    pages = (Page(1), Page(2)) if paged else ()
    found = units(document(*given_segments, pages=pages), max_words=30, passage_words=12, overlap_words=4)
    held = "".join("".join(p.text.split()) for u in found for p in u.passages)
    held += "".join("".join(u.section) for u in found)
    held += "".join("".join(f"{f.caption} {f.text}".split()) for u in found for f in u.figures)
    for segment in given_segments:
        for words in (segment.caption, "" if segment.rows else segment.text):
            for sentence in sentences(words, longest=8):
                assert "".join(sentence.split()) in held
        # A row is cut into windows as a whole: a sentence of a cell may begin in one and end in the next.
        words_of_cells = " ".join(cell for row in segment.rows for cell in row).split()
        assert all(word in held for word in words_of_cells if len(word) <= 3)
    assert all(u.passages or u.figures for u in found)
    assert all(p.text for u in found for p in u.passages)
    assert all(p.table is None or u.tables[p.table].kind == "table" for u in found for p in u.passages)
    assert [u.ordinal for u in found] == list(range(len(found)))
