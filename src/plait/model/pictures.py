"""Any picture as every model reads it: its first frame, upright, in 8-bit RGB, transparency over white."""

from __future__ import annotations

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps

from plait.errors import InputError

# What Pillow raises, besides OSError, on files that are damaged on purpose or by accident.
DAMAGED = (
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
_SLIMMEST = 50


def as_seen(picture: PillowImage.Image) -> PillowImage.Image:
    """Return a picture in RGB, as a viewer shows it.

    CMYK and palettes become RGB, 16-bit grey is scaled to 8 bits, an animation gives the frame it
    stands at (the first, when just opened), and EXIF's turn is made.

    Raises:
        InputError: it holds no pixels, or its file is cut off or damaged.
    """
    if not isinstance(picture, PillowImage.Image):
        raise InputError(
            f"expected a Pillow image, got {type(picture).__name__}: open it with PIL.Image.open"
        )
    width, height = picture.size
    if not width * height:
        raise InputError(f"the image is {width} x {height}: it holds no pixels")
    try:
        picture.load()
        return _flattened(_upright(picture))
    except DAMAGED as error:
        raise InputError(f"the image is cut off or damaged ({error}): save it again, then retry") from error


def broadened(picture: PillowImage.Image) -> PillowImage.Image:
    """Return a picture at most 50 times as long as it is wide, or high; slimmer ones are stretched.

    Most image processors scale the shorter side up to the model's: of 20,000 x 1 pixels, CLIP's would
    make 10 GB.
    """
    width, height = picture.size
    size = (max(width, height // _SLIMMEST), max(height, width // _SLIMMEST))
    return picture if size == picture.size else picture.resize(size)


def _upright(picture: PillowImage.Image) -> PillowImage.Image:
    """Return the picture turned as its EXIF data says; as it is when those cannot be read."""
    try:
        return ImageOps.exif_transpose(picture)
    except DAMAGED:
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
