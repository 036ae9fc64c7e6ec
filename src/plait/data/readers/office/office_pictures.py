"""Pictures inside Office and OpenDocument files: kept as they are shown, those left out counted."""

from __future__ import annotations

import re
import struct
import zlib
from collections import Counter

from PIL import ImageOps

from plait.data.readers.base import ReadLimits, ReadTask
from plait.data.readers.markup.addresses import SMALLEST_SIDE_PX, kept
from plait.data.readers.pictures import BadPictureError, PictureStore, opened
from plait.data.readers.unpacking import Members
from plait.errors import ReadError
from plait.schema import Picture

_FILE_NAME = re.compile(r"\S+\.(?:png|jpe?g|gif|svg|webp|bmp|tiff?|emf|wmf)", re.I)


def alternative_text(text: str | None) -> str:
    """Return a picture's alternative text, unless it only repeats the name of a file."""
    plain = " ".join((text or "").split())
    return "" if _FILE_NAME.fullmatch(plain) else plain


class OfficePictures:
    """Gives the pictures inside one file, and counts what it had to leave out.

    Args:
        task: the file; its pictures go to its spool folder.
        limits: on their pixels.
        members: what is in it; None for a file that is not zipped.
    """

    def __init__(self, task: ReadTask, limits: ReadLimits, members: Members | None) -> None:
        self._members = members
        self._most_mb = limits.max_file_mb
        self._max_pixels = limits.max_pixels
        self._spool = task.spool
        self._seen: dict[str, Picture | None] = {}
        self._left_out: Counter[str] = Counter()

    @property
    def warnings(self) -> list[str]:
        """One sentence for each reason that pictures were left out."""
        return [
            f"left out {count} picture{'s' if count > 1 else ''}: {reason}"
            for reason, count in sorted(self._left_out.items())
        ]

    def load(self, part: str) -> Picture | None:
        """Return the picture that a part holds; None if it is decoration or cannot be used."""
        if part not in self._seen:
            self._seen[part] = None
            if self._members is None or part not in self._members:
                self.leave_out("not stored in the document (nothing is fetched from elsewhere)")
            else:
                self._seen[part] = self._read(part)
        return self._seen[part]

    def keep(self, data: bytes, *, cut: tuple[float, float, float, float] | None = None) -> Picture | None:
        """Keep an encoded picture or a drawing; None if it is decoration or cannot be used.

        Args:
            cut: what is not shown of it, at the left, top, right and bottom, as fractions of its sides.
        """
        try:
            picture = (
                kept(data, spool=self._spool, max_pixels=self._max_pixels)
                if cut is None
                else self._cut(data, cut)
            )
        except BadPictureError as error:
            self.leave_out(str(error))
            return None
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, struct.error, zlib.error):
            self.leave_out("not a picture, or a damaged one")
            return None
        return None if min(picture.width_px, picture.height_px) < SMALLEST_SIDE_PX else picture

    def leave_out(self, reason: str) -> None:
        """Count a picture that cannot be used."""
        self._left_out[reason] += 1

    def _read(self, part: str) -> Picture | None:
        assert self._members is not None
        try:
            data = self._members.read(part, max_mb=self._most_mb)
        except ReadError as error:
            self.leave_out(error.reason)
            return None
        return self.keep(data)

    def _cut(self, data: bytes, cut: tuple[float, float, float, float]) -> Picture:
        with opened(data, max_pixels=self._max_pixels) as image:
            upright = ImageOps.exif_transpose(image)
            width, height = upright.size
            left, top, right, bottom = (min(max(share, 0.0), 1.0) for share in cut)
            box = (
                round(left * width),
                round(top * height),
                round((1 - right) * width),
                round((1 - bottom) * height),
            )
            if box[2] <= box[0] or box[3] <= box[1]:
                raise BadPictureError("nothing of it is shown")
            return PictureStore(self._spool, max_pixels=self._max_pixels).draw(upright.crop(box))
