"""What every command prints with: progress on standard error, results on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from plait.library import Library
    from plait.library.reports import ProgressCallback

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
    from plait.library import Library

    return Library.find() if folder is None else Library(folder, create=False)


@contextmanager
def progress_bar(title: str) -> Iterator[ProgressCallback]:
    """Give a callback that draws a bar with count, rate and time left on a terminal's standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from plait.library.reports import Progress as Event

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[source]}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(title, total=None, rate="", source="")

        def show(event: Event) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = f"{event.done / elapsed:.1f}/s" if elapsed > 1 else ""
            bar.update(
                task, completed=event.done, total=event.total, rate=rate, source=_shortened(event.source, 40)
            )

        yield show


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else "…" + text[-(length - 1) :]
