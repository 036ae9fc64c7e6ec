"""plait snapshot: save, list, restore, delete."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from plait.cli.console import JsonOption, LibraryOption, open_library, print_json

app = typer.Typer(help="Named states of the library to go back to.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(help="The snapshot's name.")]


@app.command()
def save(name: NameArgument, library: LibraryOption = None) -> None:
    """Keep the library as it is now; takes next to no room until it changes."""
    with open_library(library) as opened:
        info = opened.save_snapshot(name)
    print(f"saved {info.name}: {info.documents:,} documents, {info.units:,} units")


@app.command(name="list")
def list_(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """List what was saved, oldest first."""
    with open_library(library) as opened:
        found = opened.snapshots()
    if as_json:
        print_json([asdict(info) for info in found])
        return
    for info in found:
        print(f"{info.name:<24}  {info.saved_at}  {info.documents:>9,} documents  {info.units:>9,} units")
    if not found:
        print("no snapshots")


@app.command()
def restore(name: NameArgument, library: LibraryOption = None) -> None:
    """Make the library what it was when the snapshot was saved; searches go on meanwhile."""
    with open_library(library) as opened:
        info = opened.restore(name)
    print(f"restored {info.name}: {info.documents:,} documents, {info.units:,} units")


@app.command()
def delete(name: NameArgument, library: LibraryOption = None) -> None:
    """Forget a snapshot; the library stays as it is."""
    with open_library(library) as opened:
        opened.delete_snapshot(name)
    print(f"deleted {name}")
