"""plait doctor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.console import JsonOption, LibraryOption, print_json, progress_bar, warn

if TYPE_CHECKING:
    from plait.encode.base import Encoder
    from plait.library.diagnosis import Diagnosis, RepairReport
    from plait.library.folder import LibraryFolder


def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended, and set the rest aside.")
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify every byte of the library that matters, and say what is wrong with it."""
    from plait.library.doctor import repair as mend
    from plait.library.doctor import verify
    from plait.settings import load_settings

    folder = _folder(library)
    with progress_bar("checking") as progress:
        if repair:
            settings = load_settings(folder.path / "settings.toml")
            report = mend(folder, encoder=lambda: _encoder(folder), settings=settings, progress=progress)
            diagnosis = report.left
        else:
            diagnosis = verify(folder, progress=progress)
    if as_json:
        print_json(report.to_dict() if repair else diagnosis.to_dict())
    elif repair:
        _print_repair(report)
    else:
        _print_diagnosis(diagnosis)
    if not diagnosis.is_healthy or (repair and report.lost):
        sys.exit(1)


def _folder(library: Path | None) -> LibraryFolder:
    """Return the library's folder, also where it is too damaged to be opened.

    Raises:
        NoLibraryError: there is none.
    """
    from plait.errors import NoLibraryError
    from plait.library.folder import LibraryFolder

    if library is None:
        return LibraryFolder.find()
    folder = LibraryFolder.at(library)
    if not folder.path.is_dir():
        raise NoLibraryError(f"no library at {folder.path}: run  plait add PATH  first")
    return folder


def _encoder(folder: LibraryFolder) -> Encoder:
    from plait.library import Library

    return Library(folder.path, create=False).encoder()


def _print_diagnosis(diagnosis: Diagnosis) -> None:
    from plait.data.readers.sandbox.confinement import level

    for finding in diagnosis.problems:
        print(f"PROBLEM  {finding}")
    for finding in diagnosis.notes:
        warn(f"note: {finding}")
    print(
        f"{diagnosis.documents:,} documents, {diagnosis.rows:,} units, {diagnosis.pictures:,} pictures; "
        f"{diagnosis.files:,} files, {diagnosis.bytes / 1e6:,.1f} MB read in {diagnosis.seconds:.1f} s"
    )
    print(f"readers of files are confined: {level()}")
    if diagnosis.is_healthy:
        print("all is well")
    else:
        count = len(diagnosis.problems)
        print(f"{count:,} problem{'' if count == 1 else 's'}: run  plait doctor --repair")


def _print_repair(report: RepairReport) -> None:
    for finding in report.found.problems:
        print(f"PROBLEM  {finding}")
    for sentence in report.done:
        print(f"mended   {sentence}")
    for sentence in report.lost:
        print(f"LOST     {sentence}")
    for finding in report.left.problems:
        print(f"REMAINS  {finding}")
    if report.left.is_healthy and not report.lost:
        print("all is well")
