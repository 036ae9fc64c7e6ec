"""plait search."""

from __future__ import annotations

import math
import re
import shutil
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from plait.cli.console import JsonOption, LibraryOption, open_library, print_json

if TYPE_CHECKING:
    from plait.errors import QueryError
    from plait.schema import Filter, Hit
    from plait.search.fusion import Method

_CONDITION = re.compile(r"""([^\s=!<>~,"']*)\s*(<=|>=|!=|=|<|>|~)\s*(.*)""", re.DOTALL)
_QUOTED = r"""("[^"]*"|'[^']*')"""
_VALUE = re.compile(rf"""\s*(?:{_QUOTED}|([^\s"',=!<>~][^",]*?))\s*(?:,|\Z)""")
_PATTERN = re.compile(rf"""(?:{_QUOTED}|([^"'=!<>~][^"]*))\Z""")


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
    recall: Annotated[
        float | None,
        typer.Option(
            "--recall",
            help="In a library too large to compare with every unit exactly: the share of the exact best "
            "hits that must be found, above 0 and up to 1.",
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
        hits = opened.search(
            query, k=k, method=cast("Method | None", method), lanes=lane or None, recall=recall
        )
    if recall is not None or not hits.plan.is_exact:
        typer.echo(f"plait: {hits.plan}", err=True)
    if as_json:
        print_json([hit.to_dict() for hit in hits])
    elif not hits:
        print("nothing found")
    else:
        print("\n\n".join(shown(hit) for hit in hits))


def condition(text: str) -> Filter:
    """Return the filter that "field=value" means; "~" is a shell pattern, "a,b" after "=" or "!=" a set.

    A value in quotes is text, whatever it holds: title="On, off".

    Raises:
        InputError: it is not of that form.
    """
    from plait.schema import Filter

    match = _CONDITION.fullmatch(text.strip())
    if match is None:
        why = "it does not begin with a field and an operator" if text.strip() else "it is empty"
        raise _unreadable(text, why)
    field, operator, written = match.groups()
    if not field:
        raise _unreadable(text, f"no field stands before {operator}")
    if not written:
        raise _unreadable(text, f"no value stands after {operator}")
    if operator == "~":
        return Filter(field, "glob", _pattern(text, written))
    values = _values(text, written)
    if len(values) == 1:
        return Filter(field, operator, values[0])  # type: ignore[arg-type]
    if operator in ("=", "!="):
        return Filter(field, "in" if operator == "=" else "!=", tuple(values))
    raise _unreadable(text, f"{operator} takes one value")


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


def _pattern(text: str, written: str) -> str:
    match = _PATTERN.match(written)
    if match is None:
        raise _unreadable(text, f"{written} is no pattern")
    return match[2] or match[1][1:-1]


def _values(text: str, written: str) -> list[str | int | float]:
    """Return the values between the commas of what stands after the operator."""
    values: list[str | int | float] = []
    end, ended = 0, False
    while not ended:
        match = _VALUE.match(written, end)
        if match is None:
            raise _unreadable(text, f"{written[end:].strip() or 'nothing'} is no value")
        values.append(match[1][1:-1] if match[1] else _number(match[2]))
        end, ended = match.end(), not match[0].endswith(",")
    return values


def _number(value: str) -> str | int | float:
    """Return the number that a text is, unless that would be written otherwise."""
    for kind in (int, float):
        try:
            number = kind(value)
        except ValueError:
            continue
        if str(number) == value and math.isfinite(number):
            return number
    return value


def _unreadable(text: str, why: str) -> QueryError:
    from plait.errors import QueryError

    return QueryError(
        f"cannot read the condition {text!r}: {why}; write field=value, field>=value or field~pattern, as in "
        "type=pdf, lang=en,de or source~guide/*; what is empty or holds a comma, a quote or an operator goes "
        'in quotes, as in title="On, off"'
    )
