"""Where the figures of a page are: clusters of drawn objects, with the captions that name them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from plait.data.readers.geometry import Rect, overlap, union
from plait.data.readers.layout import Line

_CAPTION = re.compile(
    r"^(?P<name>Figure|FIGURE|Fig\.?|FIG\.|Abbildung|Abb\.|Figura|Bild|Scheme|Plate|Chart|"
    r"Table|TABLE|Tableau|Tabelle|Tab\.|Tabla)\s*"
    r"(?P<number>[A-Z]?\.?\d+(?:[.\-–]\d+)*[a-z]?)\s*"
    r"(?P<end>[:.|]|[–—-]\s|\(|$|\s*(?=[A-ZÀ-Þ(“\"]))"
)
_TABLES = ("Tab", "TAB")

_CELL = 4.0  # points; drawn objects closer than about two cells are one figure
_SMALLEST_SIDE = 30.0  # points
_THIN = 2.5  # points: a rule, not a shape
_BACKGROUND = 0.85  # of the page
_CAPTION_DISTANCE = 60.0  # points
_ASIDE = 60.0
_LABEL_DISTANCE = 7.0
_LABEL_WORDS = 8
_WORDS_A_SHAPE = 6
_MOST_OBJECTS = 100_000


@dataclass(frozen=True, slots=True)
class Drawn:
    """One drawn object of a page: a path, a picture, a shading, or a form that holds such."""

    box: Rect
    is_picture: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a page.

    Attributes:
        box: with its labels, without its caption.
        labels: indices of the lines that are part of it.
        caption: index of the line its caption begins with; None if it has none.
    """

    box: Rect
    labels: frozenset[int]
    caption: int | None = None


@dataclass(frozen=True, slots=True)
class _Region:
    """A cluster of drawn objects."""

    box: Rect
    solid: int  # objects that are more than rules
    pictures: int


def is_caption(text: str) -> bool:
    """Tell whether a line begins a caption: "Figure 3: ...", not "Figure 3 shows ..."."""
    return _CAPTION.match(text) is not None


def find_figures(drawn: Sequence[Drawn], lines: Sequence[Line], page: Rect) -> list[Figure]:
    """Return the figures of a page, top to bottom.

    Args:
        drawn: its objects, text left out.
        lines: its lines of text.
        page: the page itself.
    """
    captions = [i for i, line in enumerate(lines) if is_caption(line.text)]
    regions = [_cut_off(region, [lines[i].box for i in captions]) for region in _regions(drawn, page)]
    found: list[Figure] = []
    for i in captions:
        if lines[i].text.startswith(_TABLES):
            continue
        mine = _captioned(i, regions, lines, captions)
        if mine:
            found.append(_figure(union(region.box for region in mine), lines, i, captions, page))
            regions = [region for region in regions if region not in mine]
    taken = [figure.box for figure in found]
    for region in regions:
        if _stands_alone(region, lines) and not any(box.holds_centre_of(region.box) for box in taken):
            found.append(_figure(region.box, lines, None, captions, page))
    return sorted(_merged(found), key=lambda figure: (figure.box.top, figure.box.left))


def _regions(drawn: Sequence[Drawn], page: Rect) -> list[_Region]:
    """Cluster objects that touch or nearly do, by painting them on a coarse grid."""
    objects = [
        Drawn(clipped, item.is_picture)
        for item in drawn[:_MOST_OBJECTS]
        if (clipped := item.box.common(page)).area < _BACKGROUND * page.area and _is_visible(item.box, page)
    ]
    width, height = int(page.width / _CELL) + 3, int(page.height / _CELL) + 3
    if not objects or width * height > 4_000_000:
        return []
    cells = [_cells(item.box, width, height) for item in objects]
    grid = [bytearray(width) for _ in range(height)]
    for left, top, right, bottom in set(cells):
        for y in range(top, bottom + 1):
            grid[y][left : right + 1] = b"\1" * (right + 1 - left)
    names = _components(grid, width, height)
    members: dict[int, list[Drawn]] = {}
    for item, (left, top, _, _) in zip(objects, cells, strict=True):
        members.setdefault(names[top][left], []).append(item)
    return [
        _Region(
            union(item.box for item in group),
            sum(min(item.box.width, item.box.height) > _THIN for item in group),
            sum(item.is_picture for item in group),
        )
        for group in members.values()
    ]


