"""The rules of a page, and what of them may frame a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from plait.data.readers.captions import Caption
from plait.data.readers.geometry import Rect, overlap, union
from plait.data.readers.lines import Line
from plait.data.readers.pdf.drawn import THIN, Drawn

_SHORTEST_RULE = 24.0  # points
_EDGES = 4.0  # points: rules of one table begin and end this close
_MOST_RULES = 4000
_MOST_FRAMES = 60
_TALLEST_CELL = 150.0  # points, of a drawn box that may be one
_TEXT_WORDS = 7  # a line of more across the whole width is text


@dataclass(frozen=True, slots=True)
class Frame:
    """Level rules of one width, top to bottom, and the upright ones between them."""

    box: Rect
    level: tuple[float, ...]
    upright: tuple[Rect, ...]


def rules_of(drawn: Sequence[Drawn], page: Rect) -> tuple[list[Rect], list[Rect]]:
    """Return the level and the upright rules of a page, pieces joined; edges of boxes are rules too."""
    level: list[Rect] = []
    upright: list[Rect] = []
    for item in drawn:
        box = item.box
        if item.is_picture or not box.meets(page):
            continue
        if box.height <= THIN:
            level.append(box)
        elif box.width <= THIN:
            upright.append(box)
        elif box.width > _SHORTEST_RULE / 2 and 6 < box.height < _TALLEST_CELL:
            level += [box._replace(bottom=box.top), box._replace(top=box.bottom)]
            upright += [box._replace(right=box.left), box._replace(left=box.right)]
    if max(len(level), len(upright)) > _MOST_RULES:
        return [], []
    joined = [rule for rule in _joined(level) if rule.width >= _SHORTEST_RULE]
    turned = [Rect(rule.top, rule.left, rule.bottom, rule.right) for rule in upright]
    back = [Rect(rule.top, rule.left, rule.bottom, rule.right) for rule in _joined(turned)]
    return joined, back


def _joined(rules: Iterable[Rect]) -> list[Rect]:
    """Join level rules that go on with each other or lie on each other."""
    rows: list[list[Rect]] = []
    for rule in sorted(rules, key=lambda rule: rule.top):
        if rows and rule.top - rows[-1][0].top <= THIN:
            rows[-1].append(rule)
        else:
            rows.append([rule])
    found: list[Rect] = []
    for row in rows:
        row.sort()
        reach = row[0]
        for rule in row[1:]:
            if rule.left - reach.right < _EDGES:
                reach = union((reach, rule))
            else:
                found.append(reach)
                reach = rule
        found.append(reach)
    return found


def frames_of(
    level: Sequence[Rect], upright: Sequence[Rect], lines: Sequence[Line], captions: Sequence[Caption]
) -> Iterator[Frame]:
    """Yield what may be tables: level rules of one width, as far as no other text stands between them."""
    firsts = {caption.first for caption in captions}
    for group in _of_one_width(level):
        box = union(group)
        inside = [
            (line, i in firsts)
            for i, line in enumerate(lines)
            if box.top < (line.box.top + line.box.bottom) / 2 < box.bottom
            and overlap(line.box.left, line.box.right, box.left, box.right) > 0
        ]
        run = [group[0]]
        for above, below in pairwise(group):
            if _is_parted(above, below, inside):
                yield from _frame(run, upright)
                run = []
            run.append(below)
        yield from _frame(run, upright)


def _of_one_width(level: Sequence[Rect]) -> list[list[Rect]]:
    """Group level rules by where they begin and end; top to bottom, widest group first."""
    groups: list[list[Rect]] = []
    by_edges: dict[tuple[int, int], list[list[Rect]]] = {}
    for rule in sorted(level, key=lambda rule: rule.top):
        left, right = int(rule.left / _EDGES), int(rule.right / _EDGES)
        near = [
            group
            for x in (left - 1, left, left + 1)
            for y in (right - 1, right, right + 1)
            for group in by_edges.get((x, y), ())
            if abs(group[0].left - rule.left) < _EDGES and abs(group[0].right - rule.right) < _EDGES
        ]
        if near:
            near[0].append(rule)
        else:
            groups.append([rule])
            by_edges.setdefault((left, right), []).append(groups[-1])
    groups = [group for group in groups if len(group) > 1]
    return sorted(groups, key=lambda group: -group[0].width)[:_MOST_FRAMES]


def _is_parted(above: Rect, below: Rect, inside: Sequence[tuple[Line, bool]]) -> bool:
    """Tell whether two rules are of two tables: nothing, a caption or running text is between them."""
    between = [
        (line, is_first)
        for line, is_first in inside
        if above.bottom - 1 < (line.box.top + line.box.bottom) / 2 < below.top + 1
    ]
    if not between:
        return below.top - above.bottom > 14
    wide = [
        line
        for line, _ in between
        if line.box.left < above.left - 8
        or line.box.right > above.right + 8
        or (line.box.width > 0.85 * above.width and len(line.text.split()) > _TEXT_WORDS)
    ]
    return any(is_first for _, is_first in between) or len(wide) > max(1, 0.4 * len(between))


def _frame(run: Sequence[Rect], upright: Sequence[Rect]) -> Iterator[Frame]:
    if len(run) < 2:
        return
    box = union(run)
    level = [run[0].top]
    for rule in run[1:]:
        if rule.top - level[-1] > 5:  # two close together are one, drawn double
            level.append(rule.top)
    mine = [
        rule
        for rule in upright
        if box.left - 2 < rule.left < box.right + 2
        and overlap(rule.top, rule.bottom, box.top, box.bottom) > 0.5 * rule.height
    ]
    if len(level) > 1:
        yield Frame(box, tuple(level), tuple(mine))
