"""Where the figures of a page are: what is drawn near a caption with its labels, or stands alone.

A captioned figure is all that stands between its caption and the nearest running text or other
caption, in the column that the caption is set in; mostly above it, else below or beside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from plait.data.readers.captions import Caption, find_captions, is_caption
from plait.data.readers.drawn import Drawn, Region, regions
from plait.data.readers.geometry import Rect, overlap, union
from plait.data.readers.layout import Line
from plait.data.readers.running_text import Columns, running_text
from plait.data.readers.tables import Table

__all__ = ["Drawn", "Figure", "find_figures", "is_caption"]

_SMALLEST_SIDE = 30.0  # points, of a figure without a caption
_SMALLEST_AREA = 60.0  # square points, of what is drawn in a figure with one
_FARTHEST = 130.0  # points from a caption to what is drawn, if nothing else stands between
_NEAR = 30.0  # points from a caption to the words of a figure that has nothing drawn
_BESIDE = 40.0
_ASIDE = 60.0  # a figure set flush left over a centred caption does not reach above it
_PANEL_GAP = (45.0, 34.0)  # points between panels, across and down
_LABEL_GAP = (14.0, 7.0)  # points from a label to what is drawn
_LABEL_WORDS = 8
_WORDS_A_SHAPE = 6
_MOST_CAPTIONS = 24
_MOST_REGIONS = 3000
_SIDES = ("above", "below", "right", "left")
_LESS_LIKELY = (0.0, 10.0, 14.0, 14.0)  # points, for each of the sides


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a page.

    Attributes:
        box: with its labels, without its caption.
        labels: indices of the lines that are part of it.
        caption: index of the line its caption begins with; None if it has none.
        caption_lines: indices of all lines of its caption, in reading order.
    """

    box: Rect
    labels: frozenset[int]
    caption: int | None = None
    caption_lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Scene:
    """A page, and what parts one figure from another.

    Attributes:
        free: indices of lines that may be of figures.
        blocks: boxes of running text, of tables and of captions.
    """

    page: Rect
    lines: Sequence[Line]
    regions: list[Region]
    captions: list[Caption]
    free: list[int]
    blocks: list[Rect]
    columns: Columns


@dataclass(frozen=True, slots=True)
class _Found:
    """What may be a caption's figure.

    Attributes:
        far: from the caption, in points; less is better.
    """

    far: float
    box: Rect
    labels: frozenset[int]
    regions: tuple[Region, ...]


def find_figures(
    drawn: Sequence[Drawn], lines: Sequence[Line], page: Rect, tables: Sequence[Table] = ()
) -> list[Figure]:
    """Return the figures of a page, top to bottom.

    Args:
        drawn: its objects, text left out.
        lines: its lines of text.
        page: the page itself.
        tables: its tables, which are no figures.
    """
    scene = _scene(drawn, lines, page, tables)
    found = _captioned(scene)
    taken = [figure.box for figure in found] + [table.box for table in tables]
    for region in scene.regions:
        if _stands_alone(region, lines) and not any(box.holds_centre_of(region.box) for box in taken):
            found.append(_alone(region, scene))
    return sorted(_merged(found), key=lambda figure: (figure.box.top, figure.box.left))


def _scene(drawn: Sequence[Drawn], lines: Sequence[Line], page: Rect, tables: Sequence[Table]) -> _Scene:
    captions = find_captions(lines)
    boxes = [caption.box for caption in captions]
    clusters = [_cut_off(region, boxes) for region in regions(drawn, page)]
    outside = [
        region
        for region in clusters
        if not any(table.box.grown(3).holds_centre_of(region.box) for table in tables)
    ]
    largest = sorted(outside, key=lambda region: -region.box.area)[:_MOST_REGIONS]
    known = {i for caption in captions for i in caption.lines}
    known |= {i for table in tables for i in (*table.lines, *table.caption_lines)}
    running = running_text(lines, page, largest, leave=known)
    prose = [lines[i].box for i in running]
    free = [i for i in range(len(lines)) if i not in running and i not in known]
    blocks = prose + [table.box for table in tables] + boxes
    return _Scene(page, lines, largest, captions, free, blocks, Columns(prose))


