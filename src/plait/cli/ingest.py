"""plait add, plait status, plait remove."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.console import (
    JsonOption,
    LibraryOption,
    fail,
    of_interrupt,
    open_library,
    print_json,
    progress_bar,
    warn,
)

if TYPE_CHECKING:
    from plait.library import AddReport, Library

_SHOWN_WARNINGS = 5


def add(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, patterns (quoted: 'docs/**/*.pdf'), addresses (with --allow-urls), "
            "or - for standard input.",
            show_default=False,
        ),
    ],
    library: LibraryOption = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", help="Leave out of folders what fits this pattern; as in .gitignore."),
    ] = None,
    hidden: Annotated[bool, typer.Option("--hidden", help="Take hidden files of folders too.")] = False,
    name: Annotated[
        str, typer.Option("--name", help="What standard input is called, as manual.pdf.", show_default=False)
    ] = "",
    allow_urls: Annotated[
        bool, typer.Option("--allow-urls", help="Fetch addresses: one page and its pictures each.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Read unchanged files again too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Add files and folders; changed files are updated, unchanged ones skipped.

    Without --library, the nearest .plait here or above is used, and made here if there is none. What
    .gitignore and .plaitignore leave out is left out.
    """
    with _opened(library, allow_urls=allow_urls) as opened, progress_bar("adding") as progress:
        try:
            report = opened.add(
                paths, force=force, ignore=ignore or (), hidden=hidden, name=name, progress=progress
            )
        except BaseException as error:
            if not of_interrupt(error):
                raise
            fail("interrupted; what was stored stays, and the same command goes on from there", 130)
    for failure in report.failed:
        warn(f"skipped {failure}")
    if as_json:
        print_json(report.to_dict())
    else:
        _print_report(report)
    if report.failed:
        sys.exit(1)


def status(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """Say what the library holds."""
    with open_library(library) as opened:
        state = opened.status()
    if as_json:
        print_json(state.to_dict())
        return
    print(f"library    {state.folder}")
    print(f"model      {state.model}")
    print(f"vectors    kept as {state.vectors};  words are {state.language}")
    print(f"documents  {state.documents:,}")
    print(f"units      {state.units:,}  (sections or pages: what is ranked)")
    print(f"figures    {state.figures:,}")
    print(f"on disk    {state.bytes_on_disk / 1e6:,.1f} MB")
    if state.missing:
        print(f"missing    {len(state.missing):,} files are gone: plait remove --missing forgets them")


def remove(
    targets: Annotated[
        list[str] | None,
        typer.Argument(help="Paths, folders, patterns or document ids.", show_default=False),
    ] = None,
    missing: Annotated[bool, typer.Option("--missing", help="Remove documents whose file is gone.")] = False,
    library: LibraryOption = None,
) -> None:
    """Remove documents from the library; the files themselves stay."""
    from plait.errors import InputError

    if not targets and not missing:
        raise InputError("nothing named: give paths, folders, patterns or ids, or --missing")
    with open_library(library) as opened:
        count = opened.remove(targets) if targets else 0
        count += opened.remove_missing() if missing else 0
    print(f"removed {count} document{'' if count == 1 else 's'}")
    if not count:
        raise InputError(f"no document of the library matches {' '.join(targets or ['--missing'])}")


def _opened(folder: Path | None, *, allow_urls: bool) -> Library:
    """Return the library to add to, made here if there is none."""
    from plait.errors import NoLibraryError
    from plait.library import Library

    def settled(found: Library) -> Library:
        if not allow_urls:
            return found
        found.close()
        return Library(found.folder, settings=replace(found.settings, urls=True))

    try:
        return settled(Library.find() if folder is None else Library(folder))
    except NoLibraryError:
        return settled(Library("."))


def _print_report(report: AddReport) -> None:
    handled = report.added + report.updated
    rate = f", {handled / report.seconds:.1f} documents/s" if handled and report.seconds > 0.5 else ""
    parts = [
        f"{report.added:,} added",
        f"{report.updated:,} updated" if report.updated else "",
        f"{report.unchanged:,} unchanged" if report.unchanged else "",
        f"{report.removed:,} no longer held" if report.removed else "",
        f"{report.shown:,} pictures already shown by a document" if report.shown else "",
        f"{len(report.failed):,} skipped" if report.failed else "",
    ]
    print(", ".join(part for part in parts if part))
    if handled:
        tables = f", {report.tables:,} tables" if report.tables else ""
        print(f"{report.units:,} units, {report.figures:,} figures{tables} in {report.seconds:.1f} s{rate}")
    if report.windows:
        print(f"{report.windows:,} windows made of passages longer than the model reads at once")
    if report.truncated:
        warn(
            f"{report.truncated:,} texts were longer than the model reads and were cut: what their ends say "
            "is found by its words only"
        )
    for warning in report.warnings[:_SHOWN_WARNINGS]:
        warn(warning)
    if len(report.warnings) > _SHOWN_WARNINGS:
        warn(f"and {len(report.warnings) - _SHOWN_WARNINGS:,} more remarks; --json lists all")
