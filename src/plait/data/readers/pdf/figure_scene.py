"""A page as figures are looked for on it: what is drawn, parted and framed, and what is no figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from plait.data.readers.captions import Caption, find_captions
from plait.data.readers.geometry import Rect, overlap, union
from plait.data.readers.lines import Line
from plait.data.readers.pdf.drawn import Drawn, Region, regions
from plait.data.readers.pdf.running_text import Columns, running_text
from plait.data.readers.pdf.tables import Table

NEAR = 40.0  # points from a caption to the words or rules of a figure
ASIDE = 60.0  # points: a figure set flush left over a centred caption does not reach above it
MOST_CAPTIONS = 24
_RULE_WIDTH = 100.0  # points, at least, of the rules above and below a listing
_INNER_MARGIN = 4.0  # points around what stands on a background
_MOST_REGIONS = 1000


@dataclass(frozen=True, slots=True)
class Scene:
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


def scene_of(drawn: Sequence[Drawn], lines: Sequence[Line], page: Rect, tables: Sequence[Table]) -> Scene:
    """Return a page with what is known of it before figures are looked for."""
    usual = usual_turn(lines)
    captions = [caption for caption in find_captions(lines) if lines[caption.first].turn == usual]
    boxes = [caption.box for caption in captions]
    clusters = _framed(_apart(regions(_in_front(drawn, boxes), page), captions), captions)
    clusters = [_cut_off(region, boxes) for region in clusters]
    outside = [region for region in clusters if not any(_lies_in(region.box, table.box) for table in tables)]
    largest = sorted(outside, key=lambda region: -region.box.area)[:_MOST_REGIONS]
    if not largest and not captions:
        return Scene(page, lines, [], [], [], [], Columns([]))
    known = {i for caption in captions for i in caption.lines}
    known |= {i for table in tables for i in (*table.lines, *table.caption_lines)}
    running = running_text(lines, page, largest, leave=known)
    prose = [lines[i].box for i in running]
    free = [i for i in range(len(lines)) if i not in running and i not in known]
    blocks = prose + [table.box for table in tables] + boxes
    largest = [region for region in largest if not _is_of_text(region.box, prose)]
    return Scene(page, lines, largest, captions, free, blocks, Columns(prose))


def usual_turn(lines: Sequence[Line]) -> int:
    """Return the turn that most lines of a page have: the page is given so that these are level."""
    return Counter(line.turn for line in lines).most_common(1)[0][0] if lines else 0


def _in_front(drawn: Sequence[Drawn], captions: Sequence[Rect]) -> Sequence[Drawn]:
    """Leave out what a caption stands on together with other objects: it is behind both."""
    behind = [
        item.box
        for item in drawn
        if item.box.height > 3 * _INNER_MARGIN
        and any(_is_inside(c, item.box) for c in captions[:MOST_CAPTIONS])
    ]
    if not behind or len(behind) > MOST_CAPTIONS:
        return drawn
    full = {box for box in behind if any(_is_inside(item.box, box) for item in drawn)}
    return [item for item in drawn if item.box not in full]


def _is_inside(box: Rect, other: Rect) -> bool:
    inner = other.grown(-_INNER_MARGIN)
    return (
        inner.left <= box.left
        and box.right <= inner.right
        and inner.top <= box.top
        and box.bottom <= inner.bottom
    )


def _apart(found: Sequence[Region], captions: Sequence[Caption]) -> list[Region]:
    """Part regions that stand over two captions beside each other, where nothing crosses the middle."""
    middles = [
        ((one.box.right + other.box.left) / 2, one.box.left, other.box.right)
        for one in captions[:MOST_CAPTIONS]
        for other in captions[:MOST_CAPTIONS]
        if one.box.right <= other.box.left
        and overlap(one.box.top, one.box.bottom, other.box.top, other.box.bottom) > 0
    ][:MOST_CAPTIONS]
    kept = list(found)
    for middle, left, right in middles:
        over = [
            region
            for region in kept
            if left - ASIDE < region.box.left < middle < region.box.right < right + ASIDE and region.parts
        ]
        for region in over:
            one, other = (
                [part for part in region.parts if (part.left + part.right < 2 * middle) == is_left]
                for is_left in (True, False)
            )
            if one and other and max(part.right for part in one) < min(part.left for part in other) + 3:
                pictures = min(region.pictures, 1)
                kept.remove(region)
                kept += [Region(union(side), len(side), pictures, tuple(side)) for side in (one, other)]
    return kept


def _framed(found: Sequence[Region], captions: Sequence[Caption]) -> list[Region]:
    """Take two rules of one width over a caption as a frame around what is between them."""
    rules = [r for r in found if not r.is_shape and r.box.width > _RULE_WIDTH and r.box.height < 6]
    frames: list[Region] = []
    replaced: set[Region] = set()
    for caption in captions[:MOST_CAPTIONS] if len(rules) > 1 else ():
        mine = [r for r in rules if r not in replaced and _spans(r.box, caption.box)]
        if caption.of_table or not mine:
            continue
        others = [c.box for c in captions if c is not caption]
        above = _pair_above(mine, caption.box, others)
        pair = above if above is not None else _pair_below(mine, caption.box, others)
        if pair is not None:
            replaced |= set(pair)
            frames.append(Region(union(rule.box for rule in pair), 0, 0))
    return [region for region in found if region not in replaced] + frames


def _spans(rule: Rect, caption: Rect) -> bool:
    return overlap(rule.left, rule.right, caption.left, caption.right) > 0


def _pair_above(
    rules: Sequence[Region], caption: Rect, others: Sequence[Rect]
) -> tuple[Region, Region] | None:
    """Return the two rules of one width that are nearest above a caption, no other caption between."""
    above = sorted((r for r in rules if r.box.bottom <= caption.top + 2), key=lambda r: -r.box.bottom)
    if not above or caption.top - above[0].box.bottom > NEAR:
        return None
    floor = max((o.bottom for o in others if o.bottom < above[0].box.top), default=0.0)
    for rule in above[1:]:
        if rule.box.top >= floor and _are_alike(rule.box, above[0].box):
            return rule, above[0]
    return None


def _pair_below(
    rules: Sequence[Region], caption: Rect, others: Sequence[Rect]
) -> tuple[Region, Region] | None:
    """Return the two rules of one width that are nearest below a caption, no other caption between."""
    below = sorted((r for r in rules if r.box.top >= caption.bottom - 2), key=lambda r: r.box.top)
    if not below or below[0].box.top - caption.bottom > NEAR:
        return None
    ceiling = min((o.top for o in others if o.top > below[0].box.bottom), default=float("inf"))
    for rule in below[1:]:
        if rule.box.bottom <= ceiling and _are_alike(rule.box, below[0].box):
            return below[0], rule
    return None


def _are_alike(one: Rect, other: Rect) -> bool:
    apart = abs(one.top - other.top) > 10
    return apart and abs(one.left - other.left) < 3 and abs(one.right - other.right) < 3


def _is_of_text(box: Rect, prose: Sequence[Rect]) -> bool:
    """Tell whether what is drawn is of a line of text: underlines, overlines, marks, fraction bars."""
    return box.height < 30 and any(
        line.grown(2).holds_centre_of(box) and box.height < 2 * line.height for line in prose
    )


def _lies_in(box: Rect, other: Rect) -> bool:
    return box.grown(0.5).common(other.grown(3)).area > 0.6 * box.grown(0.5).area


def _cut_off(region: Region, captions: Sequence[Rect]) -> Region:
    """End a region where a caption begins: PDFium gives thick or clipped paths more room than they fill."""
    inside = [caption for caption in captions if region.box.holds_centre_of(caption)]
    return replace(region, box=short_of(region.box, inside)) if inside else region


def short_of(box: Rect, captions: Sequence[Rect]) -> Rect:
    """Keep a figure's box from running into its caption."""
    for caption in captions:
        if overlap(box.left, box.right, caption.left, caption.right) <= 0:
            continue
        if caption.top > (box.top + box.bottom) / 2:
            box = box._replace(bottom=max(box.top, min(box.bottom, caption.top - 1)))
        elif caption.bottom < (box.top + box.bottom) / 2:
            box = box._replace(top=min(box.bottom, max(box.top, caption.bottom + 1)))
    return box
