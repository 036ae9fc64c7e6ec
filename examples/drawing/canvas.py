"""A small drawing board: shaded cylinders, discs and plates, drawn three times too large and scaled down."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]
Point = tuple[float, float]

STEEL: Colour = (188, 194, 200)
DARK_STEEL: Colour = (112, 119, 128)
BRASS: Colour = (205, 164, 74)
COPPER: Colour = (196, 112, 66)
RUBBER: Colour = (44, 42, 44)
RED: Colour = (196, 44, 40)
BLUE: Colour = (52, 104, 178)
GREEN: Colour = (64, 146, 88)
CREAM: Colour = (242, 234, 216)
WALNUT: Colour = (104, 66, 40)
INK: Colour = (34, 36, 42)
WHITE: Colour = (252, 252, 250)

_SCALE = 3


class Canvas:
    """A picture of `width` x `height` pixels; all positions and sizes are in those pixels."""

    def __init__(self, width: int, height: int, background: Colour = CREAM, floor: Colour | None = None):
        self.width, self.height = width, height
        self.image = Image.new("RGB", (width * _SCALE, height * _SCALE), background)
        self._draw = ImageDraw.Draw(self.image)
        if floor is not None:
            self.plate((0, height * 0.72, width, height), floor, shade=0.12)

    def finished(self) -> Image.Image:
        """Return the picture at its final size."""
        return self.image.resize((self.width, self.height), Image.Resampling.LANCZOS)

    def shadow(self, box: Sequence[float], strength: float = 0.35) -> None:
        """Lay a soft elliptic shadow."""
        mask = Image.new("L", (self.width, self.height), 0)
        ImageDraw.Draw(mask).ellipse(tuple(box), fill=int(255 * strength))
        mask = mask.filter(ImageFilter.GaussianBlur(10)).resize(self.image.size)
        self.image.paste((0, 0, 0), (0, 0, *self.image.size), mask)

    def plate(
        self, box: Sequence[float], colour: Colour, *, shade: float = 0.25, radius: float = 0,
        outline: Colour | None = None,
    ) -> None:  # fmt: skip
        """Draw a plate lit from above: lighter at the top, darker at the bottom."""
        left, top, right, bottom = _scaled(box)
        band = Image.new("RGB", (1, max(bottom - top, 1)))
        for y in range(band.height):
            band.putpixel((0, y), _lit(colour, shade * (0.5 - y / band.height)))
        face = band.resize((max(right - left, 1), band.height))
        self.image.paste(face, (left, top), _rounded(face.size, int(radius * _SCALE)))
        if outline is not None:
            self._draw.rounded_rectangle(
                (left, top, right, bottom), radius * _SCALE, None, outline, 2 * _SCALE
            )

    def cylinder(
        self, box: Sequence[float], colour: Colour, *, upright: bool = True, radius: float = 0
    ) -> None:
        """Draw a cylinder seen from the side, with a highlight along a third of its width."""
        left, top, right, bottom = _scaled(box)
        across = max((right - left) if upright else (bottom - top), 1)
        band = Image.new("RGB", (across, 1))
        for x in range(across):
            t = x / across
            light = 0.55 * math.exp(-(((t - 0.3) / 0.14) ** 2)) - 0.55 * abs(t - 0.38) ** 1.3
            band.putpixel((x, 0), _lit(colour, light))
        face = band if upright else band.transpose(Image.Transpose.ROTATE_270)
        face = face.resize((max(right - left, 1), max(bottom - top, 1)))
        self.image.paste(face, (left, top), _rounded(face.size, int(radius * _SCALE)))

    def disc(
        self, centre: Point, radius: float, colour: Colour, *, shade: float = 0.35, squash: float = 1.0
    ) -> None:
        """Draw a domed disc lit from the upper left; `squash` < 1 tips it away from the eye."""
        steps = 48
        for step in range(steps):
            t = step / steps
            r = radius * (1 - t)
            x = centre[0] - radius * 0.3 * t
            y = centre[1] - radius * 0.3 * t * squash
            fill = _lit(colour, shade * (t - 0.4))
            self._draw.ellipse(_scaled((x - r, y - r * squash, x + r, y + r * squash)), fill=fill)

    def ring(
        self, centre: Point, outer: float, inner: float, colour: Colour, *, hole: Colour, squash: float = 1.0
    ) -> None:
        """Draw a rounded ring: lightest along its middle line, with its hole filled."""
        steps = 40
        for step in range(steps):
            t = step / steps
            r = outer - (outer - inner) * t
            box = (centre[0] - r, centre[1] - r * squash, centre[0] + r, centre[1] + r * squash)
            self._draw.ellipse(_scaled(box), fill=_lit(colour, 0.6 * math.sin(math.pi * t) - 0.25))
        box = (centre[0] - inner, centre[1] - inner * squash, centre[0] + inner, centre[1] + inner * squash)
        self._draw.ellipse(_scaled(box), fill=hole)

    def polygon(self, points: Sequence[Point], colour: Colour, outline: Colour | None = None) -> None:
        """Draw a flat polygon."""
        corners = [(x * _SCALE, y * _SCALE) for x, y in points]
        self._draw.polygon(corners, fill=colour, outline=outline, width=2 * _SCALE)

    def line(self, points: Sequence[Point], colour: Colour, width: float = 3) -> None:
        """Draw a line through points, with round joints."""
        corners = [(x * _SCALE, y * _SCALE) for x, y in points]
        self._draw.line(corners, fill=colour, width=round(width * _SCALE), joint="curve")
        for x, y in points:
            self.dot((x, y), width / 2, colour)

    def dot(self, centre: Point, radius: float, colour: Colour) -> None:
        """Draw a flat disc."""
        x, y = centre
        self._draw.ellipse(_scaled((x - radius, y - radius, x + radius, y + radius)), fill=colour)

    def arc(self, centre: Point, radius: float, degrees: Point, colour: Colour, width: float = 4) -> None:
        """Draw part of a circle, clockwise from three o'clock."""
        x, y = centre
        box = _scaled((x - radius, y - radius, x + radius, y + radius))
        self._draw.arc(box, *degrees, fill=colour, width=round(width * _SCALE))

    def text(
        self, place: Point, words: str, size: float = 18, colour: Colour = INK, anchor: str = "mm"
    ) -> None:
        """Write words with the font that comes with Pillow."""
        font = ImageFont.load_default(size * _SCALE)
        self._draw.text((place[0] * _SCALE, place[1] * _SCALE), words, fill=colour, font=font, anchor=anchor)

    def arrow(self, start: Point, end: Point, colour: Colour = RED, width: float = 5) -> None:
        """Draw an arrow."""
        angle = math.atan2(end[1] - start[1], end[0] - start[0])
        head = width * 4
        wings = [
            (end[0] - head * math.cos(angle + s), end[1] - head * math.sin(angle + s)) for s in (-0.45, 0.45)
        ]
        neck = (end[0] - head * 0.7 * math.cos(angle), end[1] - head * 0.7 * math.sin(angle))
        self.line([start, neck], colour, width)
        self.polygon([end, *wings], colour)

    def label(self, number: int | str, place: Point, target: Point) -> None:
        """Point at something with a number in a circle."""
        self.line([place, target], INK, 1.6)
        self.dot(place, 15, INK)
        self.dot(place, 13, WHITE)
        self.text(place, str(number), 16)


def around(centre: Point, radius: float, degrees: float) -> Point:
    """Return the point on a circle, clockwise from three o'clock."""
    angle = math.radians(degrees)
    return centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)


def hexagon(centre: Point, radius: float, turn: float = 0) -> list[Point]:
    """Return the corners of a regular hexagon."""
    return [around(centre, radius, turn + 60 * k) for k in range(6)]


def _scaled(box: Sequence[float]) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(v * _SCALE) for v in box)
    return left, top, right, bottom


def _lit(colour: Colour, amount: float) -> Colour:
    """Return a colour made lighter (amount > 0) or darker."""
    towards = 255 if amount > 0 else 0
    red, green, blue = (round(c + (towards - c) * min(abs(amount), 1)) for c in colour)
    return red, green, blue


def _rounded(size: tuple[int, int], radius: int) -> Image.Image:
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), radius, fill=255)
    return mask
