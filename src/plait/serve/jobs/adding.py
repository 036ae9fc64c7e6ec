"""Adding some files to a library, and what became of each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from plait.errors import InputError, PlaitError
from plait.index.base import StoredDocument
from plait.library import AddReport, Library
from plait.library.reports import ProgressCallback
from plait.library.sources import holders, source_of

_SHOWN = 100  # failures and warnings that are told of one file


class WorkerError(Exception):
    """Adding broke down, perhaps because of a file: it ended the process, or a defect of plait showed."""


class UnfitError(Exception):
    """The library cannot take any file now: it is locked, its disk is full, its model cannot be loaded."""


def added(library: Library, paths: Sequence[Path], tell: ProgressCallback) -> list[dict[str, Any]]:
    """Add files together, and return for each the JSON form of what became of it, see `Job.report`.

    Raises:
        WorkerError: it broke down.
        UnfitError: the library cannot take them now.
    """
    try:
        before = {document.id: document for document in library.documents()}
        report = library.add(paths, progress=tell)
        after = library.documents()
    except InputError as error:
        raise WorkerError(str(error)) from error
    except (PlaitError, OSError) as error:
        raise UnfitError(str(error)) from error
    except Exception as error:
        raise WorkerError(f"plait broke down adding it ({type(error).__name__}: {error})"[:400]) from error
    root = library.folder.parent
    return [_of(source_of(path, root), report, before, after) for path in paths]


def _of(
    source: str, report: AddReport, before: dict[str, StoredDocument], after: Sequence[StoredDocument]
) -> dict[str, Any]:
    """Return what a report says of one file, and of what is inside it."""
    documents = [document for document in after if source in holders(document.source)]
    known = [before[document.id] for document in documents if document.id in before]
    same = {document.id for document in known if document in documents}
    failed = [asdict(failure) for failure in report.failed if source in holders(failure.source)]
    warnings = [warning for warning in report.warnings if warning.startswith((f"{source}:", f"{source}!/"))]
    return {
        "documents": [document.id for document in documents],
        "added": len(documents) - len(known),
        "updated": len(known) - len(same),
        "unchanged": len(same),
        "shown": int(not documents and not failed),
        "units": sum(document.units for document in documents),
        "figures": sum(document.figures for document in documents),
        "failed": failed[:_SHOWN],
        "warnings": warnings[:_SHOWN],
    }
