"""The HTML that mammoth makes of a Word document, with figures around what has a caption."""

from __future__ import annotations

import re
from collections.abc import Sequence

from selectolax.lexbor import LexborHTMLParser, LexborNode

from plait.data.readers.captions import label_of

STYLE_MAP = "\n".join(
    [
        "p[style-name='Title'] => h1.title:fresh",
        *(f"p[style-name='heading {level}'] => h6:fresh" for level in (7, 8, 9)),
        *(
            f"p[style-name='{name}'] => p.caption:fresh"
            for name in (
                "caption",
                "Table Caption",
                "Image Caption",
                "Illustration",
                "Figure",
                "Drawing",
                "Table",
            )
        ),
        *(f"p[style-name='toc {level}'] => !" for level in range(1, 10)),
        "p[style-name='TOC Heading'] => !",
        "p[style-name='table of figures'] => !",
        *(
            f"p[style-name='{name}'] => pre:separator('\\n')"
            for name in ("HTML Preformatted", "Preformatted Text", "Source Code", "Code", "macro")
        ),
    ]
)
_BACK_LINK = re.compile(r' ?<a href="#(?:foot|end)note-ref-[^"]*">\u2191</a>')
_NOTES = re.compile(r'<ol>(?=<li id="(?:foot|end)note-)')
_TABLE_LABEL = re.compile(r"tab|таб|표|表", re.I)


def with_figures(markup: str) -> str:
    """Return the HTML with each caption in a figure with what it belongs to, and notes marked as such.

    The caption of a table belongs to the table after it, else before it; any other to the picture before
    it, else after it; if there is none, to whatever stands beside it.

    Args:
        markup: as mammoth writes it: headings, paragraphs, lists and tables, one after the other.
    """
    markup = _NOTES.sub('<ol class="footnotes">', _BACK_LINK.sub("", markup))
    if 'class="caption"' not in markup:
        return markup
    body = LexborHTMLParser(markup).body
    blocks = list(body.iter()) if body is not None else []
    kinds = [_kind(block) for block in blocks]
    owners: dict[int, int] = {}  # block -> its caption
    for i, block in enumerate(blocks):
        if kinds[i] == "caption":
            owner = _owner(i, block, kinds, owners)
            if owner is not None:
                owners[owner] = i
    captions = set(owners.values())
    parts: list[str] = []
    for i, block in enumerate(blocks):
        if i in owners:
            parts.append(f"<figure>{block.html}{_figcaption(blocks[owners[i]])}</figure>")
        elif kinds[i] == "captioned":
            parts.append(_apart(block))
        elif i not in captions:
            parts.append(block.html or "")
    return "".join(parts)


def _kind(block: LexborNode) -> str:
    """Tell captions, captions with their picture in one paragraph ("captioned"), tables and pictures."""
    has_picture = block.css_first("img") is not None
    if block.tag == "p" and block.attributes.get("class") == "caption":
        return "captioned" if has_picture else "caption"
    if block.tag == "table":
        return "table"
    return "picture" if has_picture and block.tag == "p" else ""


def _owner(i: int, block: LexborNode, kinds: Sequence[str], owners: dict[int, int]) -> int | None:
    """Return which neighbour of a caption it belongs to; None if neither is free."""
    is_table = _TABLE_LABEL.match(label_of(" ".join((block.text() or "").split()))) is not None
    wanted = ("table", "picture") if is_table else ("picture", "table")
    places = (i + 1, i - 1) if is_table else (i - 1, i + 1)
    for kind in wanted:
        for place in places:
            if 0 <= place < len(kinds) and kinds[place] == kind and place not in owners:
                return place
    return None


def _figcaption(block: LexborNode) -> str:
    inner = (block.html or "").removeprefix('<p class="caption">').removesuffix("</p>")
    return f"<figcaption>{inner}</figcaption>"


def _apart(block: LexborNode) -> str:
    """Return a caption's paragraph as a figure: its pictures, then its words."""
    images = block.css("img")
    shown = "".join(image.html or "" for image in images)
    for image in images:
        image.decompose()
    return f"<figure>{shown}{_figcaption(block)}</figure>"