def _cut_off(region: _Region, captions: Sequence[Rect]) -> _Region:
    """End a region where a caption begins: PDFium gives thick or clipped paths more room than they fill."""
    inside = [caption for caption in captions if region.box.holds_centre_of(caption)]
    return _Region(_short_of(region.box, inside), region.solid, region.pictures) if inside else region


def _is_visible(box: Rect, page: Rect) -> bool:
    return box.meets(page) and (box.width > 0.2 or box.height > 0.2)


def _cells(box: Rect, width: int, height: int) -> tuple[int, int, int, int]:
    left, top = int(box.left / _CELL), int(box.top / _CELL)
    right, bottom = int(box.right / _CELL) + 1, int(box.bottom / _CELL) + 1
    return max(0, left), max(0, top), min(width - 1, right), min(height - 1, bottom)


def _components(grid: list[bytearray], width: int, height: int) -> list[list[int]]:
    """Number the connected areas of painted cells, row by row: spans that touch share a number."""
    parents: list[int] = []

    def root(name: int) -> int:
        while parents[name] != name:
            parents[name] = parents[parents[name]]
            name = parents[name]
        return name

    names = [[-1] * width for _ in range(height)]
    for y in range(height):
        row, above = grid[y], names[y - 1] if y else None
        for span in re.finditer(rb"\x01+", row):
            start, end = span.span()
            name = len(parents)
            parents.append(name)
            if above is not None:
                for other in set(above[start:end]) - {-1}:
                    parents[root(other)] = root(name)
            names[y][start:end] = [name] * (end - start)
    return [[root(name) if name >= 0 else -1 for name in row] for row in names]


def _captioned(
    caption: int, regions: Sequence[_Region], lines: Sequence[Line], captions: Sequence[int]
) -> list[_Region]:
    """Return the regions that a caption names: those right above it, all panels; else those below."""
    box = lines[caption].box
    candidates = [region for region in regions if _may_have_caption(region, lines)]
    # Figures set flush left over a centred caption do not reach above it: look aside, but last.
    for aside in (0.0, _ASIDE):
        for above in (True, False):
            near = [
                region
                for region in candidates
                if _distance(region.box, box, above=above) < _CAPTION_DISTANCE
                and overlap(region.box.left, region.box.right, box.left, box.right) > -aside
            ]
            if near:
                return _panels(near, regions, lines, captions, box, above=above)
    return []


def _may_have_caption(region: _Region, lines: Sequence[Line]) -> bool:
    box = region.box
    large = box.area > 400 and max(box.width, box.height) > _SMALLEST_SIDE
    return (
        large and (region.solid > 0 or box.height > _SMALLEST_SIDE) and not _is_text(region, lines, most=0.6)
    )


def _distance(region: Rect, caption: Rect, *, above: bool) -> float:
    gap = caption.top - region.bottom if above else region.top - caption.bottom
    return gap if gap > -6 else float("inf")


def _panels(
    near: Sequence[_Region],
    regions: Sequence[_Region],
    lines: Sequence[Line],
    captions: Sequence[int],
    caption: Rect,
    *,
    above: bool,
) -> list[_Region]:
    """Add regions beside and behind the nearest ones, up to the next text that is not a label."""
    mine = list(near)
    for _ in range(4):
        box = union(region.box for region in mine)
        more = [
            region
            for region in regions
            if region not in mine
            and region.solid
            and _neighbours(region.box, box, caption)
            and not _parted(region.box, box, lines, captions)
            and (region.box.bottom <= caption.top + 6 if above else region.box.top >= caption.bottom - 6)
        ]
        if not more:
            break
        mine += more
    return mine


