"""An HTML tree to segments in reading order, walked without recursion.

Pages nest thousands of elements deep, by mistake or by malice, so the walk keeps its own stack.
A heading is a text segment whose text ends its own section path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from selectolax.lexbor import LexborNode

from plait.data.readers.chrome import SKIPPED_TAGS, Attributes, is_chrome, is_icon, names
from plait.schema import Picture, Segment

_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_BLOCKS = names(
    "p div section article main nav aside header footer address blockquote ul ol li dl dt dd "
    "table thead tbody tfoot tr caption figure figcaption pre form fieldset details summary center hr"
)
# Inside a table row these only separate words: a cell of two paragraphs is still one row.
_SOFT_IN_ROW = frozenset({"p", "div", "center", "section"})
_INLINE = names("b i em strong code tt kbd samp var sub sup small big u font cite q abbr wbr")
_CELLS = frozenset({"td", "th"})
_LONG_ROW_CHARACTERS = 400  # a "row" this long is layout, not data: its paragraphs stay paragraphs
_LONG_TERM_CHARACTERS = 100
_FIGURE_CLASSES = names("figure image mediaobject informalfigure wp-caption thumb thumbinner")
_CAPTION_CLASSES = names("caption caption-text wp-caption-text thumbcaption figure-title")
_PILCROW = "¶"
_CELL_END = "\x1f"  # the unit separator: in no text worth keeping

Loader = Callable[[str], Picture | None]


@dataclass(slots=True)
class Walked:
    """What a walk found."""

    segments: list[Segment]
    title: str  # of the first heading, or of a title block such as Doxygen's; "" if none


@dataclass(slots=True)
class _Element:
    """One open element: what to do when it ends."""

    tag: str
    node: LexborNode
    block: bool = False
    caption: bool = False
    figure: bool = False


@dataclass(slots=True)
class _Figure:
    """One open figure: where its images begin, and its caption so far."""

    first: int
    caption: list[str] = field(default_factory=list)


def walk(root: LexborNode, *, load: Loader, chrome: bool = False) -> Walked:
    """Return the segments below an element, in reading order.

    Args:
        root: usually <body> or <main>.
        load: gives the picture of an image address, or None to leave it out.
        chrome: True keeps navigation and the like, for pages that are nothing else.
    """
    return _Walk(load, chrome=chrome).run(root)


class _Walk:
    """One walk: the open elements, the words not yet ended, and the segments so far."""

    def __init__(self, load: Loader, *, chrome: bool) -> None:
        self._load = load
        self._chrome = chrome
        self._segments: list[Segment] = []
        self._stack: list[_Element] = []
        self._words: list[str] = []
        self._images: list[Segment] = []  # met inside a paragraph that has not ended
        self._headings: list[tuple[int, str]] = []
        self._figures: list[_Figure] = []
        self._anchor = ""
        self._text_anchor = ""
        self._term = ""
        self._rows = 0
        self._captions = 0
        self._pre = 0
        self._title = ""

    def run(self, root: LexborNode) -> Walked:
        node = root.child
        while node is not None:
            child = self._enter(node)
            if child is not None:
                node = child
                continue
            while node is not None and node.next is None:
                if not self._stack:
                    node = None
                    break
                node = self._stack[-1].node
                self._leave()
            if node is not None:
                node = node.next
        self._flush()
        self._flush_term()
        return Walked(self._segments, self._title)

    def _enter(self, node: LexborNode) -> LexborNode | None:
        """Take in a node; return its first child if the walk shall go into it."""
        tag = node.tag
        if tag == "-text":
            self._say(node.text_content or "")
            return None
        if tag is None or tag in SKIPPED_TAGS or tag[0] in "-!#":
            return None
        if tag in _INLINE:
            return self._open(_Element(tag, node))
        attributes = node.attributes
        if tag == "br":
            self._words.append("\n" if self._pre else " ")
            return None
        if tag == "img":
            self._image(attributes)
            return None
        if not self._chrome and self._is_chrome(tag, attributes, node):
            return None
        self._note_anchor(tag, attributes)
        if tag == "a" and "headerlink" in (attributes.get("class") or ""):
            return None
        if tag in _CELLS and self._words:
            self._words.append(_CELL_END)
            return self._open(_Element(tag, node))
        return self._open_block(tag, attributes, node)

    def _is_chrome(self, tag: str, attributes: Attributes, node: LexborNode) -> bool:
        if tag == "header":  # pandoc and HTML5 articles put the title there, sites their menus
            return node.css_first("h1, h2") is None or node.css_first("nav, [role=navigation]") is not None
        return is_chrome(tag, attributes)

    def _open_block(self, tag: str, attributes: Attributes, node: LexborNode) -> LexborNode | None:
        classes = (attributes.get("class") or "").split()
        heading = tag in _HEADINGS
        element = _Element(tag, node, block=heading or tag in _BLOCKS)
        if element.block:
            self._end_block(tag)
        if tag == "figure" or (tag in ("div", "table") and not _FIGURE_CLASSES.isdisjoint(classes)):
            element.figure = True
            self._figures.append(_Figure(len(self._segments)))
        elif self._figures and not heading:
            element.caption = self._is_caption(tag, classes)
        elif tag == "div" and classes == ["title"] and not self._title:
            element.tag = "title"
        self._rows += tag == "tr"
        self._pre += tag == "pre"
        self._captions += element.caption
        return self._open(element)

    def _is_caption(self, tag: str, classes: list[str]) -> bool:
        if self._captions:
            return False  # the outer one takes it all
        if tag == "figcaption" or not _CAPTION_CLASSES.isdisjoint(classes):
            return True
        # DocBook titles a figure with p.title; elsewhere "title" says nothing.
        return tag in ("p", "div") and "title" in classes and not any(c.startswith("doc") for c in classes)

    def _open(self, element: _Element) -> LexborNode | None:
        child = element.node.child
        self._stack.append(element)
        if child is None:
            self._leave()
        return child

    def _leave(self) -> None:
        element = self._stack.pop()
        tag = element.tag
        if element.caption:
            self._captions -= 1
            self._take_caption()
        elif tag in _HEADINGS:
            self._take_heading(_HEADINGS[tag])
        elif tag == "title":
            self._take_title()
        elif tag == "dt":
            self._take_term()
        elif element.block:
            self._end_block(tag)
        self._rows -= tag == "tr"
        if tag == "pre":
            self._pre -= 1
        if element.figure:
            self._end_figure(self._figures.pop())

    def _end_block(self, tag: str) -> None:
        """End the paragraph under way, unless a caption or a table row goes on."""
        in_row = self._rows and tag in _SOFT_IN_ROW
        if self._captions or (in_row and sum(map(len, self._words)) < _LONG_ROW_CHARACTERS):
            self._words.append(" ")
        else:
            self._flush()

    def _say(self, text: str) -> None:
        if not self._words:
            if not text.strip():
                return
            self._text_anchor = self._anchor
        self._words.append(text)

    def _taken(self) -> str:
        """Return the words said since the last block ended, and forget them."""
        text = "".join(self._words)
        self._words.clear()
        if self._pre:
            lines = [line.rstrip() for line in text.expandtabs(4).splitlines()]
            return "\n".join(lines).strip("\n")
        cells = (" ".join(cell.split()) for cell in text.split(_CELL_END))
        return " | ".join(cell for cell in cells if cell)

    def _flush(self) -> None:
        if self._words:
            self._add_text(self._taken())
        if self._images:
            self._flush_term()
            self._segments += self._images
            self._images.clear()

    def _add_text(self, text: str) -> None:
        if not text or text == _PILCROW:
            return
        if self._term:
            text, self._term = f"{self._term}: {text}", ""
        section = tuple(heading for _, heading in self._headings)
        self._segments.append(Segment("text", text=text, section=section, anchor=self._text_anchor))

    def _take_heading(self, level: int) -> None:
        text = self._taken().rstrip(_PILCROW).strip()
        self._flush_term()
        if text:
            self._title = self._title or text
            self._headings = [h for h in self._headings if h[0] < level] + [(level, text)]
            self._text_anchor = self._anchor
            self._add_text(text)
        self._flush()

    def _take_title(self) -> None:
        self._title = self._taken() or self._title
        self._flush()

    def _take_term(self) -> None:
        """Hold a term back, to stand before its definition."""
        text = self._taken()
        text = ", ".join(part for part in (self._term, text) if part)
        self._term = ""
        if len(text) <= _LONG_TERM_CHARACTERS:
            self._term = text
        else:
            self._add_text(text)
        self._flush()

    def _flush_term(self) -> None:
        text, self._term = self._term, ""
        self._add_text(text)

    def _take_caption(self) -> None:
        text = self._taken().rstrip(_PILCROW).strip()
        if text:
            self._figures[-1].caption.append(text)
        self._flush()

    def _end_figure(self, figure: _Figure) -> None:
        """Give a figure's caption to its images; a figure without images leaves it as text."""
        self._flush()
        caption = " ".join(figure.caption)
        if not caption:
            return
        images = [i for i in range(figure.first, len(self._segments)) if self._segments[i].kind == "image"]
        for i in images:
            self._segments[i] = _captioned(self._segments[i], caption)
        if not images:
            self._text_anchor = self._anchor
            self._add_text(caption)

    def _image(self, attributes: Attributes) -> None:
        address = attributes.get("src") or ""
        if not address or (address.startswith("data:") and attributes.get("data-src")):
            address = attributes.get("data-src") or ""
        if not address or is_icon(attributes):
            return
        picture = self._load(address)
        if picture is None:
            return
        alternative = " ".join((attributes.get("alt") or "").split())
        self._images.append(
            Segment(
                "image",
                text="" if _is_file_name(alternative) else alternative,
                picture=picture,
                caption=" ".join((attributes.get("title") or "").split()),
                section=tuple(heading for _, heading in self._headings),
                anchor=self._anchor,
            )
        )
        if not self._words:
            self._flush()

    def _note_anchor(self, tag: str, attributes: Attributes) -> None:
        anchor = attributes.get("id") or (attributes.get("name") if tag == "a" else None)
        if anchor:
            self._anchor = anchor


def _captioned(segment: Segment, caption: str) -> Segment:
    """Return an image with a caption before the one it has."""
    inner = "" if segment.caption in caption else segment.caption
    return Segment(
        "image",
        text=segment.text,
        picture=segment.picture,
        caption=f"{caption} {inner}".strip(),
        section=segment.section,
        anchor=segment.anchor,
    )


def _is_file_name(alternative: str) -> bool:
    """Tell alternative text that only repeats the address ("../_images/plot.png")."""
    return (
        alternative.lower().endswith((".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp"))
        and " " not in alternative
    )
