"""The tool add: only what lies below folders that the user named, read by a process of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from plait.errors import InputError, LibraryError, MissingPathError
from plait.library import Library
from plait.library.reports import ProgressCallback
from plait.serve.jobs.adding import UnfitError, WorkerError
from plait.serve.jobs.workers import Task, Worker
from plait.serve.mcp.answers import Answer
from plait.serve.mcp.forms import AddForm

_TOLD = 20  # failures and warnings in words


def allowed_paths(paths: Sequence[str], folders: Sequence[Path], *, root: Path) -> tuple[Path, ...]:
    """Return what may be added, links followed.

    Args:
        paths: as the assistant named them; relative ones are of `root`.
        folders: below which it must lie.

    Raises:
        InputError: it does not, or it is hidden.
        MissingPathError: there is nothing.
    """
    real = [Path(os.path.realpath(folder)) for folder in folders]
    return tuple(_allowed(path, real, root) for path in paths)


def add(
    library: Library, form: AddForm, folders: Sequence[Path], worker: Worker, tell: ProgressCallback
) -> Answer:
    """Read files and folders, and make them searchable; searches are answered meanwhile.

    Raises:
        InputError: a path that may not be added.
        LibraryError: it cannot be done now.
    """
    paths = allowed_paths(form.paths, folders, root=library.folder.parent)
    try:
        reports = worker.add(Task(library.folder, library.settings, paths), tell)
    except (UnfitError, WorkerError) as error:
        raise LibraryError(f"cannot add now: {error}") from error
    lines = []
    for path, report in zip(paths, reports, strict=True):
        done = ", ".join(
            f"{report[name]} {name}" for name in ("added", "updated", "unchanged", "shown") if report[name]
        )
        lines.append(f"{path}: {done or 'nothing added'}")
        lines += [
            f"  failed: {one['source']}: {one['reason']}; {one['remedy']}" for one in report["failed"][:_TOLD]
        ]
        lines += [f"  {warning}" for warning in report["warnings"][:_TOLD]]
    return Answer("\n".join(lines), {"reports": list(reports)})


def _allowed(path: str, folders: Sequence[Path], root: Path) -> Path:
    if "\0" in path:
        raise InputError("a path must not hold a zero byte")
    real = Path(os.path.realpath(root / path))
    above = next((folder for folder in folders if real.is_relative_to(folder)), None)
    if above is None:
        there = ", ".join(map(str, folders))
        raise InputError(
            f"only what lies below {there} may be added; start the server with --add-from for more"
        )
    if any(part.startswith(".") for part in real.relative_to(above).parts):
        raise InputError("hidden files and folders may not be added")
    if not real.exists():
        raise MissingPathError(f"{real}: no such file or folder; check the spelling")
    return real