def _neighbours(region: Rect, box: Rect, caption: Rect) -> bool:
    """Tell whether a region belongs to the panels so far: on their rows, or stacked under one caption."""
    beside = overlap(region.top, region.bottom, box.top, box.bottom) > 0.5 * min(region.height, box.height)
    across = overlap(region.left, region.right, box.left, box.right)
    stacked = (
        across > 0.5 * min(region.width, box.width)
        and overlap(region.top, region.bottom, box.top, box.bottom) > -30
    )
    under = overlap(region.left, region.right, caption.left, caption.right) > 0
    near = overlap(region.left, region.right, box.left, box.right) > -40
    return (beside and (under or near)) or stacked


def _parted(region: Rect, box: Rect, lines: Sequence[Line], captions: Sequence[int]) -> bool:
    """Tell whether text, or another caption, stands between two regions."""
    gap = Rect(
        min(max(region.left, box.left), min(region.right, box.right)),
        min(region.bottom, box.bottom),
        max(max(region.left, box.left), min(region.right, box.right)),
        max(region.top, box.top),
    )
    if gap.bottom <= gap.top:
        return False
    return any(
        gap.holds_centre_of(line.box) and (i in captions or len(line.text.split()) > _LABEL_WORDS)
        for i, line in enumerate(lines)
    )


def _stands_alone(region: _Region, lines: Sequence[Line]) -> bool:
    """Tell whether a region without a caption is a figure, not a rule, a table, a box around text."""
    if min(region.box.width, region.box.height) < _SMALLEST_SIDE:
        return False
    if region.pictures:
        return not _is_text(region, lines, most=0.5)
    inside = [line for line in lines if region.box.holds_centre_of(line.box)]
    if sum(len(line.text.split()) for line in inside) > _WORDS_A_SHAPE * region.solid + _LABEL_WORDS:
        return False  # a frame or a shade behind text
    return region.solid > 0 and not _is_text(region, lines, most=0.3)


def _is_text(region: _Region, lines: Sequence[Line], *, most: float) -> bool:
    """Tell whether lines of text fill more than this part of a region, or run through it."""
    inside = [line for line in lines if region.box.grown(2).holds_centre_of(line.box)]
    area = sum(line.box.common(region.box).area for line in inside)
    running = sum(len(line.text.split()) > _LABEL_WORDS for line in inside)
    return area > most * region.box.area or (running > 3 and area > most / 2 * region.box.area)


def _figure(
    box: Rect, lines: Sequence[Line], caption: int | None, captions: Sequence[int], page: Rect
) -> Figure:
    """Take in the labels that stand in a figure or at its edge."""
    labels = {
        i for i, line in enumerate(lines) if i not in captions and box.grown(1).holds_centre_of(line.box)
    }
    for _ in range(2):
        edge = box.grown(_LABEL_DISTANCE)
        more = {
            i
            for i, line in enumerate(lines)
            if i not in labels
            and i not in captions
            and edge.meets(line.box)
            and len(line.text.split()) <= _LABEL_WORDS
            and line.box.width < 0.5 * box.width
        }
        labels |= more
        limits = [lines[i].box for i in captions if i == caption]
        box = _short_of(union([box, *(lines[i].box for i in labels)]), limits)
    return Figure(box.grown(2).common(page), frozenset(labels), caption)


def _short_of(box: Rect, captions: Sequence[Rect]) -> Rect:
    """Keep a figure's box from running into its caption."""
    for caption in captions:
        if caption.top > (box.top + box.bottom) / 2:
            box = box._replace(bottom=max(box.top, min(box.bottom, caption.top - 1)))
        else:
            box = box._replace(top=min(box.bottom, max(box.top, caption.bottom + 1)))
    return box


def _merged(figures: Sequence[Figure]) -> list[Figure]:
    """Merge figures that mostly cover each other."""
    kept: list[Figure] = []
    for figure in sorted(figures, key=lambda f: (f.caption is None, -f.box.area)):
        for i, other in enumerate(kept):
            if figure.box.common(other.box).area > 0.6 * figure.box.area:
                kept[i] = Figure(other.box, other.labels | figure.labels, other.caption)
                break
        else:
            kept.append(figure)
    return kept
