"""The order in which the shapes of a slide are read, and their places as fractions of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from plait.data.readers.captions import is_caption, label_of
from plait.schema import Box, Segment

# Of a caption to its figure, as fractions of the slide's height.
_FARTHEST = 0.08
_OVERLAP = 0.03
_MOST_SHAPES = 1_000  # each caption is compared with all shapes


@dataclass(frozen=True, slots=True)
class Placed:
    """What one shape holds.

    Attributes:
        segments: in the order of the shape itself.
        box: where it stands; None where unknown.
        is_title: whether it is the slide's title, which is read first.
    """

    segments: tuple[Segment, ...]
    box: Box | None = None
    is_title: bool = False


def fraction_box(
    left: float, top: float, width: float, height: float, slide: tuple[float, float]
) -> Box | None:
    """Return a place on a slide as fractions of its size, cut at its edges; None if nothing is left.

    Args:
        left, top, width, height: in the unit of `slide`.
        slide: width and height of the slide.
    """
    if min(slide) <= 0 or width < 0 or height < 0:
        return None

    def part(value: float, whole: float) -> float:
        return round(min(max(value / whole, 0.0), 1.0), 4)

    box = Box(
        part(left, slide[0]), part(top, slide[1]), part(left + width, slide[0]), part(top + height, slide[1])
    )
    return box if box.right > box.left or box.bottom > box.top else None


def in_reading_order(shapes: Sequence[Placed]) -> list[Segment]:
    """Return the segments of a slide: its title, then row by row from the top, each from left to right.

    A shape stands in the row of the one before it while it begins above that one's middle. Shapes without
    a place come last, in the order of the file.
    """
    titles = [shape for shape in shapes if shape.is_title]
    rest = with_captions([shape for shape in shapes if not shape.is_title])
    placed = sorted(
        ((shape.box, shape) for shape in rest if shape.box is not None),
        key=lambda pair: (pair[0].top, pair[0].left),
    )
    rows: list[list[tuple[Box, Placed]]] = []
    for box, shape in placed:
        first = rows[-1][0][0] if rows else None
        if first is not None and box.top < (first.top + first.bottom) / 2:
            rows[-1].append((box, shape))
        else:
            rows.append([(box, shape)])
    ordered = [
        shape for row in rows for _, shape in sorted(row, key=lambda pair: (pair[0].left, pair[0].top))
    ]
    ordered = [*titles, *ordered, *(shape for shape in rest if shape.box is None)]
    return [segment for shape in ordered for segment in shape.segments]


def with_captions(shapes: Sequence[Placed]) -> list[Placed]:
    """Return the shapes, each text that is a caption given to the figure over it or the table below it."""
    left = list(shapes)
    for shape in shapes if len(shapes) <= _MOST_SHAPES else ():
        if shape.box is None or len(shape.segments) != 1 or not is_caption(shape.segments[0].text):
            continue
        if shape.segments[0].kind != "text":
            continue
        near = [
            (distance, i)
            for i, other in enumerate(left)
            if other.segments and (distance := _distance(shape.box, other)) is not None
        ]
        if near:
            place = min(near)[1]
            left[place] = _captioned(left[place], " ".join(shape.segments[0].text.split()))
            left.remove(shape)
    return left


def _distance(caption: Box, other: Placed) -> float | None:
    """Return how far a caption is from a figure or table, as a fraction of the slide; None if too far."""
    box, kind = other.box, other.segments[0].kind
    if box is None or kind == "text" or any(segment.label for segment in other.segments):
        return None
    if min(box.right, caption.right) <= max(box.left, caption.left):
        return None
    gaps = [caption.top - box.bottom] + ([box.top - caption.bottom] if kind == "table" else [])
    near = [abs(gap) for gap in gaps if -_OVERLAP <= gap <= _FARTHEST]
    return min(near, default=None)


def _captioned(shape: Placed, caption: str) -> Placed:
    label = label_of(caption)
    segments = tuple(
        replace(one, caption=" ".join(filter(None, (caption, one.caption))), label=label)
        for one in shape.segments
    )
    return replace(shape, segments=segments)
