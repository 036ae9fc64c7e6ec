"""Making a library as small as it can be, so that no byte of what was removed is left in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from plait.index.backends.lancedb import LanceIndex
from plait.library import leftovers, seals, snapshots, table
from plait.library.feedback import Feedback
from plait.library.folder import LibraryFolder


@dataclass(frozen=True, slots=True)
class CompactionReport:
    """What a compaction did.

    Attributes:
        bytes_before, bytes_after: size of the library folder.
        snapshots: those that still hold what the library held when they were saved.
        has_quarantine: whether there is something that a repair set aside.
    """

    bytes_before: int
    bytes_after: int
    snapshots: tuple[str, ...]
    has_quarantine: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def compact(folder: LibraryFolder, index: LanceIndex) -> CompactionReport:
    """Write every row anew and delete all else: old versions, scan files of removed units, unused pictures.

    LanceDB's own clean-up leaves a deleted row in its file while most rows beside it are alive. Takes the
    size of the table in free space. A search that began before may have to be asked again.

    Raises:
        LibraryFormatError: a row or file is damaged; nothing has changed.
        LibraryLockedError: another process is writing.
    """
    before = folder.bytes_on_disk()
    with folder.writing():
        fields = folder.read_manifest().fields
        seals.refuse_damaged(folder)
        table.overwrite(folder.store, fields, table.checked(table.every_row(folder.store), fields))
        index.optimize(keep_seconds=0)
        table.drop_old_versions(folder.store)
        folder.drop_pictures(index.pictures())
        Feedback(folder.path).forget({document.id for document in index.documents()})
        leftovers.clear(folder)
        seals.renew(folder)
    return CompactionReport(
        before,
        folder.bytes_on_disk(),
        tuple(info.name for info in snapshots.saved(folder)),
        (folder.path / "quarantine").is_dir(),
    )
