"""Where the figures of a page are: what is drawn near a caption with its labels, or stands alone.

A captioned figure is all that stands between its caption and the nearest running text or other
caption, in the column that the caption is set in; mostly above it, else below or beside.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from plait.data.readers.captions import Caption, is_caption
from plait.data.readers.geometry import Rect, overlap, union
from plait.data.readers.lines import Line
from plait.data.readers.pdf.drawn import Drawn, Region
from plait.data.readers.pdf.figure_scene import (
    ASIDE,
    MOST_CAPTIONS,
    NEAR,
    Scene,
    scene_of,
    short_of,
    usual_turn,
)
from plait.data.readers.pdf.running_text import is_prose
from plait.data.readers.pdf.tables import Table

__all__ = ["Drawn", "Figure", "find_figures", "is_caption"]

_SMALLEST_SIDE = 30.0  # points, of a figure without a caption
_SMALLEST_AREA = 60.0  # square points, of what is drawn in a figure with one
_FARTHEST = 260.0  # points from a caption to what is drawn, if nothing else stands between
_BESIDE = 40.0
_PANEL_GAP = (60.0, 50.0)  # points between panels, across and down
_LABEL_GAP = (14.0, 7.0)  # points from a label to what is drawn
_LABEL_WORDS = 8
_WORDS_A_SHAPE = 6
_MOST_LINES = 4000
_MOST_ALONE = 200
_LESS_LIKELY = {"above": 0.0, "below": 10.0, "right": 14.0, "left": 14.0}  # points
_UNUSUAL = 40.0  # points: captions of one page stand all below their figures, or all above
_OF_PANEL = re.compile(r"\([a-z0-9]{1,2}\)(?:\s|$)")  # the caption of one panel


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
class _Found:
    """What may be a caption's figure.

    Attributes:
        side: of the caption that it is on.
        far: from the caption, in points; less is better.
    """

    side: str
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
    if len(lines) > _MOST_LINES:
        lines = []
    turned = [figure for turn in (1, 3) for figure in _turned(drawn, lines, page, turn)]
    scene = scene_of(drawn, lines, page, tables)
    found = turned + (_captioned(scene) if scene.captions else [])
    taken = [figure.box for figure in found] + [table.box for table in tables]
    for region in scene.regions[:_MOST_ALONE]:
        if _stands_alone(region, lines) and not any(box.holds_centre_of(region.box) for box in taken):
            found.append(_alone(region, scene))
    return sorted(_merged(found), key=lambda figure: (figure.box.top, figure.box.left))


def _turned(drawn: Sequence[Drawn], lines: Sequence[Line], page: Rect, turn: int) -> list[Figure]:
    """Return the figures whose captions run upwards or downwards, on a page of level text."""
    usual = usual_turn(lines)
    members = [i for i, line in enumerate(lines) if (line.turn - usual) % 4 == turn]
    if not any(is_caption(lines[i].text) for i in members):
        return []
    around = Rect(0.0, 0.0, page.height, page.width)
    found = find_figures(
        [replace(item, box=_turn(item.box, page, turn)) for item in drawn],
        [replace(lines[i], box=_turn(lines[i].box, page, turn), turn=0) for i in members],
        around,
    )
    return [
        Figure(
            _turn(figure.box, around, 4 - turn),
            frozenset(members[i] for i in figure.labels),
            members[figure.caption],
            tuple(members[i] for i in figure.caption_lines),
        )
        for figure in found
        if figure.caption is not None
    ]


def _turn(box: Rect, page: Rect, turn: int) -> Rect:
    """Return where a box is once its page is turned so that lines of a turn are level."""
    if turn == 1:
        return Rect(box.top, page.width - box.right, box.bottom, page.width - box.left)
    return Rect(page.height - box.bottom, box.left, page.height - box.top, box.right)


def _captioned(scene: Scene) -> list[Figure]:
    """Return the figures that captions name; of what two may name, the nearer one takes it."""
    waiting = [caption for caption in scene.captions if not caption.of_table][:MOST_CAPTIONS]
    offers = {caption: _offers(caption, scene, set(), set()) for caption in waiting}
    less_likely = dict(_LESS_LIKELY)
    for side, other in (("above", "below"), ("below", "above")):
        if all(any(offer.side == side for offer in offers[caption]) for caption in waiting):
            less_likely[other] += _UNUSUAL
            break
    found: list[Figure] = []
    taken: set[Region] = set()
    used: set[int] = set()
    while waiting:
        pairs = [(offer, caption) for caption in waiting for offer in offers[caption]]
        if not pairs:
            break
        offer, caption = min(pairs, key=lambda pair: pair[0].far + less_likely[pair[0].side])
        box = short_of(offer.box.grown(2).common(scene.page), [caption.box])
        found.append(Figure(box, offer.labels, caption.first, caption.lines))
        taken |= set(offer.regions)
        used |= offer.labels
        waiting.remove(caption)
        for rest in waiting:
            if any(taken & set(its.regions) or used & its.labels for its in offers[rest]):
                offers[rest] = _offers(rest, scene, taken, used)
    return found


def _offers(caption: Caption, scene: Scene, taken: set[Region], used: set[int]) -> list[_Found]:
    """Return what may be the figure of a caption, on each side of it."""
    free = [i for i in scene.free if i not in used]
    left = [region for region in scene.regions if region not in taken]
    offers = []
    for side in _LESS_LIKELY:
        found = _drawn_in(_strip(caption, side, scene), caption, side, scene, left, free)
        if found is None and side in ("above", "below"):
            wide = _strip(caption, side, scene, whole=True)
            found = _drawn_in(wide, caption, side, scene, left, free)
        if found is not None:
            offers.append(found)
    if not offers:
        found = _words_above(_strip(caption, "above", scene), caption, scene, left, free)
        offers = [found] if found is not None else []
    return offers


def _strip(caption: Caption, side: str, scene: Scene, *, whole: bool = False) -> Rect:
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
        return Rect(left, top, right, box.top + 2)
    bottom = min((b.top for b in across if b.top >= box.bottom - 2), default=page.bottom)
    return Rect(left, box.bottom, right, bottom)


def _drawn_in(
    strip: Rect, caption: Caption, side: str, scene: Scene, left: Sequence[Region], free: Sequence[int]
) -> _Found | None:
    """Return what is drawn in a strip next to a caption, all panels, with labels; None if nothing is."""
    inside = [
        replace(region, box=_clipped(region.box, strip))
        for region in left
        if strip.holds_centre_of(region.box) and not _goes_past(region.box, caption.box, side)
    ]
    seeds = _seeds(inside, caption.box, side)
    if not seeds:
        return None
    words = [i for i in free if strip.holds_centre_of(scene.lines[i].box)]
    box, mine, labels = _grown(seeds, inside, words, caption.box, scene)
    of_mine = tuple(region for region in left if _clipped(region.box, strip) in {m.box for m in mine})
    return _Found(side, _gap(box, caption.box, side), box, labels, of_mine)


def _goes_past(box: Rect, caption: Rect, side: str) -> bool:
    """Tell whether a region goes on beside a caption and past it, so that it is not the caption's."""
    most = max(8.0, 0.15 * box.height)
    if side == "above":
        return box.bottom > caption.bottom + most
    return side == "below" and box.top < caption.top - most


