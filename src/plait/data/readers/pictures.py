"""Pictures on their way to the spool: checked, decoded once, and written under their sha256."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zlib
from pathlib import Path

from PIL import Image, ImageOps, features

from plait.extras import require
from plait.schema import Picture

LONGEST_SIDE_PX = 1600
# Modes whose PNG or JPEG bytes any later decoder turns into the same colours.
_PLAIN_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")
_PHOTOGRAPHS = frozenset({"JPEG", "WEBP", "MPO", "HEIF", "AVIF"})
_AVIF_BRANDS = (b"avif", b"avis")
# What the decoders raise, by accident or on purpose, where a picture is damaged.
DAMAGED = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    RuntimeError,
    AttributeError,
    struct.error,
    zlib.error,
)
_LARGEST_RATIO = 200  # of the sides; a picture beyond it shows nothing at any size
_ORIENTATION = 0x0112


class BadPictureError(ValueError):
    """A picture that cannot be used; the message says why, in a few words."""


class TooManyPixelsError(BadPictureError):
    """A picture larger than the limit, whatever it shows."""


class PictureStore:
    """Writes pictures into one spool folder, each content once.

    Args:
        spool: an existing folder.
        max_pixels: larger pictures are refused before they are decoded.
    """

    def __init__(self, spool: Path, *, max_pixels: int) -> None:
        self._spool = spool
        self._max_pixels = max_pixels

    def keep(self, data: bytes) -> Picture:
        """Keep an encoded picture: its own bytes when they are a plain PNG or JPEG, else re-encoded.

        Every picture is decoded here, in the process that may die of it. Animations give their first
        frame; the orientation that a camera noted is applied; the longest side is at most
        `LONGEST_SIDE_PX`.

        Raises:
            BadPictureError: not a picture, damaged, or too many pixels.
        """
        with opened(data, max_pixels=self._max_pixels) as image:
            return self.keep_opened(image, data)

    def keep_opened(self, image: Image.Image, data: bytes) -> Picture:
        """Keep a picture that `opened` gave, from its bytes; see `keep`."""
        if _is_plain(image):
            return self._write(data, ".png" if image.format == "PNG" else ".jpg", image.size)
        upright = ImageOps.exif_transpose(image)
        return self.draw(upright, photographic=image.format in _PHOTOGRAPHS)

    def draw(self, image: Image.Image, *, photographic: bool | None = None) -> Picture:
        """Keep a decoded picture, as JPEG when it is a photograph and as PNG when it is drawn.

        Args:
            image: any mode.
            photographic: None looks at the colours to decide.
        """
        plain = reduced(flattened(image))
        if photographic is None:
            photographic = looks_photographic(plain)
        buffer = io.BytesIO()
        if photographic:
            plain.save(buffer, "JPEG", quality=88)
        else:
            plain.save(buffer, "PNG", compress_level=4)
        return self._write(buffer.getvalue(), ".jpg" if photographic else ".png", plain.size)

    def _write(self, data: bytes, suffix: str, size: tuple[int, int]) -> Picture:
        digest = hashlib.sha256(data).hexdigest()
        target = self._spool / f"{digest}{suffix}"
        if not target.exists():
            target.write_bytes(data)
        return Picture(str(target), digest, *size)


def opened(data: bytes, *, max_pixels: int) -> Image.Image:
    """Return a picture, wholly decoded.

    Raises:
        BadPictureError: not a picture, damaged, or more than `max_pixels`.
        MissingExtraError: a HEIC picture, and the extra that reads them is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of much that it repairs by itself
            # Our own check below is the limit; Pillow's would only warn up to twice its value.
            image = Image.open(io.BytesIO(data), formats=_formats(data))
            width, height = image.size
            check_size(image, max_pixels=max_pixels)
            if image.format == "JPEG":
                image.draft(None, (LONGEST_SIDE_PX, LONGEST_SIDE_PX))
                shrunk = image.size != (width, height)
                image.load()
                return _marked(image, "JPEG") if shrunk else image
            image.load()
            return image
    except BadPictureError:
        raise
    except Image.DecompressionBombError as error:
        raise TooManyPixelsError(f"more than {max_pixels:,} pixels") from error
    except DAMAGED as error:
        raise BadPictureError("not a picture, or a damaged one") from error


def check_size(image: Image.Image, *, max_pixels: int) -> None:
    """Check the sides of a picture that is not decoded yet.

    Raises:
        BadPictureError: more than `max_pixels`, or a mere line.
    """
    width, height = image.size
    if width * height > max_pixels:
        raise TooManyPixelsError(f"{width} x {height} pixels, more than {max_pixels:,}")
    if max(image.size) > _LARGEST_RATIO * max(1, min(image.size)):
        raise BadPictureError(f"{width} x {height} pixels, a mere line")


def _formats(data: bytes) -> tuple[str, ...]:
    """Return what a picture may be; the readers of HEIC and AVIF are looked for where one comes."""
    if data[4:8] != b"ftyp":
        return _FORMATS
    if data[8:12] in _AVIF_BRANDS:
        if not features.check("avif"):
            raise BadPictureError("an AVIF picture, which needs Pillow 11.3 or later")
        return ("AVIF",)
    require("pi_heif").register_heif_opener()
    return ("HEIF",)


def flattened(image: Image.Image) -> Image.Image:
    """Return the picture in RGB or grey, as it looks on white paper."""
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        # 16 bits and more: Pillow's own conversion clips at 255 and would turn the picture white.
        low, high = image.getextrema()
        span = (float(high) - float(low)) or 1.0  # type: ignore[arg-type]
        return image.convert("F").point(lambda v: (v - float(low)) * (255.0 / span)).convert("L")  # type: ignore[arg-type]
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        colours = image.convert("RGBA")
        white = Image.new("RGBA", colours.size, "white")
        return Image.alpha_composite(white, colours).convert("RGB")
    return image.convert("L" if image.mode == "1" else "RGB")


def reduced(image: Image.Image) -> Image.Image:
    """Return the picture with no side longer than `LONGEST_SIDE_PX`."""
    longest = max(image.size)
    if longest <= LONGEST_SIDE_PX:
        return image
    scale = LONGEST_SIDE_PX / longest
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def looks_photographic(image: Image.Image) -> bool:
    """Tell a photograph from a drawing: a photograph has many colours, none of them common."""
    sample = image.convert("RGB").resize((96, 96), Image.Resampling.NEAREST)
    counts = sorted((count for count, _ in sample.getcolors(96 * 96) or []), reverse=True)
    return len(counts) > 1500 and sum(counts[:4]) < 0.35 * 96 * 96


def looks_blank(image: Image.Image) -> bool:
    """Tell whether a picture shows nothing: all of it within a few grey levels."""
    low, high = image.convert("L").getextrema()
    return float(high) - float(low) < 8  # type: ignore[arg-type]


def _is_plain(image: Image.Image) -> bool:
    return (
        image.format in ("PNG", "JPEG")
        and image.mode in _PLAIN_MODES
        and max(image.size) <= LONGEST_SIDE_PX
        and not getattr(image, "is_animated", False)
        and image.getexif().get(_ORIENTATION, 1) == 1
        and not image.info.get("plait_shrunk")
    )


def _marked(image: Image.Image, kind: str) -> Image.Image:
    """Note that the pixels are fewer than the bytes hold, so that the bytes are not kept."""
    image.info["plait_shrunk"] = kind
    return image
