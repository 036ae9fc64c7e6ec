"""ZIP archives: unpacked, each file in them to be read as a document of its own."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from plait.data.readers.base import SUFFIXES, ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.unpacking import Members, TooMuchError
from plait.errors import ReadError
from plait.schema import Attachment, Document

# Pages show these beside them, or they lie beside others unasked: no documents.
_BESIDE = frozenset({".css", ".js", ".svgz", ".ico", ".woff", ".woff2", ".ttf", ".map"})
_LONGEST_SUFFIX = 12
_MOST_REASONS = 20
_LITTER = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini", "mimetype")


def read_archive(task: ReadTask, limits: ReadLimits) -> Document:
    """Return a ZIP archive as a document of attachments, without segments of its own.

    Its files are unpacked below the spool with the folders they lie in, so that a page finds its pictures.
    What cannot be unpacked, or is of no kind that is read, is left out with a warning.

    Raises:
        ReadError: not a ZIP file; made to unpack to far more than it may; encrypted; nothing to read in it.
    """
    with Members(task, limits) as members:
        unpacking = _Unpacking(task, limits, members)
        attachments = tuple(unpacking.run())
        warnings = (*members.warnings, *unpacking.warnings)
    if not attachments:
        raise ReadError(task.source, *_nothing(warnings))
    return Document(
        id=document_id(task.source),
        title=title_from(task.path),
        source=task.source,
        metadata={"type": "archive", "files": len(attachments)},
        warnings=warnings,
        attachments=attachments,
    )


class _Unpacking:
    """Writes the members of an archive into a new folder, and counts what it leaves out."""

    def __init__(self, task: ReadTask, limits: ReadLimits, members: Members) -> None:
        self._task = task
        self._limits = limits
        self._members = members
        self._folder = Path(tempfile.mkdtemp(prefix="archive-", dir=task.spool))
        self._left_out: Counter[str] = Counter()

    @property
    def warnings(self) -> list[str]:
        """One sentence for each reason that files were left out."""
        return [
            f"left out {count} file{'s' if count > 1 else ''}: {reason}"
            for reason, count in sorted(self._left_out.items())
        ]

    def run(self) -> Iterator[Attachment]:
        """Unpack the files; give those that are to be read, in the order of their names."""
        taken = 0
        for name in sorted(self._members.names):
            suffix = Path(name).suffix.lower()
            if _is_litter(name):
                continue
            if suffix not in SUFFIXES and suffix not in _BESIDE:
                self._left_out[self._unread(suffix)] += 1
                continue
            if taken >= self._limits.max_attachments:
                self._left_out[f"more than max_attachments ({self._limits.max_attachments:,})"] += 1
                continue
            path = self._unpacked(name)
            if path is None:
                continue
            taken += 1
            if suffix in SUFFIXES:
                yield Attachment(name, str(path))

    def _unread(self, suffix: str) -> str:
        """Return why files of a kind are left out; an archive may hold a thousand kinds."""
        reason = f"{suffix} is not read" if suffix else "named without a suffix"
        common = len(suffix) <= _LONGEST_SUFFIX and len(self._left_out) < _MOST_REASONS
        return reason if common or reason in self._left_out else "other kinds are not read"

    def _unpacked(self, name: str) -> Path | None:
        """Write a member, and return where; None if it cannot be."""
        if self._members.size(name) > self._limits.max_file_mb * 2**20:
            self._left_out[f"larger than the limit of {self._limits.max_file_mb} MB"] += 1
            return None
        path = self._folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._members.copy(name, path)
        except TooMuchError:
            raise
        except ReadError as error:
            reason = "damaged" if error.reason.endswith("is damaged") else error.reason
            self._left_out[reason] += 1
            return None
        except (FileExistsError, NotADirectoryError):
            self._left_out["its name is taken by another file or folder"] += 1
            return None
        self._task.tick()
        return path


def _is_litter(name: str) -> bool:
    """Tell what systems leave in archives unasked."""
    last = name.rpartition("/")[2]
    return name.startswith(_LITTER[0]) or last in _LITTER or last.startswith("._")


def _nothing(warnings: tuple[str, ...]) -> tuple[str, str]:
    """Return why an archive gives no file, and what to do."""
    if any("password-protected" in warning for warning in warnings):
        return "password-protected", "unpack it with its password, and add the files"
    reason = f"holds no file that can be read ({'; '.join(warnings)})" if warnings else "is empty"
    return reason, "leave it out, or add what is of use by itself"