def _clipped(box: Rect, strip: Rect) -> Rect:
    """Cut a box off above and below a strip."""
    return Rect(box.left, max(box.top, strip.top), box.right, min(box.bottom, strip.bottom))


def _gap(box: Rect, caption: Rect, side: str) -> float:
    """Return the space between a caption and what is on one side of it, in points; at least 0."""
    gaps = {
        "above": caption.top - box.bottom,
        "below": box.top - caption.bottom,
        "right": box.left - caption.right,
        "left": caption.left - box.right,
    }
    return max(0.0, gaps[side])


def _seeds(inside: Sequence[Region], caption: Rect, side: str) -> list[Region]:
    """Return the drawn regions nearest to a caption."""
    shapes = [region for region in inside if region.box.area > _SMALLEST_AREA and region.is_shape]
    if side in ("right", "left"):
        shapes = [
            region
            for region in shapes
            if overlap(region.box.top, region.box.bottom, caption.top, caption.bottom)
            > 0.5 * min(region.box.height, caption.height)
            and min(region.box.width, region.box.height) > _SMALLEST_SIDE
        ]
        farthest = _BESIDE
    else:
        farthest = _FARTHEST
    for aside in (0.0, ASIDE):
        near = [
            region
            for region in shapes
            if _gap(region.box, caption, side) <= farthest
            and (
                side in ("right", "left")
                or overlap(region.box.left, region.box.right, caption.left, caption.right) > -aside
            )
        ]
        if near:
            nearest = min(_gap(region.box, caption, side) for region in near)
            return [region for region in near if _gap(region.box, caption, side) <= nearest + 6]
    return []


