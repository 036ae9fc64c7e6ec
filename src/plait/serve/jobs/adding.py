"""Adding some files to a library, and what became of each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plait.errors import InputError, PlaitError
from plait.index.base import StoredDocument
from plait.library import AddReport, Library
from plait.library.reports import ProgressCallback
from plait.library.sources import holders, is_below, source_of

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
    came = _Came()
    try:
        report = library.add(paths, progress=tell, on_document=came)
    except InputError as error:
        raise WorkerError(str(error)) from error
    except (PlaitError, OSError) as error:
        raise UnfitError(str(error)) from error
    except Exception as error:
        raise WorkerError(f"plait broke down adding it ({type(error).__name__}: {error})"[:400]) from error
    told = _Told(report, came, library.folder.parent)
    return [told.of(path) for path in paths]


class _Came:
    """The documents of what was added, and what was stored of them before."""

    def __init__(self) -> None:
        self.documents: dict[str, StoredDocument] = {}  # by id
        self.before: dict[str, StoredDocument] = {}

    def __call__(self, now: StoredDocument, before: StoredDocument | None, /) -> None:
        if now is not before or now.id not in self.documents:
            self.documents[now.id] = now
        if before is not None:
            self.before[before.id] = before


@dataclass(frozen=True, slots=True)
class _Told:
    """What a report says of each of the paths that were added together.

    Attributes:
        root: the folder that holds the library.
    """

    report: AddReport
    came: _Came
    root: Path

    def of(self, path: Path) -> dict[str, Any]:
        """Return what is said of a file and what is inside it, or of what is in a folder."""
        documents = [one for one in self.came.documents.values() if self._is_of(one.source, path)]
        known = [self.came.before[one.id] for one in documents if one.id in self.came.before]
        same = sum(one == self.came.documents[one.id] for one in known)
        failed = [asdict(one) for one in self.report.failed if self._is_of(one.source, path)]
        warnings = [one for one in self.report.warnings if self._is_of(one.partition(": ")[0], path)]
        return {
            "documents": [document.id for document in documents],
            "added": len(documents) - len(known),
            "updated": len(known) - same,
            "unchanged": same,
            "shown": int(not documents and not failed and not path.is_dir()),
            "units": sum(document.units for document in documents),
            "figures": sum(document.figures for document in documents),
            "failed": failed[:_SHOWN],
            "warnings": warnings[:_SHOWN],
        }

    def _is_of(self, source: str, path: Path) -> bool:
        return source_of(path, self.root) in holders(source) or is_below(source, path, self.root)
