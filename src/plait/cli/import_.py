"""plait import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.console import JsonOption, progress_bar
from plait.cli.export import print_carried


def import_(
    file: Annotated[Path, typer.Argument(help="A file that plait export wrote.")],
    library: Annotated[
        Path, typer.Option("--library", help="Folder for the library; it must have none yet.")
    ] = Path("."),
    as_json: JsonOption = False,
) -> None:
    """Make a library out of an exported file, once every byte of it has been verified."""
    from plait.library import Library

    with progress_bar("importing") as progress:
        report = Library.import_from(file, library, progress=progress)
    print_carried(report, f"imported {file}", as_json=as_json)
