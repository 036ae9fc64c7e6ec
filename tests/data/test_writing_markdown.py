"""A document as Markdown renders as what it says, and acts on nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from plait.data.writing_markdown import markdown_of
from plait.schema import Attachment, Document, Link, Page, Picture, Segment, TimeSpan

_RENDERER = MarkdownIt("commonmark").enable("table")


def body(*segments: Segment, **fields: object) -> str:
    """Return the Markdown of some segments, without what stands in front."""
    document = Document("id", "T", "s", segments=segments, **fields)  # type: ignore[arg-type]
    return markdown_of(document).split("\n---\n", 1)[1].strip("\n")


def text(words: str, **fields: object) -> Segment:
    return Segment("text", words, **fields)  # type: ignore[arg-type]


def rendered(markdown: str) -> str:
    """Return what a reader of the rendered Markdown sees."""
    return " ".join(
        child.content
        for token in _RENDERER.parse(markdown)
        for child in token.children or ()
        if child.type in ("text", "text_special")
    )


def test_each_kind_of_segment_has_its_form() -> None:
    picture = Picture("/spool/abc.png", "abc", 640, 480)
    document = Document(
        "id",
        "The manual",
        "docs/manual.pdf",
        metadata={"pages": 3, "author": 'A "B"', "odd key": "on"},
        segments=(
            text("Care", section=("Care",), page=1),
            text("Descale it monthly.", section=("Care",), page=1),
            Segment("image", "a valve", picture=picture, caption="Figure 1: The valve", page=3),
            Segment(
                "table", rows=(("Part", "Price"), ("pump|x", "3")), header_rows=1, caption="Table 1", page=3
            ),
            Segment("table", rows=(("a", "b"),), page=3),
            text("1 See the annex.", role="footnote", page=3),
            text("Say hello.\nTwice.", role="notes", time=TimeSpan(80, 105)),
            text("x = `1`\n```\n", role="code"),
        ),
        pages=(Page(1), Page(2, "ii", text_from="none"), Page(3, text_from="ocr"), Page(4)),
        attachments=(Attachment("a/b.pdf", "/spool/b.pdf"),),
    )
    assert markdown_of(document, path_of=lambda picture: f"figures/{picture.sha256}.png") == (
        "---\n"
        "title: The manual\n"
        "source: docs/manual.pdf\n"
        "pages: 3\n"
        'author: "A \\"B\\""\n'
        'odd key: "on"\n'
        "holds:\n"
        "  - a/b.pdf\n"
        "---\n\n"
        "<!-- page 1 -->\n\n"
        "# Care\n\n"
        "Descale it monthly.\n\n"
        "<!-- page 2 (ii), without text -->\n\n"
        "<!-- page 3, read by character recognition -->\n\n"
        "![a valve](figures/abc.png)\n\n"
        "*Figure 1: The valve*\n\n"
        "*Table 1*\n\n"
        "| Part | Price |\n| --- | --- |\n| pump\\|x | 3 |\n\n"
        "|  |  |\n| --- | --- |\n| a | b |\n\n"
        "> *Footnote:* 1 See the annex.\n\n"
        "> *Notes:* **[1:20-1:45]** Say hello.\n> Twice.\n\n"
        "````\nx = `1`\n```\n````\n\n"
        "<!-- page 4 -->\n"
    )


def test_a_picture_that_is_not_kept_is_told_by_its_size() -> None:
    shown = Segment("image", "a valve", picture=Picture("p", "s", 640, 480))
    assert body(shown) == "\\[image 640 × 480: a valve\\]"
    assert body(Segment("image", "")) == "\\[image not kept\\]"


def test_links_lead_where_they_led() -> None:
    links = (Link("here", "https://a.org/x y(1)"), Link("absent", "b"), Link("here", "#part"))
    assert body(text("Look here, and here.", links=links)) == (
        "Look [here](<https://a.org/x%20y(1)>), and [here](#part)."
    )


def test_several_rows_that_name_columns_become_one() -> None:
    rows = (("Size", "Size", "Name"), ("cm", "in", ""), ("1", "2", "a"))
    assert body(Segment("table", rows=rows, header_rows=2)).splitlines()[0] == "| Size cm | Size in | Name |"


def test_nothing_acts_on_the_terminal_or_cannot_be_printed() -> None:
    assert body(text("a\x1b[31mb\x9b\x07 \ud800")) == "a\\[31mb ?"


@example("*")
@example("_ _ _\n* a\n- - -\n+\n===\n1) b\n| c |\n|-|")
@given(st.text(st.characters(codec="utf-8") | st.sampled_from("#*_`[]()<>!|&;~-+=.:1 \n\\"), min_size=1))
def test_text_stays_text(words: str) -> None:
    markdown = body(text(words))
    tokens = {token.type for token in _RENDERER.parse(markdown)}
    seen = " ".join(re.sub("[\0-\x08\x0b-\x1f\x7f-\x9f]", "", words).split())
    assert tokens <= {"paragraph_open", "inline", "paragraph_close"}, markdown
    assert " ".join(rendered(markdown).split()) == seen


@pytest.mark.parametrize(
    "words", ["snake_case", "2 * 3 < 4", "C# & D", "a - b", "f(x) = y!", "10:30", "~20 %"]
)
def test_what_needs_no_escape_has_none(words: str) -> None:
    assert body(text(words)) == words