def _grown(
    seeds: Sequence[Region],
    inside: Sequence[Region],
    words: Sequence[int],
    caption: Rect,
    scene: Scene,
    *,
    start: Rect | None = None,
) -> tuple[Rect, list[Region], frozenset[int]]:
    """Add panels and labels near what is found, and all words between it and its caption."""
    mine = list(seeds)
    labels: set[int] = set()
    box = union([region.box for region in mine] + ([start] if start is not None else []))
    for _ in range(6):
        down = _PANEL_GAP[1] * (2 if any(_OF_PANEL.match(scene.lines[i].text) for i in labels) else 1)
        panels = [
            region
            for region in inside
            if region not in mine
            and (_is_panel(region, box, farthest=down) or _shares(region.box, box, caption))
            and not _parted(region.box, box, scene.blocks)
        ]
        reach = union((box, caption))
        more = [
            i
            for i in words
            if i not in labels
            and (_is_label(scene.lines[i], box) or _is_between(scene.lines[i].box, box, caption, reach))
        ]
        if not panels and not more:
            break
        mine += panels
        labels.update(more)
        box = union([box, *(region.box for region in panels), *(scene.lines[i].box for i in more)])
    return box, mine, frozenset(labels)


def _shares(one: Rect, box: Rect, caption: Rect) -> bool:
    """Tell whether a region on the row of a figure is over the same caption, however far away."""
    down = overlap(one.top, one.bottom, box.top, box.bottom)
    over = overlap(one.left, one.right, caption.left, caption.right)
    return over > 0 and down > 0.6 * min(one.height, box.height)


def _is_panel(region: Region, box: Rect, *, farthest: float = _PANEL_GAP[1]) -> bool:
    """Tell whether a region belongs to the panels so far: on their rows, or above or below them."""
    one = region.box
    across = overlap(one.left, one.right, box.left, box.right)
    down = overlap(one.top, one.bottom, box.top, box.bottom)
    if not region.is_shape:  # an axis, or a rule above or below
        return (across > 0 and down > -10) or (across > -30 and down > 0.5 * max(box.height, one.height))
    widest = _PANEL_GAP[0] * (2.5 if down > 0.8 * max(one.height, box.height) else 1)
    return (across > 0 and down > -farthest) or (
        down > 0.3 * min(one.height, box.height) and across > -widest
    )


def _parted(one: Rect, other: Rect, blocks: Sequence[Rect]) -> bool:
    """Tell whether running text, a table or a caption stands between two boxes."""
    gap = Rect(
        min(max(one.left, other.left), min(one.right, other.right)),
        min(max(one.top, other.top), min(one.bottom, other.bottom)),
        max(max(one.left, other.left), min(one.right, other.right)),
        max(max(one.top, other.top), min(one.bottom, other.bottom)),
    )
    return any(gap.holds_centre_of(block) for block in blocks)


