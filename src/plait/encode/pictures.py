"""Pictures from a path or from bytes, opened safely: upright, in RGB, never larger than allowed."""

from __future__ import annotations

import io
import math
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from plait.errors import InputError, QueryError, ReadError
from plait.model.pictures import DAMAGED, as_seen
from plait.schema import Box, Image, Query


def open_picture(image: Image, *, max_pixels: int) -> PillowImage.Image:
    """Return a picture as a reader sees it: in RGB, turned upright, transparency over white.

    The size is checked before anything is decoded. Of an animation, the first frame is taken.

    Args:
        image: a path, or the encoded bytes.
        max_pixels: width times height allowed.

    Raises:
        QueryError: missing or unreadable file, not an image, cut off or damaged, or too many pixels.
    """
    name = "the image" if isinstance(image, bytes) else str(image)
    with _quiet(), _opened(image, name) as picture:
        _check_size(picture, name, max_pixels)
        try:
            return as_seen(picture)
        except InputError as error:
            raise QueryError(str(error).replace("the image", name, 1)) from error


def asked_images(query: Query, *, max_pixels: int) -> tuple[Image, ...]:
    """Return a query's images, each that has a box as the encoded picture of that region.

    A region is of whole pixels: all that the box touches, so at least one. The box is one of the picture as
    a reader sees it, turned upright.

    Raises:
        QueryError: an image with a box that `open_picture` refuses.
    """

    def asked(image: Image, box: Box | None) -> Image:
        return image if box is None else _encoded(_region(open_picture(image, max_pixels=max_pixels), box))

    return tuple(asked(*both) for both in zip(query.images, query.image_boxes, strict=True))


def open_figure(image: Image, *, max_pixels: int) -> PillowImage.Image:
    """Return a document's figure as `open_picture` does.

    Raises:
        ReadError: its file is gone, damaged or too large.
    """
    try:
        return open_picture(image, max_pixels=max_pixels)
    except QueryError as error:
        path = str(image)
        raise ReadError(path, str(error).removeprefix(path).strip(), "add its document again") from error


def _region(picture: PillowImage.Image, box: Box) -> PillowImage.Image:
    left, right = _pixels(box.left, box.right, picture.width)
    top, bottom = _pixels(box.top, box.bottom, picture.height)
    return picture.crop((left, top, right, bottom))


def _pixels(start: float, end: float, size: int) -> tuple[int, int]:
    """Return the first pixel of a part of a side, and the one after its last."""
    first = min(math.floor(round(start * size, 6)), size - 1)  # fractions of pixels err in their last digits
    return first, max(first + 1, math.ceil(round(end * size, 6)))


def _encoded(picture: PillowImage.Image) -> bytes:
    """Return the picture as a file in a format that takes no time and loses nothing."""
    written = io.BytesIO()
    picture.save(written, "PPM")
    return written.getvalue()


def _opened(image: Image, name: str) -> PillowImage.Image:
    """Return the picture with only its header read."""
    if isinstance(image, str):
        if not os.path.exists(image):
            raise QueryError(f"{name} does not exist: check the path of the image")
        if not os.path.isfile(image):
            raise QueryError(f"{name} is not a file: give the path of an image")
    try:
        return PillowImage.open(io.BytesIO(image) if isinstance(image, bytes) else image)
    except UnidentifiedImageError as error:
        raise QueryError(
            f"{name} is not an image that can be read: give PNG, JPEG, WebP, GIF or TIFF"
        ) from error
    except PillowImage.DecompressionBombError as error:
        raise QueryError(f"{name} holds too many pixels to open: make it smaller") from error
    except PermissionError as error:
        raise QueryError(f"{name} may not be read: check its permissions") from error
    except DAMAGED as error:
        raise QueryError(
            f"{name} is not an image that can be read ({error}): save it again as PNG"
        ) from error


def _check_size(picture: PillowImage.Image, name: str, max_pixels: int) -> None:
    width, height = picture.size
    if width * height > max_pixels:
        raise QueryError(
            f"{name} is {width} x {height}, {width * height:,} pixels, more than the {max_pixels:,} allowed: "
            "make it smaller, or raise max_pixels"
        )
    if not width * height:
        raise QueryError(f"{name} is {width} x {height}: it holds no pixels")


_quiet_lock = threading.Lock()
_quiet_threads = 0
_shown = warnings.catch_warnings()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's warnings of large or odd files away meanwhile: ours are the limits that count.

    Python keeps one list of warning filters for all threads, so the first thread in changes it and the
    last one out restores it; each for itself would leave behind what another had set.
    """
    global _quiet_threads, _shown
    with _quiet_lock:
        _quiet_threads += 1
        if _quiet_threads == 1:
            _shown = warnings.catch_warnings()
            _shown.__enter__()
            warnings.simplefilter("ignore")
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_threads -= 1
            if not _quiet_threads:
                _shown.__exit__(None, None, None)
