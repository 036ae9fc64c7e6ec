"""Figures for a sample: charts and diagrams as Typst code, photographs as PNG or JPEG files."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

_COLOURS = ("#3b6ea5", "#c8553d", "#588157", "#e9b44c", "#6d597a", "#444444")


def drawing(draw: random.Random, width: float, height: float) -> str:
    """Return Typst code of a vector figure that fills a box, in points."""
    kinds: tuple[Callable[[random.Random, float, float], str], ...] = (_bars, _curves, _boxes, _heatmap)
    return draw.choice(kinds)(draw, width, height)


def panels(draw: random.Random, width: float, height: float, count: int) -> str:
    """Return Typst code of several drawings side by side, each with its letter below."""
    gap = 12.0
    each = (width - gap * (count - 1)) / count
    pieces = []
    for place in range(count):
        left = place * (each + gap)
        inner = drawing(draw, each, height - 12)
        pieces.append(_placed(left, 0, f"box(width: {each:.1f}pt, height: {height - 12:.1f}pt)[{inner}]"))
        letter = f"box(width: {each:.1f}pt, align(center, text(size: 7pt)[({'abcd'[place]})]))"
        pieces.append(_placed(left, height - 8, letter))
    return "".join(pieces)


def photograph(draw: random.Random, file: Path, *, width_px: int, height_px: int) -> None:
    """Write a picture that looks like none other: hills under a sky, or blots."""
    image = Image.linear_gradient("L").resize((width_px, height_px)).convert("RGB")
    tinted = Image.new("RGB", image.size, draw.choice(_COLOURS))
    image = Image.blend(image, tinted, 0.4)
    pen = ImageDraw.Draw(image)
    for _ in range(draw.randint(4, 9)):
        x, y = draw.uniform(0, width_px), draw.uniform(0.2 * height_px, height_px)
        radius = draw.uniform(0.05, 0.25) * width_px
        pen.ellipse((x - radius, y - radius / 2, x + radius, y + radius / 2), fill=draw.choice(_COLOURS))
    image.filter(ImageFilter.GaussianBlur(1.5)).save(file)


def _bars(draw: random.Random, width: float, height: float) -> str:
    count = draw.randint(4, 8)
    low, left = height - 12, 16.0
    step = (width - left) / count
    pieces = [_rule(left, 0, 0, low), _rule(left, low, width - left, 0)]
    for tick in range(4):
        pieces.append(_label(0, low * (1 - tick / 4) - 6, str(tick * 25)))
    for place in range(count):
        tall = draw.uniform(0.2, 1.0) * low
        shape = f'rect(width: {0.6 * step:.1f}pt, height: {tall:.1f}pt, fill: rgb("{draw.choice(_COLOURS)}"))'
        pieces.append(_placed(left + (place + 0.2) * step, low - tall, shape))
        pieces.append(_label(left + (place + 0.35) * step, low + 3, chr(ord("A") + place)))
    return "".join(pieces)


def _curves(draw: random.Random, width: float, height: float) -> str:
    low, left = height - 12, 16.0
    frame = f"rect(width: {width - left:.1f}pt, height: {low:.1f}pt, stroke: 0.6pt)"
    pieces = [_placed(left, 0, frame)]
    for tick in range(3):
        pieces.append(_label(0, low * (1 - tick / 3) - 8, f"{tick / 2:.1f}"))
        pieces.append(_label(left + tick * (width - left) / 3, low + 3, str(tick * 10)))
    for series in range(draw.randint(1, 3)):
        level, points = draw.uniform(0.3, 0.7) * low, []
        for place in range(9):
            level = min(low - 2, max(2, level + draw.uniform(-0.2, 0.2) * low))
            points.append((left + place * (width - left) / 8, level))
        moves = ", ".join(f"curve.line(({x:.1f}pt, {y:.1f}pt))" for x, y in points[1:])
        start = f"curve.move(({points[0][0]:.1f}pt, {points[0][1]:.1f}pt))"
        pieces.append(_placed(0, 0, f'curve(stroke: 1pt + rgb("{_COLOURS[series]}"), {start}, {moves})'))
    return "".join(pieces)


def _boxes(draw: random.Random, width: float, height: float) -> str:
    count = draw.randint(3, 4) if width > 180 else 2
    step = width / count
    pieces = []
    for place in range(count):
        name = draw.choice(("input", "store", "filter", "index", "answer", "query"))
        body = f"align(center + horizon, text(size: 7pt)[{name}])"
        wide = step if place == count - 1 else step - 16
        shape = f"rect(width: {wide:.1f}pt, height: {height:.1f}pt, radius: 4pt, stroke: 0.8pt, {body})"
        pieces.append(_placed(place * step, 0, shape))
        if place < count - 1:
            pieces.append(_rule(place * step + step - 16, height / 2, 15, 0))
    return "".join(pieces)


def _heatmap(draw: random.Random, width: float, height: float) -> str:
    columns, rows = 8, 5
    across, down = width / columns, height / rows
    pieces = []
    for place in range(columns * rows):
        shape = (
            f"rect(width: {across:.2f}pt, height: {down:.2f}pt, stroke: none, "
            f'fill: rgb("{_COLOURS[0]}").lighten({draw.randint(0, 90)}%))'
        )
        pieces.append(_placed(place % columns * across, place // columns * down, shape))
    return "".join(pieces)


def _placed(x: float, y: float, code: str) -> str:
    return f"#place(top + left, dx: {x:.1f}pt, dy: {y:.1f}pt, {code})"


def _rule(x: float, y: float, across: float, down: float) -> str:
    return _placed(x, y, f"line(end: ({across:.1f}pt, {down:.1f}pt), stroke: 0.6pt)")


def _label(x: float, y: float, text: str) -> str:
    return _placed(x, y, f"text(size: 6pt)[{text}]")
