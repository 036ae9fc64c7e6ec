"""What cameras and programs noted in a picture: title, description, author, time and device."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from PIL import ExifTags, Image, ImageFile, IptcImagePlugin

from plait.data.readers.pictures import DAMAGED
from plait.data.readers.xml_trees import BadXmlError, tree_of
from plait.schema import Scalar

_LONGEST = 2000
_LARGEST_XMP = 2**20
_DC = "{http://purl.org/dc/elements/1.1/}"
# What devices and programs write by themselves says nothing of the picture.
_SAID_BY_MACHINES = re.compile(
    r"(?:olympus|sony|konica|minolta|kodak|samsung|nikon|dcim|dsc|image)[\w .-]*|screenshot|untitled|"
    r"created with .*|charset=.*|default|optional caption|edited with .*|binary comment",
    re.I,
)
_TIME = re.compile(r"(\d{4}):(\d\d):(\d\d)(?: (\d\d:\d\d:\d\d))?")


@dataclass(frozen=True, slots=True)
class PictureNotes:
    """What a picture says of itself.

    Attributes:
        title, description: "" if nothing.
        metadata: "author", "created" (ISO), "camera", "keywords", each if known. Where it was taken is not
            among them.
    """

    title: str = ""
    description: str = ""
    metadata: Mapping[str, Scalar] = field(default_factory=dict)


def notes_of(image: Image.Image) -> PictureNotes:
    """Return what an opened picture says of itself; damaged notes count as none."""
    exif, iptc, written, xmp = _exif(image), _iptc(image), _written(image), _xmp(image)
    sources = (xmp, iptc, exif, written)
    found = {
        name: next((source[name] for source in sources if source.get(name)), "")
        for name in ("title", "description", "author", "created", "camera", "keywords")
    }
    title, description = found.pop("title"), found.pop("description")
    if len(title) > 150:
        title, description = "", description or title
    return PictureNotes(title, description, {name: value for name, value in found.items() if value})


def _exif(image: Image.Image) -> dict[str, str]:
    try:
        values = image.getexif()
        inner = values.get_ifd(ExifTags.IFD.Exif)
        base = ExifTags.Base
        maker, model = _plain(values.get(base.Make)), _plain(values.get(base.Model))
        return {
            "title": _plain(values.get(base.XPTitle)),
            "description": _said(values.get(base.ImageDescription)) or _said(inner.get(base.UserComment)),
            "author": _plain(values.get(base.Artist)),
            "created": _time(_plain(inner.get(base.DateTimeOriginal) or values.get(base.DateTime))),
            "camera": model if model.startswith(maker) else f"{maker} {model}".strip(),
            "keywords": _plain(values.get(base.XPKeywords)),
        }
    except DAMAGED:
        return {}


def _iptc(image: Image.Image) -> dict[str, str]:
    if not isinstance(image, ImageFile.ImageFile):
        return {}
    try:
        values = IptcImagePlugin.getiptcinfo(image) or {}
        keywords = values.get((2, 25), b"")
        several = keywords if isinstance(keywords, list) else [keywords]
        return {
            "title": _plain(values.get((2, 105)) or values.get((2, 5))),
            "description": _said(values.get((2, 120))),
            "author": _plain(values.get((2, 80))),
            "keywords": ", ".join(_plain(word) for word in several),
        }
    except DAMAGED:
        return {}


def _written(image: Image.Image) -> dict[str, str]:
    """Return the notes of PNG files, and the comments of JPEG and GIF."""
    values = {
        str(name).lower(): value for name, value in image.info.items() if isinstance(value, str | bytes)
    }
    return {
        "title": _plain(values.get("title")),
        "description": _said(values.get("description")) or _said(values.get("comment")),
        "author": _plain(values.get("author")),
    }


def _xmp(image: Image.Image) -> dict[str, str]:
    data = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    data = data.encode() if isinstance(data, str) else data
    if not isinstance(data, bytes) or not 0 < len(data) < _LARGEST_XMP:
        return {}
    try:
        root = tree_of(data.strip(b"\0 \r\n\t"))
    except BadXmlError:
        return {}
    return {
        "title": _first(root, "title"),
        "description": _said(_first(root, "description")),
        "author": _first(root, "creator"),
    }


def _first(root: Element, name: str) -> str:
    """Return the first wording of a field; XMP writes one for each language."""
    element = root.find(f".//{_DC}{name}")
    if element is None:
        return ""
    words = (_plain(part.text) for part in element.iter())
    return next((word for word in words if word), "")


def _said(value: object) -> str:
    """Return a description, unless a machine wrote it."""
    text = _plain(value)
    return "" if _SAID_BY_MACHINES.fullmatch(text) else text


def _plain(value: object) -> str:
    """Return a note as one line; names of Windows come as UTF-16, those of others as bytes."""
    if isinstance(value, tuple):
        value = bytes(part for part in value if isinstance(part, int) and 0 <= part < 256)
    if isinstance(value, bytes):
        value = value[: 4 * _LONGEST]
        for mark, encoding in ((b"ASCII\0\0\0", "ascii"), (b"UNICODE\0", "utf-16-le")):
            if value.startswith(mark):
                value = value[len(mark) :].decode(encoding, "replace")
                break
        else:
            wide = len(value) > 1 and value[1::2].count(0) > len(value) // 4
            value = value.decode("utf-16-le" if wide else "utf-8", "replace")
    if not isinstance(value, str):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in value[:_LONGEST]).split())


def _time(text: str) -> str:
    """Return a time as "2024-05-01T10:00:00"; "" if it is none."""
    match = _TIME.match(text)
    if match is None or match[1] == "0000":
        return ""
    day = f"{match[1]}-{match[2]}-{match[3]}"
    return f"{day}T{match[4]}" if match[4] else day
