"""Words within a line, taken at once where there is nothing but words, as in most of a manual."""

from __future__ import annotations

from selectolax.lexbor import LexborNode

from plait.data.readers.markup.chrome import names

INLINE = names("b i em strong code tt kbd samp var sub sup small big u font cite q abbr wbr")
TEXT = 2  # the tag of a text, LXB_TAG__TEXT
_DEEPEST = 4  # each level looks below itself
# What Sphinx and Pygments mark the words of code with.
_LOOKS = frozenset({"pre", "std std-ref", "doc", "n", "o", "p", "w", "kc", "mi", "s1", "s2"})


def words_at_once(node: LexborNode) -> str | None:
    """Return the words of an element that holds no more than them, as most within a line do; else None."""
    child = node.child
    if child is None:
        return ""
    for _ in range(_DEEPEST):
        if child.next is not None:
            break
        if child.tag_id == TEXT:
            return child.text_content or ""
        if not (child.tag in INLINE or _is_plain(child)):
            return None
        child = child.child
        if child is None:
            return ""
    pieces = []
    while child is not None:
        if child.tag_id == TEXT:
            pieces.append(child.text_content or "")
        else:
            inner = child.child
            if inner is None or inner.tag_id != TEXT or inner.next is not None or not _is_plain(child):
                return None
            pieces.append(inner.text_content or "")
        child = child.next
    return "".join(pieces)


def _is_plain(node: LexborNode) -> bool:
    """Tell a <span> that says nothing but how its words look, as Sphinx sets around each word of code."""
    if node.tag != "span":
        return False
    attributes = node.attributes
    return not attributes or (len(attributes) == 1 and attributes.get("class") in _LOOKS)
