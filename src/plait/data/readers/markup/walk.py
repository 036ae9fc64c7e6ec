"""An HTML tree to segments in reading order, walked without recursion.

Pages nest thousands of elements deep, by mistake or by malice, so the walk keeps its own stack.
A heading is a text segment whose text ends its own section path.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from selectolax.lexbor import LexborNode

from plait.data.readers.captions import label_of
from plait.data.readers.markup.chrome import SKIPPED_TAGS, Attributes, is_chrome, is_drawing, is_icon, names
from plait.data.readers.markup.drawing_safety import from_page
from plait.data.readers.markup.inline_words import INLINE, TEXT, words_at_once
from plait.data.readers.markup.links import Links
from plait.data.readers.markup.listings import lines_of, listing_of
from plait.data.readers.markup.picture_addresses import addresses_of
from plait.data.readers.markup.roles import Role, is_back_link, role_of
from plait.data.readers.markup.table_markup import table_of, words_of
from plait.schema import Link, Picture, Segment, TextRole

_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_BLOCKS = names(
    "p div section article main nav aside header footer address blockquote ul ol li dl dt dd "
    "table thead tbody tfoot tr caption figure figcaption pre form fieldset details summary center hr "
    "h1 h2 h3 h4 h5 h6"
)
_COUNTED = frozenset({"tr", "table", "pre", "header"})
_REPLACED = frozenset({"br", "img", "svg", "math"})
_CHROME_TAGS = frozenset({"nav", "footer", "header"})
# Inside a table row these only separate words: a cell of two paragraphs is still one row.
_SOFT_IN_ROW = frozenset({"p", "div", "center", "section"})
_CELLS = frozenset({"td", "th"})
_LONG_ROW_CHARACTERS = 400  # a "row" this long is layout, not data: its paragraphs stay paragraphs
_LONG_TERM_CHARACTERS = 100
_TEX = "annotation[encoding='application/x-tex']"
# Each of these looks at all that is in it, so one inside another is not looked at again without end.
_DEEPEST_TABLES = 3
_DEEPEST_FIGURES = 20
_MOST_DRAWINGS = 100
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
    """One open block: what to do when it ends."""

    tag: str
    caption: bool = False
    figure: bool = False
    footnote: bool = False


_PLAIN_BLOCKS = {tag: _Element(tag) for tag in _BLOCKS}


@dataclass(slots=True)
class _Figure:
    """One open figure: where its images begin, and its caption so far."""

    first: int
    caption: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)


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
        self._stack: list[tuple[LexborNode, _Element | None]] = []
        self._words: list[str] = []
        self._images: list[Segment] = []  # met inside a paragraph that has not ended
        self._headings: list[tuple[int, str]] = []
        self._section: tuple[str, ...] = ()
        self._figures: list[_Figure] = []
        self._links = Links()
        self._anchor = ""
        self._text_anchor = ""
        self._term = ""
        self._rows = 0
        self._tables = 0
        self._captions = 0
        self._notes = 0
        self._pre = 0
        self._headers = 0
        self._in_link = False
        self._drawings = 0
        self._title = ""

    def run(self, root: LexborNode) -> Walked:
        node = root.child
        words = self._words
        while node is not None:
            if node.tag_id == TEXT:  # half of all nodes: not worth a call
                text = node.text_content or ""
                if words:
                    words.append(text)
                elif text and not text.isspace():
                    self._text_anchor = self._anchor
                    words.append(text)
            elif (child := self._enter(node)) is not None:
                node = child
                continue
            following = node.next
            while following is None and self._stack:
                following = self._leave().next
            node = following
        self._flush()
        self._flush_term()
        return Walked(self._segments, self._title)

    def _enter(self, node: LexborNode) -> LexborNode | None:
        """Take in a node; return its first child if the walk shall go into it."""
        tag = node.tag
        if tag in INLINE:
            return self._open_inline(node)
        if tag is None or tag in SKIPPED_TAGS or tag[0] in "-!#":
            return None
        attributes = node.attributes
        if tag in _REPLACED:
            self._replace(tag, attributes, node)
            return None
        if attributes or tag in _CHROME_TAGS:
            if not self._chrome and (self._is_menu(node) if tag == "header" else is_chrome(tag, attributes)):
                return None
            if "id" in attributes or "name" in attributes:
                self._note_anchor(tag, attributes)
        if tag == "span":
            return self._open_inline(node)
        if tag in _BLOCKS:
            return self._open_block(tag, attributes, node)
        return self._open_other(tag, attributes, node)

    def _replace(self, tag: str, attributes: Attributes, node: LexborNode) -> None:
        """Take in an element that stands for something else than the words in it."""
        if tag == "br":
            self._words.append("\n" if self._pre else " ")
        elif tag == "img":
            self._image(node, attributes)
        elif tag == "svg":
            self._drawing(node, attributes)
        else:
            self._formula(node, attributes)

    def _open_other(self, tag: str, attributes: Attributes, node: LexborNode) -> LexborNode | None:
        if tag == "a" and not self._in_link:  # what is in a link was looked at with it
            if is_back_link(attributes, node):
                return None
            self._links.note(node, attributes)
            return self._open_inline(node, _Element(tag))
        if tag in _CELLS and self._words:
            self._words.append(_CELL_END)
        return self._open_inline(node)

    def _is_menu(self, node: LexborNode) -> bool:
        """Tell whether a <header> is navigation."""
        if self._headers:
            return False  # all that is in the outer one was looked at
        # pandoc and HTML5 articles put the title there, sites their menus.
        return node.css_first("h1, h2") is None or node.css_first("nav, [role=navigation]") is not None

    def _open_inline(self, node: LexborNode, element: _Element | None = None) -> LexborNode | None:
        """Go into an element whose end ends no block."""
        words = words_at_once(node)
        if words is not None:
            self._say(words)
            return None
        self._stack.append((node, element))
        self._in_link |= element is not None
        return node.child

    def _open_block(self, tag: str, attributes: Attributes, node: LexborNode) -> LexborNode | None:
        role = role_of(tag, attributes)
        if self._take_whole(tag, role, node):
            return None
        self._end_block(tag)
        element = _PLAIN_BLOCKS[tag] if role is None else self._element(tag, role)
        if role is not None or tag in _COUNTED:
            self._count(element, 1)
        self._stack.append((node, element))
        child = node.child
        if child is None:
            self._leave()
        return child

    def _take_whole(self, tag: str, role: Role | None, node: LexborNode) -> bool:
        """Take in a listing or a table of data as one segment; tell whether it was one."""
        if tag == "pre" or (role is not None and role.listing):
            return self._listing(tag, node)
        return tag == "table" and not (role is not None and role.footnote) and self._table(node)

    def _element(self, tag: str, role: Role) -> _Element:
        """Return what an element that is more than a block does when it ends."""
        element = _Element(tag, footnote=role.footnote)
        if role.figure and len(self._figures) < _DEEPEST_FIGURES:
            element.figure = True
            self._figures.append(_Figure(len(self._segments)))
        elif self._figures and role.caption and not self._captions and tag not in _HEADINGS:
            element.caption = True  # of captions in captions the outer one takes it all
            self._captions += 1
        elif role.title and not self._title:
            element.tag = "title"
        return element

    def _count(self, element: _Element, step: int) -> None:
        """Count an element as open, or no longer so."""
        tag = element.tag
        self._rows += step * (tag == "tr")
        self._tables += step * (tag == "table")
        self._pre += step * (tag == "pre")
        self._headers += step * (tag == "header")
        self._notes += step * element.footnote

    def _leave(self) -> LexborNode:
        """End the innermost open element, and return its node."""
        node, element = self._stack.pop()
        if element is None:
            return node
        tag = element.tag
        if element.caption:
            self._captions -= 1
            self._take_caption()
        elif tag in _HEADINGS:
            self._take_heading(_HEADINGS[tag])
        elif tag == "a":
            self._in_link = False
        elif tag == "title":
            self._take_title()
        elif tag == "dt":
            self._take_term()
        else:
            self._end_block(tag)
        if element.footnote or tag in _COUNTED:
            self._count(element, -1)
        if element.figure:
            self._end_figure(self._figures.pop())
        return node

    def _end_block(self, tag: str) -> None:
        """End the paragraph under way, unless a caption or a table row goes on."""
        if not self._words and not self._images:
            return
        in_row = self._rows and tag in _SOFT_IN_ROW
        if self._captions or (in_row and sum(map(len, self._words)) < _LONG_ROW_CHARACTERS):
            self._words.append(" ")
        else:
            self._flush()

    def _say(self, text: str) -> None:
        if not self._words:
            if not text or text.isspace():
                return
            self._text_anchor = self._anchor
        self._words.append(text)

    def _taken(self) -> str:
        """Return the words said since the last block ended, and forget them."""
        text = "".join(self._words)
        self._words.clear()
        if self._pre:
            return lines_of(text)
        if _CELL_END not in text:
            return " ".join(text.split())
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
        role: TextRole = "footnote" if self._notes else "code" if self._pre else "body"
        self._segments.append(
            Segment(
                "text",
                text=text,
                section=self._section,
                anchor=self._text_anchor,
                role=role,
                links=self._links.take(),
            )
        )

    def _take_heading(self, level: int) -> None:
        text = self._taken().rstrip(_PILCROW).strip()
        self._flush_term()
        if text:
            self._title = self._title or text
            self._headings = [h for h in self._headings if h[0] < level] + [(level, text)]
            self._section = tuple(heading for _, heading in self._headings)
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
            self._figures[-1].links += self._links.take()
        self._flush()

    def _end_figure(self, figure: _Figure) -> None:
        """Give a figure's caption to its pictures and tables; without any it stays as text."""
        self._flush()
        caption = " ".join(figure.caption)
        if not caption:
            return
        shown = [i for i in range(figure.first, len(self._segments)) if self._segments[i].kind != "text"]
        for i in shown:
            self._segments[i] = _captioned(self._segments[i], caption, figure.links)
        if not shown:
            self._text_anchor = self._anchor
            self._add_text(caption)

    def _listing(self, tag: str, node: LexborNode) -> bool:
        """Take in a listing at once if there are but words in it; most of a manual's elements are there."""
        if self._captions or self._pre:
            return False
        text = listing_of(tag, node)
        if text is None:
            return False
        self._flush()
        self._flush_term()
        self._say(text)
        self._pre += 1
        self._flush()
        self._pre -= 1
        return True

    def _table(self, node: LexborNode) -> bool:
        """Take in a table of data as one segment."""
        if self._captions or self._rows or self._tables >= _DEEPEST_TABLES:
            return False
        self._flush()
        self._flush_term()
        table = table_of(node, self._links)
        if table is None:
            return False
        self._segments.append(
            Segment(
                "table",
                text=table.text,
                caption=table.caption,
                label=label_of(table.caption),
                rows=table.rows,
                header_rows=table.header_rows,
                section=self._section,
                anchor=self._anchor,
                links=self._links.take(),
            )
        )
        return True

    def _image(self, node: LexborNode, attributes: Attributes) -> None:
        alternative = " ".join((attributes.get("alt") or "").split())
        if _is_formula(attributes):
            self._say(f" {alternative} ")
            return
        if is_icon(attributes):
            return
        for address in addresses_of(node, attributes):
            picture = self._load(address)
            if picture is not None:
                text = "" if _is_file_name(alternative) else alternative
                self._show(picture, text, " ".join((attributes.get("title") or "").split()))
                return

    def _drawing(self, node: LexborNode, attributes: Attributes) -> None:
        """Take in a drawing that is written into the page, with the words in it."""
        if self._drawings >= _MOST_DRAWINGS or not is_drawing(attributes):
            return
        self._drawings += 1
        picture = self._load("data:image/svg+xml;base64," + b64encode(from_page(node.html or "")).decode())
        if picture is not None:
            words = (words_of(part) for part in node.css("title, desc, text"))
            self._show(picture, " ".join(dict.fromkeys(word for word in words if word)), "")

    def _show(self, picture: Picture, text: str, caption: str) -> None:
        label = label_of(caption) if caption else ""
        self._images.append(
            Segment(
                "image",
                text=text,
                picture=picture,
                caption=caption,
                section=self._section,
                anchor=self._anchor,
                label=label,
            )
        )
        if not self._words:
            self._flush()

    def _formula(self, node: LexborNode, attributes: Attributes) -> None:
        """Say a formula as its author typed it, where the page tells."""
        source = attributes.get("alttext")
        if not source:
            typed = node.css_first(_TEX)
            source = (typed if typed is not None else node).text()
        self._say(f" {source or ''} ")

    def _note_anchor(self, tag: str, attributes: Attributes) -> None:
        anchor = attributes.get("id") or (attributes.get("name") if tag == "a" else None)
        if anchor:
            self._anchor = anchor


def _captioned(segment: Segment, caption: str, links: list[Link]) -> Segment:
    """Return a picture or table with a caption before the one it has."""
    inner = "" if segment.caption in caption else segment.caption
    whole = f"{caption} {inner}".strip()
    return replace(segment, caption=whole, label=label_of(whole), links=(*segment.links, *links))


def _is_formula(attributes: Attributes) -> bool:
    """Tell a formula that was drawn: its alternative text says what it is."""
    classes = (attributes.get("class") or "")[:200].split()
    return bool(attributes.get("alt")) and ("math" in classes or "tex" in classes)


def _is_file_name(alternative: str) -> bool:
    """Tell alternative text that only repeats the address ("../_images/plot.png")."""
    return (
        alternative.lower().endswith((".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp"))
        and " " not in alternative
    )
