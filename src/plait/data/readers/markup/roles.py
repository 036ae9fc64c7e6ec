"""What a block of an HTML page is, told by its tag and class: a figure, a caption, a footnote, a listing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from selectolax.lexbor import LexborNode

from plait.data.readers.markup.chrome import Attributes, names

_FIGURE_CLASSES = names("figure image mediaobject informalfigure wp-caption thumb thumbinner table")
_CAPTION_CLASSES = names("caption caption-text wp-caption-text thumbcaption figure-title")
_NOTE_CLASSES = names("footnote footnotes footnote-list endnote endnotes rearnote")
_NOTE_ROLES = names("doc-footnote doc-endnote doc-endnotes")
_NOTE_TYPES = names("footnote footnotes endnote endnotes rearnote rearnotes")
_MARKS = " ¶#↩↑^⏎\ufe0e"
_LONGEST_KEPT = 300


@dataclass(frozen=True, slots=True)
class Role:
    """What a block is beside the running text.

    Attributes:
        figure: holds pictures or tables and their caption.
        caption: is the caption of the figure around it.
        footnote: is a footnote, or holds some.
        listing: is a listing whose lines are elements.
        title: names the page, as Doxygen does.
    """

    figure: bool = False
    caption: bool = False
    footnote: bool = False
    listing: bool = False
    title: bool = False


def role_of(tag: str, attributes: Attributes) -> Role | None:
    """Return what a block is; None for most, which are but running text."""
    if not attributes and tag not in ("figure", "figcaption"):
        return None
    classes = attributes.get("class") or ""
    role = _by_class(tag, classes) if len(classes) <= _LONGEST_KEPT else None
    if len(attributes) > 1 or not classes:
        types = (attributes.get("epub:type") or "").split()
        if attributes.get("role") in _NOTE_ROLES or not _NOTE_TYPES.isdisjoint(types):
            return Role(figure=role is not None and role.figure, footnote=True)
    return role


def is_back_link(attributes: Attributes, node: LexborNode) -> bool:
    """Tell whether a link is a mark beside a heading or a footnote, not words of the page."""
    classes = attributes.get("class")
    if not classes:
        return attributes.get("role") == "doc-backlink" and _is_mark(node)
    return "headerlink" in classes or ("back" in classes and _is_mark(node))


def _is_mark(node: LexborNode) -> bool:
    """Tell an arrow from the number of a footnote, which may be its link back."""
    return not (node.text() or "").strip(_MARKS)


@lru_cache(maxsize=4096)
def _by_class(tag: str, text: str) -> Role | None:
    classes = text.split()
    figure = tag == "figure" or (tag in ("div", "table") and not _FIGURE_CLASSES.isdisjoint(classes))
    if tag == "table":
        figure = figure and "table" not in classes  # a table is no figure for being styled as one
    caption = tag == "figcaption" or not _CAPTION_CLASSES.isdisjoint(classes)
    # DocBook titles a figure with p.title; elsewhere "title" says nothing.
    caption |= tag in ("p", "div") and "title" in classes and not any(c.startswith("doc") for c in classes)
    footnote = not _NOTE_CLASSES.isdisjoint(classes) or (tag == "ol" and "references" in classes)
    role = Role(
        figure=figure,
        caption=caption,
        footnote=footnote,
        listing=tag == "div" and "fragment" in classes,
        title=tag == "div" and classes == ["title"],
    )
    return role if role != Role() else None