def _is_label(line: Line, box: Rect) -> bool:
    across = overlap(line.box.left, line.box.right, box.left, box.right)
    down = overlap(line.box.top, line.box.bottom, box.top, box.bottom)
    if box.grown(1).holds_centre_of(line.box):
        return True
    if _OF_PANEL.match(line.text) and across > 0 and down > -_PANEL_GAP[1]:
        return True
    near = (across > 0 and down > -_LABEL_GAP[1]) or (down > 0 and across > -_LABEL_GAP[0])
    return near and sum(len(word) > 2 and word.isalpha() for word in line.text.split()) <= _LABEL_WORDS


def _is_between(line: Rect, box: Rect, caption: Rect, reach: Rect) -> bool:
    """Tell whether a line stands between a figure and its caption."""
    if overlap(line.left, line.right, reach.left, reach.right) <= 0:
        return False
    middle = (line.top + line.bottom) / 2
    return box.bottom <= middle <= caption.top or caption.bottom <= middle <= box.top


def _words_above(
    strip: Rect, caption: Caption, scene: Scene, left: Sequence[Region], free: Sequence[int]
) -> _Found | None:
    """Return the words above a caption as its figure: a listing, a formula, a drawing made of letters."""
    rows = sorted(
        (i for i in free if strip.holds_centre_of(scene.lines[i].box)),
        key=lambda i: -scene.lines[i].box.bottom,
    )
    mine: list[int] = []
    box = caption.box
    for i in rows:
        line = scene.lines[i]
        if box.top - line.box.bottom > (1.7 * line.size if mine else NEAR):
            break
        mine.append(i)
        box = union((box, line.box))
    if not mine or sum(is_prose(scene.lines[i].text) for i in mine) > 0.5 * len(mine):
        return None
    box = union(scene.lines[i].box for i in mine)
    inside = [region for region in left if strip.holds_centre_of(region.box)]
    near = [region for region in inside if _is_panel(region, box)]
    grown, all_mine, labels = _grown(near, inside, rows, caption.box, scene, start=box)
    return _Found("above", _gap(grown, caption.box, "above"), grown, labels | set(mine), tuple(all_mine))


def _stands_alone(region: Region, lines: Sequence[Line]) -> bool:
    """Tell whether a region without a caption is a figure, not a rule, a table, a box around text."""
    if min(region.box.width, region.box.height) < _SMALLEST_SIDE:
        return False
    inside = [line for line in lines if region.box.holds_centre_of(line.box)]
    filled = sum(line.box.area for line in inside) / region.box.area
    if region.pictures:
        return filled <= 0.5
    if inside and region.solid < 3:
        return False  # a frame or a shade behind text
    if sum(len(line.text.split()) for line in inside) > _WORDS_A_SHAPE * region.solid + _LABEL_WORDS:
        return False
    return region.solid > 0 and filled <= 0.3


def _alone(region: Region, scene: Scene) -> Figure:
    """Return a figure without a caption, with the labels that stand in it or at its edge."""
    box = region.box
    labels: set[int] = set()
    for _ in range(2):
        more = {
            i
            for i in scene.free
            if i not in labels
            and _is_label(line := scene.lines[i], box)
            and (line.box.width < 0.5 * box.width or box.holds_centre_of(line.box))
        }
        labels |= more
        box = union([box, *(scene.lines[i].box for i in more)])
    return Figure(box.grown(2).common(scene.page), frozenset(labels))


def _merged(figures: Sequence[Figure]) -> list[Figure]:
    """Merge figures that mostly cover each other."""
    kept: list[Figure] = []
    for figure in sorted(figures, key=lambda f: (f.caption is None, -f.box.area)):
        for i, other in enumerate(kept):
            if figure.caption is None and figure.box.common(other.box).area > 0.6 * figure.box.area:
                kept[i] = replace(other, labels=other.labels | figure.labels)
                break
        else:
            kept.append(figure)
    return kept
