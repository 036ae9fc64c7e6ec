"""plait search."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plait.cli.answers import answered
from plait.cli.console import JsonOption, LibraryOption, open_library, print_json
from plait.cli.haste import hurried
from plait.cli.requests import Written, counts, numbers, read_request

if TYPE_CHECKING:
    from plait.library import Library
    from plait.schema import Hits, SearchRequest

_PARTS, _ANSWER, _RANKING = "What is asked (repeatable; 2*X counts twice)", "The answer", "Ranking"
Several = list[str] | None


def _part(*names: str, help: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=_PARTS, show_default=False)


def search(
    words: Annotated[
        Several, typer.Argument(metavar="[TEXT]...", help="What to look for.", show_default=False)
    ] = None,
    text: Annotated[Several, _part("--text", "-t", help="A further text.")] = None,
    no_text: Annotated[Several, _part("--not", help="A text that is unwanted.")] = None,
    image: Annotated[
        Several,
        _part(
            "--image",
            "-i",
            help="A picture, or a region of it: part.jpg#0.1,0.2,0.5,0.6 (left, top, right, bottom).",
        ),
    ] = None,
    no_image: Annotated[Several, _part("--not-image", help="A picture that is unwanted.")] = None,
    like: Annotated[Several, _part("--like", help="More like a hit, by its id.")] = None,
    less: Annotated[Several, _part("--less", help="Less like a hit.")] = None,
    where: Annotated[
        Several, _part("--where", help="Only where this holds: type=pdf, page>=3, source~guide/*.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind", help="What to find: page, passage, figure, table or document.", rich_help_panel=_ANSWER
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many hits.", rich_help_panel=_ANSWER)] = 10,
    page: Annotated[
        int, typer.Option("--page", min=1, help="Which page of k hits.", rich_help_panel=_ANSWER)
    ] = 1,
    cursor: Annotated[
        str,
        typer.Option(
            "--cursor", help="The page that follows one, as its --json says.", rich_help_panel=_ANSWER
        ),
    ] = "",
    depth: Annotated[
        int, typer.Option("--depth", help="How many hits may be paged through.", rich_help_panel=_ANSWER)
    ] = 200,
    per: Annotated[
        Several,
        typer.Option(
            "--per", help="At most so many that share a field: document=2.", rich_help_panel=_ANSWER
        ),
    ] = None,
    facet: Annotated[
        Several, typer.Option("--facet", help="Count the values of this field.", rich_help_panel=_ANSWER)
    ] = None,
    no_fold: Annotated[
        bool, typer.Option("--no-fold", help="List hits that are nearly the same.", rich_help_panel=_ANSWER)
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Hits that are probably not good, too.", rich_help_panel=_ANSWER)
    ] = False,
    method: Annotated[
        str | None,
        typer.Option(
            "--method", help="How lanes are combined: gated, zsum or rrf.", rich_help_panel=_RANKING
        ),
    ] = None,
    lane: Annotated[
        Several,
        typer.Option(
            "--lane",
            help="Only this: bm25, text, figure_words, image, image_tokens.",
            rich_help_panel=_RANKING,
        ),
    ] = None,
    weight: Annotated[
        Several, typer.Option("--weight", help="What a lane counts: bm25=0.5.", rich_help_panel=_RANKING)
    ] = None,
    recall: Annotated[
        float | None,
        typer.Option(
            "--recall",
            help="Share of the exact best hits that a large library must find, above 0 and up to 1.",
            rich_help_panel=_RANKING,
        ),
    ] = None,
    rerank: Annotated[
        Several,
        typer.Option(
            "--rerank",
            help="Only this of the rerankers that the setting names; none: no reranker.",
            rich_help_panel=_RANKING,
        ),
    ] = None,
    request: Annotated[
        str | None,
        typer.Option(
            "--request", help="A whole request as JSON, as HTTP takes it: a file, or - for standard input."
        ),
    ] = None,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find places in the documents by text, by image, by what is like a hit, or by all of them at once."""
    written = Written(
        *(tuple(part or ()) for part in (words, text, image, like, no_text, no_image, less, where))
    )
    options = {
        "k": k,
        "kind": kind,
        "method": method,
        "lanes": tuple(lane) if lane else None,
        "weights": numbers("--weight", weight) if weight else None,
        "recall": recall,
        "per_group": counts("--per", per or ()),
        "facets": tuple(facet or ()),
        "fold": not no_fold,
        "depth": depth,
        "cursor": cursor,
        "distant": every,
        "rerank": None if not rerank else () if rerank == ["none"] else tuple(rerank),
    }
    asked = written.request(options) if request is None else read_request(request, written, options)
    with hurried(), open_library(library) as opened:
        hits = paged(opened, asked, page)
    if recall is not None or not hits.plan.is_exact:
        typer.echo(f"plait: {hits.plan}", err=True)
    if as_json:
        print_json(hits.to_dict())
    else:
        print(answered(hits, next_page=None if asked.cursor else page + 1))


def paged(library: Library, asked: SearchRequest, page: int) -> Hits:
    """Return the hits of a page, counted from 1, by going there from the first.

    Raises:
        InputError: there are fewer pages; or a cursor says already which page it is.
    """
    from plait.errors import InputError

    if asked.cursor and page > 1:
        raise InputError("a cursor says which page follows: leave out --page, or the cursor")
    hits = library.search(asked)
    for before in range(1, page):
        if not hits.next_cursor:
            raise InputError(f"there is no page {page}: the hits end on page {before}")
        hits = library.search(replace(asked, cursor=hits.next_cursor))
    return hits