def _cut_off(region: Region, captions: Sequence[Rect]) -> Region:
    """End a region where a caption begins: PDFium gives thick or clipped paths more room than they fill."""
    inside = [caption for caption in captions if region.box.holds_centre_of(caption)]
    return replace(region, box=_short_of(region.box, inside)) if inside else region


def _captioned(scene: _Scene) -> list[Figure]:
    """Return the figures that captions name; of what two may name, the nearer one takes it."""
    waiting = [caption for caption in scene.captions if not caption.of_table][:_MOST_CAPTIONS]
    found: list[Figure] = []
    taken: set[Region] = set()
    used: set[int] = set()
    while waiting:
        offers = [(offer, caption) for caption in waiting for offer in _offers(caption, scene, taken, used)]
        if not offers:
            break
        offer, caption = min(offers, key=lambda pair: pair[0].far)
        box = _short_of(offer.box.grown(2).common(scene.page), [caption.box])
        found.append(Figure(box, offer.labels, caption.first, caption.lines))
        taken |= set(offer.regions)
        used |= offer.labels
        waiting.remove(caption)
    return found


def _offers(caption: Caption, scene: _Scene, taken: set[Region], used: set[int]) -> Iterator[_Found]:
    """Yield what may be the figure of a caption, on each side of it."""
    free = [i for i in scene.free if i not in used]
    left = [region for region in scene.regions if region not in taken]
    any_drawn = False
    for side, less in zip(_SIDES, _LESS_LIKELY, strict=True):
        strip = _strip(caption, side, scene)
        found = _drawn_in(strip, caption, side, scene, left, free)
        if found is None and side in ("above", "below"):
            wide = _strip(caption, side, scene, whole=True)
            found = _drawn_in(wide, caption, side, scene, left, free)
        if found is not None:
            any_drawn = True
            yield replace(found, far=found.far + less)
    if not any_drawn:
        for side, less in zip(_SIDES[:2], _LESS_LIKELY[:2], strict=True):
            found = _words_in(_strip(caption, side, scene), caption, side, scene, free)
            if found is not None:
                yield replace(found, far=found.far + less + _FARTHEST)


def _strip(caption: Caption, side: str, scene: _Scene, *, whole: bool = False) -> Rect:
    """Return where a caption's figure may be: up to what parts it from others."""
    box, page = caption.box, scene.page
    others = [other.box for other in scene.captions if other is not caption]
    if side in ("right", "left"):
        top = max((o.bottom for o in others if o.bottom <= box.top), default=page.top)
        bottom = min((o.top for o in others if o.top >= box.bottom), default=page.bottom)
        if side == "right":
            return Rect(box.right - 1, top, page.right, bottom)
        return Rect(page.left, top, box.left + 1, bottom)
    left, right = (page.left, page.right) if whole else scene.columns.around(box, page)
    for other in others:
        if overlap(other.top, other.bottom, box.top, box.bottom) > 0:
            if other.left > box.right:
                right = min(right, (other.left + box.right) / 2)
            elif other.right < box.left:
                left = max(left, (other.right + box.left) / 2)
    across = [b for b in scene.blocks if overlap(b.left, b.right, box.left, box.right) > 0]
    if side == "above":
        top = max((b.bottom for b in across if b.bottom <= box.top + 2), default=page.top)
        return Rect(left, top, right, box.top)
    bottom = min((b.top for b in across if b.top >= box.bottom - 2), default=page.bottom)
    return Rect(left, box.bottom, right, bottom)


def _drawn_in(
    strip: Rect, caption: Caption, side: str, scene: _Scene, left: Sequence[Region], free: Sequence[int]
) -> _Found | None:
    """Return what is drawn in a strip next to a caption, all panels, with labels."""
    inside = [
        (region, clipped)
        for region in left
        if strip.holds_centre_of(region.box)
        and (clipped := Rect(region.box.left, *_within(region.box, strip))) is not None
    ]
    return None
