"""plait ask."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.console import JsonOption, LibraryOption, open_library, print_json, warn
from plait.cli.haste import hurried

if TYPE_CHECKING:
    from plait.rag.answer import Answer, Citation


def ask(
    text: Annotated[list[str] | None, typer.Argument(help="The question.", show_default=False)] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option("--image", "-i", help="A picture that belongs to it; may be repeated."),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many places to answer from.")] = 6,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question from the documents, every sentence with its source.

    With PLAIT_LLM_URL and PLAIT_LLM_MODEL set, that model writes; otherwise the documents are quoted.
    Exits with 1 when the documents hold no answer.
    """
    from plait.schema import Query

    query = Query(texts=(" ".join(text or []),), images=tuple(str(path) for path in image or []))
    with hurried(), open_library(library) as opened:
        answer = opened.answer(query, k=k)
    if as_json:
        print_json(answer.to_dict())
    else:
        print(shown(answer))
    for sentence in answer.uncited:
        warn(f"no source for: {sentence}")
    if not answer.found:
        sys.exit(1)


def shown(answer: Answer) -> str:
    """Return an answer and the list of its sources as lines of text."""
    lines = [answer.text, ""] if answer.citations else [answer.text]
    return "\n".join([*lines, *(_source(citation) for citation in answer.citations)])


def _source(citation: Citation) -> str:
    place = f", {citation.place}" if citation.place else ""
    picture = f"\n    picture: {citation.picture}" if citation.picture else ""
    return f"[{citation.number}] {citation.title}{place}\n    {citation.source}{picture}"
