"""What every command prints with: progress on standard error, results on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from plait.cli.haste import defer_catalogue

if TYPE_CHECKING:
    from plait.library import Library
    from plait.library.reports import Progress, ProgressCallback

LibraryOption = Annotated[
    Path | None,
    typer.Option(
        "--library", help="Folder that holds the library; default: the nearest .plait here or above."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def fail(message: str, code: int) -> NoReturn:
    """Print one line to standard error and exit."""
    print(f"plait: {message}", file=sys.stderr)
    sys.exit(code)


def of_interrupt(error: BaseException | None) -> bool:
    """Tell whether an error is Ctrl-C, or came of what was being done for it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def warn(message: str) -> None:
    """Print one line to standard error."""
    print(f"plait: {message}", file=sys.stderr)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    print(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def open_library(folder: Path | None) -> Library:
    """Return the named library, or the nearest one.

    Raises:
        NoLibraryError: there is none.
    """
    defer_catalogue()
    from plait.library import Library

    return Library.find() if folder is None else Library(folder, create=False)


@contextmanager
def progress_bar(title: str) -> Iterator[ProgressCallback]:
    """Give a callback that draws a bar with count, rate and time left on a terminal's standard error.

    The bar goes by the bytes of files where they are known: a long file takes longer than a short one.
    """
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[source]}"),
    )
    console = Console(stderr=True)
    with Bar(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(title, total=None, count="", rate="", source="")

        def show(event: Progress) -> None:
            by_bytes = event.bytes_total > 0
            bar.update(
                task,
                completed=event.bytes_done if by_bytes else event.done,
                total=event.bytes_total if by_bytes else event.total,
                count=f"{event.done}/{event.total}",
                rate=rate_of(event, bar.tasks[0].elapsed or 0.0),
                source=_shortened(event.source, 40),
            )

        yield show


def rate_of(event: Progress, seconds: float) -> str:
    """Return how fast some work goes, in words: "3.2/s, 41 pages/s"; "" in the first second."""
    if seconds < 1:
        return ""
    pages = f", {event.pages / seconds:.0f} pages/s" if event.pages else ""
    return f"{event.done / seconds:.1f}/s{pages}"


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else "…" + text[-(length - 1) :]
