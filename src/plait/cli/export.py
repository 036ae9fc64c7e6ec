"""plait export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.console import JsonOption, LibraryOption, open_library, print_json, progress_bar, warn

if TYPE_CHECKING:
    from plait.library.export import ExportReport


def export(
    file: Annotated[Path, typer.Argument(help="The file to write, such as manuals.plait.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the whole library into one file, with checksums; others may write to it meanwhile."""
    with open_library(library) as opened, progress_bar("exporting") as progress:
        report = opened.export(file, force=force, progress=progress)
    print_carried(report, f"wrote {file}", as_json=as_json)


def print_carried(report: ExportReport, done: str, *, as_json: bool) -> None:
    """Print what went into a file or came out of one; exit with 1 if pictures are missing."""
    if as_json:
        print_json(report.to_dict())
    else:
        print(
            f"{done}: {report.documents:,} documents, {report.units:,} units, {report.pictures:,} pictures, "
            f"{report.bytes / 1e6:,.1f} MB in {report.seconds:.1f} s"
        )
    if report.missing_pictures:
        warn(f"{len(report.missing_pictures):,} pictures are missing; plait doctor says whose they are")
        sys.exit(1)
