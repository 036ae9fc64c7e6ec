"""What is taken out of an SVG drawing before it is drawn: scripts, and every address outside of it."""

from __future__ import annotations

import base64
import binascii
import io
import re
import warnings
from xml.etree.ElementTree import Element, SubElement

from PIL import Image

from plait.data.readers.pictures import BadPictureError

SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "http://www.w3.org/1999/xlink"
_DROPPED = frozenset({"script", "iframe", "audio", "video", "animate", "set", "metadata"})
_MEASURED = frozenset({"pattern", "filter", "mask", "marker", "symbol"})
_INLINE_PICTURE = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,", re.I)
_OUTER_ADDRESS = re.compile(r"url\(\s*[\"']?(?!\s*#)[^)]*\)|@import[^;]*;?", re.I)
_FAMILY = re.compile(r"(font-family\s*:\s*[^;}\"]{1,200})", re.I)
_LENGTH = re.compile(
    r"\s*([0-9]{0,9}(?:\.[0-9]{0,9})?(?:e[+-]?[0-9]{1,2})?)\s*(px|pt|pc|mm|cm|in|em|ex)?\s*", re.I
)
_UNITS = {"pt": 4 / 3, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0, "em": 16.0, "ex": 8.0}
_LARGEST_UNIT = 20_000.0
_DEFAULT_SIZE = (300.0, 150.0)  # what browsers give to a drawing that asks for none
_MOST_ELEMENTS = 200_000


def make_safe(root: Element, *, max_pixels: int) -> None:
    """Take out of a drawing what runs, and what names files or addresses outside of it.

    Words of web pages within it ("foreignObject"), which the renderer leaves out, become plain text.

    Raises:
        BadPictureError: it has parts of a size that no renderer could draw.
    """
    for count, element in enumerate(root.iter()):
        if count > _MOST_ELEMENTS:
            raise BadPictureError(f"an SVG drawing of more than {_MOST_ELEMENTS:,} parts")
        _place(element)
        name = element.tag.removeprefix(SVG)
        if name == "foreignObject":
            _simplify(element)
        element[:] = [child for child in element if _local(child) not in _DROPPED]
        if name in _MEASURED and any(_is_huge(value) for value in element.attrib.values()):
            raise BadPictureError("an SVG drawing with parts of a size that cannot be drawn")
        if name == "style" and element.text:
            element.text = _plain_style(element.text)
        _clean(element, max_pixels)


def size_of(root: Element) -> tuple[float, float]:
    """Return the width and height that a drawing asks for, in pixels of a screen; positive."""
    box = [_number(part) for part in re.split(r"[\s,]+", root.get("viewBox", "")[:200].strip())]
    boxed = (box[2], box[3]) if len(box) == 4 and box[2] > 0 and box[3] > 0 else None
    width, height = _pixels(root.get("width")), _pixels(root.get("height"))
    if width and height:
        return width, height
    if boxed is None:
        return width or _DEFAULT_SIZE[0], height or _DEFAULT_SIZE[1]
    if width:
        return width, width * boxed[1] / boxed[0]
    if height:
        return height * boxed[0] / boxed[1], height
    return boxed


def from_page(markup: str) -> bytes:
    """Return a drawing that stood in an HTML page as XML: HTML needs neither namespaces nor end tags."""
    plain = markup.replace("&nbsp;", "&#160;")
    plain = re.sub(r"<(br|hr|img|input|wbr)\b([^<>]*?)/?>", r"<\1\2/>", plain)
    plain = re.sub(r"\s(?!xlink:|xml:|xmlns:)[\w-]+:[\w:-]+=\"[^\"]*\"", " ", plain)
    declared = f' xmlns:xlink="{_XLINK}"' if "xmlns:xlink" not in plain else ""
    declared += ' xmlns="http://www.w3.org/2000/svg"' if not re.search(r"<svg[^>]*\sxmlns=", plain) else ""
    return plain.replace("<svg", f"<svg{declared}", 1).encode("utf-8", "replace")


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _place(element: Element) -> None:
    """Give an element of no namespace that of drawings."""
    if not element.tag.startswith("{"):
        element.tag = SVG + element.tag


def _simplify(element: Element) -> None:
    """Turn a part of a web page into a line of text in its middle."""
    words = " ".join(" ".join(element.itertext()).split())
    left, top, width, height = (_number(element.get(name, "")) for name in ("x", "y", "width", "height"))
    element.tag = f"{SVG}g"
    element.attrib.clear()
    element[:] = []
    element.text = None
    if words:
        place = {"x": f"{left + width / 2:.2f}", "y": f"{top + height / 2 + 5:.2f}"}
        style = {"text-anchor": "middle", "font-size": "14", "font-family": "sans-serif"}
        SubElement(element, f"{SVG}text", {**place, **style}).text = words


def _clean(element: Element, max_pixels: int) -> None:
    for name, value in list(element.attrib.items()):
        plain = name.rpartition("}")[2].lower()
        if plain.startswith("on") or plain in ("base", "src"):
            del element.attrib[name]
        elif plain == "href":
            if not value.strip().startswith("#") and not _is_small_picture(value, max_pixels):
                del element.attrib[name]
        elif plain == "font-family":
            element.set(name, f"{value[:200]}, sans-serif")
        elif "url" in value or plain == "style":
            element.set(name, _plain_style(value))


def _plain_style(text: str) -> str:
    """Return a style that names no file, and that shows words also where its own fonts are missing."""
    return _FAMILY.sub(r"\1, sans-serif", _OUTER_ADDRESS.sub("none", text.replace("\\", "")))


def _is_small_picture(address: str, max_pixels: int) -> bool:
    """Tell a picture that is written into the drawing and no larger than allowed."""
    head = _INLINE_PICTURE.match(address.strip())
    if head is None:
        return False
    try:
        data = base64.b64decode("".join(address.strip()[head.end() :].split()) + "==")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "GIF", "WEBP")) as image:
                return image.width * image.height <= max_pixels
    except (binascii.Error, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def _is_huge(value: str) -> bool:
    return any(abs(_number(part)) > _LARGEST_UNIT for part in re.split(r"[\s,()%a-df-z]+", value[:500]))


def _pixels(value: str | None) -> float:
    """Return a length in pixels; 0 where it is none, or a share of something unknown."""
    match = _LENGTH.fullmatch((value or "")[:60])
    number = _number(match[1]) * _UNITS.get((match[2] or "").lower(), 1.0) if match else 0.0
    return number if 0 < number < 1e7 else 0.0


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if abs(number) < 1e12 else 1e12
