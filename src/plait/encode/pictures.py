"""Pictures from a path or from bytes, opened safely: upright, in RGB, never larger than allowed."""

from __future__ import annotations

import io
import os
import warnings

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError

from plait.errors import QueryError
from plait.schema import Image

# What Pillow raises, besides OSError, on files that are damaged on purpose or by accident.
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
)


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large or odd files; ours are the limits that count
        picture = _opened(image, name)
        with picture:
            _check_size(picture, name, max_pixels)
            try:
                picture.load()
                return _flattened(_upright(picture))
            except _DAMAGED as error:
                raise QueryError(
                    f"{name} is cut off or damaged ({error}): save it again, then retry"
                ) from error


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
    except _DAMAGED as error:
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


def _upright(picture: PillowImage.Image) -> PillowImage.Image:
    """Return the picture turned as its EXIF data says; as it is when those cannot be read."""
    try:
        return ImageOps.exif_transpose(picture)
    except _DAMAGED:
        return picture


def _flattened(picture: PillowImage.Image) -> PillowImage.Image:
    """Return RGB, what is transparent shown over white."""
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        picture = _eight_bit(picture)
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    page = PillowImage.new("RGBA", picture.size, "white")
    return PillowImage.alpha_composite(page, picture.convert("RGBA")).convert("RGB")


def _eight_bit(picture: PillowImage.Image) -> PillowImage.Image:
    """Return grey of 16 bits (or real numbers) in 8: Pillow's own way turns all but the darkest white."""
    values = np.asarray(picture, dtype=np.float32)
    top = 65535.0 if picture.mode != "F" else 255.0 if values.max() > 1 else 1.0
    values = values * (255.0 / top)
    return PillowImage.fromarray(values.clip(0, 255).round().astype(np.uint8))
