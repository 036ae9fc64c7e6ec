"""Pictures no larger than an assistant can take in."""

from __future__ import annotations

import base64
import io
import math

from mcp import types
from PIL import Image as PillowImage

from plait.encode.pictures import open_figure
from plait.schema import Box

SMALL_PX, LARGE_PX = 768, 1568  # the longest side: beside a hit, and on its own
_MOST_BYTES = 700_000  # clients give up on answers of more than a megabyte
_MOST_TIMES = 4.0  # more shows the pixels larger, but nothing more
_QUALITIES = (88, 75, 55)
_FEW_COLOURS = 4096


def shown(path: str, *, longest_px: int, max_pixels: int) -> types.ImageContent:
    """Return a stored picture, made smaller if need be.

    Raises:
        ReadError: its file is gone or damaged.
    """
    return _content(_scaled(open_figure(path, max_pixels=max_pixels), longest_px, enlarge=1.0))


def enlarged(path: str, box: Box | None, *, max_pixels: int) -> tuple[types.ImageContent, str]:
    """Return a region of a stored picture, as large as it is useful, and its size in words.

    Raises:
        ReadError: its file is gone or damaged.
    """
    picture = open_figure(path, max_pixels=max_pixels)
    cut = picture if box is None else _region(picture, box)
    large = _scaled(cut, LARGE_PX, enlarge=_MOST_TIMES)
    times = large.width / cut.width
    return _content(large), f"{cut.width} x {cut.height} pixels, shown {times:.3g} times as large"


def _region(picture: PillowImage.Image, box: Box) -> PillowImage.Image:
    """Return the pixels that a box touches, at least one."""
    left = min(math.floor(box.left * picture.width), picture.width - 1)
    top = min(math.floor(box.top * picture.height), picture.height - 1)
    right = max(left + 1, math.ceil(box.right * picture.width))
    bottom = max(top + 1, math.ceil(box.bottom * picture.height))
    return picture.crop((left, top, right, bottom))


def _scaled(picture: PillowImage.Image, longest_px: int, *, enlarge: float) -> PillowImage.Image:
    times = min(enlarge, longest_px / max(picture.size))
    size = (max(1, round(picture.width * times)), max(1, round(picture.height * times)))
    return picture if size == picture.size else picture.resize(size, PillowImage.Resampling.LANCZOS)


def _content(picture: PillowImage.Image) -> types.ImageContent:
    data, media_type = _encoded(picture)
    return types.ImageContent(type="image", data=base64.b64encode(data).decode(), mimeType=media_type)


def _encoded(picture: PillowImage.Image) -> tuple[bytes, str]:
    """Return drawings and text, which have few colours, as PNG, and all else as JPEG."""
    if picture.getcolors(_FEW_COLOURS) and len(data := _saved(picture, "PNG")) <= _MOST_BYTES:
        return data, "image/png"
    for quality in _QUALITIES:
        data = _saved(picture, "JPEG", quality=quality)
        if len(data) <= _MOST_BYTES:
            return data, "image/jpeg"
    return _encoded(picture.resize((max(1, picture.width // 2), max(1, picture.height // 2))))


def _saved(picture: PillowImage.Image, kind: str, *, quality: int = 75) -> bytes:
    written = io.BytesIO()
    picture.save(written, kind, quality=quality)
    return written.getvalue()
