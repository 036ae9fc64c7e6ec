"""Hits as lines of text."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plait.schema import Facet, Hit, Hits

_VALUES = 8  # of a facet that are shown


def answered(hits: Hits, *, next_page: int | None = None) -> str:
    """Return a whole answer: the hits, what there is to choose from, and how to get the rest.

    Args:
        next_page: the number of the page after this; None where only its cursor is known.
    """
    return "\n\n".join([*map(shown, hits), *_told(hits, next_page)]) or "nothing found"


def shown(hit: Hit) -> str:
    """Return a hit: what, where, why, and a few of its words; its id is for `--like`."""
    width = _width()
    sure = "" if hit.confidence is None else f"  {hit.confidence:.0%}"
    lines = [f"{hit.rank:>2}. {hit.title}  [{hit.score:.3f}]{sure}  {hit.id}"]
    lines.append(f"    {hit.source}" + (f"  ·  {hit.place}" if hit.place else ""))
    if hit.passage:
        words = textwrap.shorten(hit.passage, 2 * (width - 4), placeholder=" …")
        lines += textwrap.wrap(words, width, initial_indent="    ", subsequent_indent="    ")
    if hit.picture:
        caption = textwrap.shorten(hit.caption, 60, placeholder=" …")
        lines.append(f"    picture: {hit.picture}" + (f"  ({caption})" if caption else ""))
    if hit.folded:
        lines.append(f"    +{len(hit.folded)} nearly the same")
    lines.append(f"    {lanes_shown(hit.lanes.items())}")
    return "\n".join(lines)


def lanes_shown(lanes: Iterable[tuple[str, float]]) -> str:
    """Return the lanes that spoke, with their raw scores."""
    return "  ".join(f"{name} {score:.2f}" for name, score in lanes)


def _told(hits: Hits, next_page: int | None) -> Iterator[str]:
    if hits.nothing_good:
        yield f"nothing good found; {_distant(hits.distant)}: add --all to see them"
    elif hits.distant:
        yield f"{_distant(hits.distant)} left out: add --all to see them"
    for facet in hits.facets:
        yield _table(facet)
    if hits.next_cursor:
        yield f"more: --cursor {hits.next_cursor}" if next_page is None else f"more: add --page {next_page}"


def _distant(count: int) -> str:
    return f"{count:,} distant {'hit' if count == 1 else 'hits'}"


def _table(facet: Facet) -> str:
    """Return the values of a field, each with how many documents and units have it."""
    values = facet.counts[:_VALUES]
    more = facet.more + len(facet.counts) - len(values)
    rows = [
        (textwrap.shorten(one.value, 40, placeholder=" …"), f"{one.documents:,}", f"{one.units:,}")
        for one in values
    ]
    cells = [(facet.field, "documents", "units"), *rows]
    wide = [max(len(row[column]) for row in cells) for column in range(3)]
    lines = [f"    {row[0]:<{wide[0]}}  {row[1]:>{wide[1]}}  {row[2]:>{wide[2]}}" for row in cells]
    return "\n".join([*lines, *([f"    and {more:,} more"] if more else [])])


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 110)
