"""SVG drawings: drawn to pictures, with the words in them; nothing in them runs or reaches elsewhere."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

import resvg_py
from PIL import Image, ImageFont

from plait.data.readers.base import ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.markup.drawing_safety import SVG, make_safe, size_of
from plait.data.readers.pictures import LONGEST_SIDE_PX, BadPictureError, PictureStore, TooManyPixelsError
from plait.data.readers.xml_trees import BadXmlError, tree_of
from plait.errors import ReadError
from plait.schema import Document, Picture, Segment

# Lines and letters stay readable at twice the size that a drawing asks for.
_SHARPER = 2.0
_SHARP_SIDE_PX = 1000
_DEEPEST = 64  # the renderer calls itself for each level
_FONT = "Aileron"  # comes with Pillow
_LAST_LATIN = "\u024f"
_LONGEST_WORDS = 50_000


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing that can be drawn.

    Attributes:
        root: its tree; it names nothing outside of it.
        width, height: as it asks for, in pixels of a screen.
        title, description: what it says of itself; "" if nothing.
        labels: the words that it shows.
    """

    root: Element
    width: float
    height: float
    title: str
    description: str
    labels: tuple[str, ...]

    @property
    def words(self) -> str:
        """Its title, description and labels, each once."""
        every = (self.title, self.description, *self.labels)
        return " ".join(dict.fromkeys(word for word in every if word))[:_LONGEST_WORDS]


def read_drawing(task: ReadTask, limits: ReadLimits) -> Document:
    """Return an SVG file as a document: its picture, then the words in it.

    Raises:
        ReadError: it cannot be drawn.
    """
    try:
        drawing = drawing_of(task.path.read_bytes(), max_pixels=limits.max_pixels)
        picture = drawn(drawing, spool=task.spool, max_pixels=limits.max_pixels)
    except BadPictureError as error:
        remedy = "export it as PNG or PDF, or leave it out"
        raise ReadError(task.source, f"cannot be drawn: {error}", remedy) from error
    segments = [Segment("image", text=drawing.description or drawing.title, picture=picture)]
    labels = "\n".join(drawing.labels)[:_LONGEST_WORDS]
    return Document(
        id=document_id(task.source),
        title=drawing.title or title_from(task.path),
        source=task.source,
        metadata={"type": "drawing", "width": picture.width_px, "height": picture.height_px},
        segments=(*segments, Segment("text", text=labels)) if labels else tuple(segments),
    )


def drawing_of(data: bytes, *, max_pixels: int) -> Drawing:
    """Return the drawing in an SVG file, without scripts and whatever it would fetch from elsewhere.

    Raises:
        BadPictureError: it is no drawing, or one made to do harm.
    """
    try:
        root = tree_of(data, deepest=_DEEPEST)
    except BadXmlError as error:
        raise BadPictureError(f"an SVG drawing that {_as_clause(str(error))}") from error
    if root.tag.rpartition("}")[2] != "svg":
        raise BadPictureError("not an SVG drawing")
    width, height = size_of(root)
    make_safe(root, max_pixels=max_pixels)
    labels = tuple(dict.fromkeys(words for element in root.iter(f"{SVG}text") if (words := _words(element))))
    title, description = (_words(root.find(f".//{SVG}{name}")) for name in ("title", "desc"))
    return Drawing(root, width, height, title, description, labels)


def drawn(drawing: Drawing, *, spool: Path, max_pixels: int) -> Picture:
    """Draw a drawing on white, in a size in which its words can be read, and keep the picture.

    Raises:
        BadPictureError: the renderer refuses it.
        TooManyPixelsError: it is larger than the limit even at that size.
    """
    longest = max(drawing.width, drawing.height)
    side = min(max(longest, min(longest * _SHARPER, _SHARP_SIDE_PX)), LONGEST_SIDE_PX)
    width = round(drawing.width * side / longest)
    height = round(drawing.height * side / longest)
    if width < 1 or height < 1:
        raise BadPictureError("an SVG drawing that is too thin")
    if width * height > max_pixels:
        raise TooManyPixelsError(f"{width} x {height} pixels, more than {max_pixels:,}")
    drawing.root.set("width", f"{drawing.width:.3f}")
    drawing.root.set("height", f"{drawing.height:.3f}")
    markup = tostring(drawing.root, encoding="unicode")
    with tempfile.NamedTemporaryFile(dir=spool, suffix=".ttf") as font:
        # The fonts of a machine differ, and a confined reader may not look at them.
        font.write(_latin_font())
        font.flush()
        try:
            data = resvg_py.svg_to_bytes(
                svg_string=markup,
                width=width,
                background="white",
                skip_system_fonts=not _needs_more_letters(drawing.labels),
                font_files=[font.name],
                font_family=_FONT,
                serif_family=_FONT,
                sans_serif_family=_FONT,
                cursive_family=_FONT,
                fantasy_family=_FONT,
                monospace_family=_FONT,
            )
        except ValueError as error:
            raise BadPictureError("an SVG drawing that cannot be drawn") from error
    with Image.open(io.BytesIO(bytes(data)), formats=("PNG",)) as image:
        return PictureStore(spool, max_pixels=max_pixels).draw(image.convert("RGB"))


def _latin_font() -> bytes:
    """Return the font that Pillow brings along."""
    font = ImageFont.load_default(size=12)
    return font.font_bytes if isinstance(font, ImageFont.FreeTypeFont) else b""


def _needs_more_letters(labels: tuple[str, ...]) -> bool:
    return any(letter > _LAST_LATIN and letter.isalpha() for words in labels for letter in words)


def _words(element: Element | None) -> str:
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


def _as_clause(reason: str) -> str:
    return f"is {reason}" if reason.startswith("not") else reason
