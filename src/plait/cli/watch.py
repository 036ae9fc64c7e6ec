"""plait watch."""

from __future__ import annotations

import json
import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.console import JsonOption, LibraryOption, progress_bar, warn

if TYPE_CHECKING:
    from plait.library.reports import Progress, ProgressCallback
    from plait.library.watching import Followed


def watch(
    folder: Annotated[Path, typer.Argument(help="Folder to follow.", show_default=False)],
    library: LibraryOption = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", help="Pattern of files to leave out, as in .gitignore.")
    ] = None,
    hidden: Annotated[bool, typer.Option("--hidden", help="Take hidden files too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Keep the library up to date with a folder, until Ctrl-C.

    What is new or has changed is added, what is gone is removed; other commands may use the library
    meanwhile. Ctrl-C and SIGTERM end it with exit code 0.
    """
    from plait.errors import NoLibraryError
    from plait.library import Library
    from plait.library.watching import watch as follow

    try:
        opened = Library.find() if library is None else Library(library)
    except NoLibraryError:
        opened = Library(".")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    bar = _Bar()

    def told(followed: Followed) -> None:
        bar.close()
        _print_json(followed) if as_json else _print(followed)

    with opened:
        try:
            follow(
                opened,
                folder,
                stop=threading.Event(),
                on_report=told,
                ignore=ignore or (),
                hidden=hidden,
                progress=bar,
            )
        except KeyboardInterrupt:
            warn(f"no longer watching {folder}; the same command catches up")
        finally:
            bar.close()


class _Bar:
    """A progress bar while something is added, and none while nothing is."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._show: ProgressCallback | None = None

    def __call__(self, event: Progress) -> None:
        if self._show is None:
            self._show = self._open.enter_context(progress_bar("adding"))
        self._show(event)

    def close(self) -> None:
        self._open.close()
        self._show = None


def _print(followed: Followed) -> None:
    report = followed.report
    for failure in report.failed:
        warn(f"skipped {failure}")
    for warning in report.warnings:
        warn(warning)
    if followed.error:
        warn(followed.error)
        return
    parts = [
        f"{report.added:,} added" if report.added else "",
        f"{report.updated:,} updated" if report.updated else "",
        f"{report.unchanged:,} unchanged" if report.unchanged else "",
        f"{len(followed.removed) + report.removed:,} removed" if followed.removed or report.removed else "",
        f"{len(report.failed):,} skipped" if report.failed else "",
    ]
    said = ", ".join(part for part in parts if part) or "up to date"
    print(f"{time.strftime('%H:%M:%S')}  {said}", flush=True)


def _print_json(followed: Followed) -> None:
    values = {**followed.report.to_dict(), "removed": followed.removed, "error": followed.error}
    print(json.dumps(values, ensure_ascii=False, default=str), flush=True)
