"""Names that say nothing: what cameras, scanners and programs call files, and what people leave so."""

from __future__ import annotations

import re

from plait.encode.items import heading_of, texts_of
from plait.schema import Unit

_GIVEN = re.compile(
    "am|at|capture|copy|dcim|document|dsc[fnp]?|file|fig|figure|frame|from|gopr|images?|imgp?|mvimg|new|no|of|page"
    "|pano|photos?|pics?|pict|pictures?|pm|pxl|scan|scanned|scanner|screen|screen(capture|shots?)|shot|slide|snapshot"
    "|te?mp|the|thumb(nail)?|unnamed|untitled|whatsapp"
)
_PARTS = re.compile(r"[^\W_]+")


def telling_texts(unit: Unit) -> list[str]:
    """Return what is read of a unit besides its headings; none if all its words are a name that says nothing.

    A vector of "IMG 0042" is near to some questions and far from others, for no reason in the picture.
    """
    texts = texts_of(unit)
    return texts if any(texts) or tells(heading_of(unit)) else []


def tells(name: str) -> bool:
    """Return whether a name holds a word: two letters or more, or one that is not Latin, and no digit.

    What devices and programs name files by counts for none: "0042", "IMG 0042", "P1010023",
    "Screenshot 2024-05-01 at 10.11.12" and "3f2a9c" hold no word; "red kayak 2" and "猫" do.
    """
    return any(_is_word(part) and not _GIVEN.fullmatch(part) for part in _PARTS.findall(name.lower()))


def _is_word(part: str) -> bool:
    return part.isalpha() and (len(part) > 1 or not part.isascii())
