"""Pictures made small enough to stand in a page itself."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import ImageOps

from plait.data.readers.pictures import DAMAGED, flattened, opened
from plait.errors import MissingExtraError

_MAX_PIXELS = 50_000_000
_QUALITY = 78


class InlinedPictures:
    """Makes data URIs of pictures, until they fill the page.

    Args:
        max_bytes: of all pictures together; those after are left out.

    Attributes:
        unreadable: how many were not there any more, or damaged.
        left_out: how many came when the page was full.
    """

    def __init__(self, *, max_bytes: int = 24_000_000) -> None:
        self.unreadable = 0
        self.left_out = 0
        self._left = max_bytes
        self._made: dict[tuple[str | bytes, int], str | None] = {}

    def uri(self, image: str | bytes, *, side_px: int) -> str | None:
        """Return a picture as a JPEG data URI, or None if it cannot be shown.

        Args:
            image: a path, or the bytes of a picture.
            side_px: its longest side, at most.
        """
        key = (image, side_px)
        if key not in self._made:
            self._made[key] = _uri(image, side_px)
            self.unreadable += self._made[key] is None
        made = self._made[key]
        if made is None:
            return None
        if len(made) > self._left:
            self.left_out += 1
            return None
        self._left -= len(made)
        return made


def small_jpeg(image: str | bytes, *, side_px: int) -> bytes | None:
    """Return a picture as a JPEG of at most so many pixels a side, or None if it cannot be read.

    Args:
        image: a path, or the bytes of a picture.
    """
    if isinstance(image, str) and not Path(image).is_file():
        return None
    try:
        data = image if isinstance(image, bytes) else Path(image).read_bytes()
        with opened(data, max_pixels=_MAX_PIXELS) as whole:
            small = flattened(ImageOps.exif_transpose(whole))
    except (*DAMAGED, MissingExtraError):
        return None
    small.thumbnail((side_px, side_px))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return buffer.getvalue()


def _uri(image: str | bytes, side_px: int) -> str | None:
    small = small_jpeg(image, side_px=side_px)
    return None if small is None else "data:image/jpeg;base64," + base64.b64encode(small).decode()
