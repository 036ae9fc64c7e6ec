"""plait search."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from plait.cli.console import JsonOption, LibraryOption, open_library, print_json

if TYPE_CHECKING:
    from plait.schema import Filter, Hit
    from plait.search.fusion import Method

_CONDITION = re.compile(r"^([\w.-]+)\s*(<=|>=|!=|=|<|>|~)\s*(.*)$", re.DOTALL)


def search(
    text: Annotated[list[str] | None, typer.Argument(help="What to look for.", show_default=False)] = None,
    image: Annotated[
        list[Path] | None, typer.Option("--image", "-i", help="A picture to look for; may be repeated.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many hits.")] = 10,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", help="Only where this holds: type=pdf, page>=3, source~guide/*; may be repeated."
        ),
    ] = None,
    method: Annotated[
        str | None, typer.Option("--method", help="How lanes are combined: gated, zsum or rrf.")
    ] = None,
    lane: Annotated[
        list[str] | None,
        typer.Option(
            "--lane", help="Only this lane: bm25, text, figure_words, image, image_tokens; repeatable."
        ),
    ] = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find places in the documents by text, by image, or by both at once."""
    from plait.schema import Query

    query = Query(
        texts=(" ".join(text or []),),
        images=tuple(str(path) for path in image or []),
        filters=tuple(condition(text) for text in where or []),
    )
    with open_library(library) as opened:
        hits = opened.search(query, k=k, method=cast("Method | None", method), lanes=lane or None)
    if as_json:
        print_json([hit.to_dict() for hit in hits])
    elif not hits:
        print("nothing found")
    else:
        print("\n\n".join(shown(hit) for hit in hits))


def condition(text: str) -> Filter:
    """Return the filter that "field=value" means; "~" is a shell pattern, "a,b" after "=" a set.

    Raises:
        InputError: it is not of that form.
    """
    from plait.errors import InputError
    from plait.schema import Filter

    match = _CONDITION.match(text.strip())
    if match is None:
        raise InputError(
            f"cannot read the condition {text!r}: write field=value, field>=value or field~pattern"
        )
    field, operator, value = match.groups()
    if operator == "~":
        return Filter(field, "glob", value)
    if operator == "=" and "," in value:
        return Filter(field, "in", tuple(_number(v.strip()) for v in value.split(",")))
    return Filter(field, operator, _number(value.strip()))  # type: ignore[arg-type]


def shown(hit: Hit) -> str:
    """Return a hit as lines of text: what, where, why, and a few of its words."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 110)
    lines = [f"{hit.rank:>2}. {hit.title}  [{hit.score:.3f}]"]
    lines.append(f"    {hit.source}" + (f"  ·  {hit.place}" if hit.place else ""))
    if hit.passage:
        words = textwrap.shorten(hit.passage, 2 * (width - 4), placeholder=" …")
        lines += textwrap.wrap(words, width, initial_indent="    ", subsequent_indent="    ")
    if hit.picture:
        caption = textwrap.shorten(hit.caption, 60, placeholder=" …")
        lines.append(f"    picture: {hit.picture}" + (f"  ({caption})" if caption else ""))
    lines.append(f"    {lanes_shown(hit.lanes.items())}")
    return "\n".join(lines)


def lanes_shown(lanes: Iterable[tuple[str, float]]) -> str:
    """Return the lanes that spoke, with their raw scores."""
    return "  ".join(f"{name} {score:.2f}" for name, score in lanes)


def _number(value: str) -> str | int | float:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
