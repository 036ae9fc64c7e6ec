"""What interrupted writers left in a library folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from filelock import FileLock, Timeout

from plait.library.folder import LibraryFolder

IN_USE = "in-use"  # held in the folder of a snapshot that is being made


def leftovers(folder: LibraryFolder) -> list[Path]:
    """Return files and folders that nobody uses any more. The caller holds the writers' lock."""
    found = [path for name in ("spool", "mending") if (path := folder.path / name).exists()]
    hidden = [folder.path / "snapshots", *_hiding(folder)]
    found += [path for place in hidden for path in sorted(place.glob(".new-*")) if _is_stale(path)]
    return found


def clear(folder: LibraryFolder) -> int:
    """Delete them; return how many there were. The caller holds the writers' lock."""
    found = leftovers(folder)
    for path in found:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(found)


def _hiding(folder: LibraryFolder) -> list[Path]:
    """Return the folders in which files are written under another name first."""
    below = [path for name in ("pictures", "copies") for path in (folder.path / name).rglob("*")]
    return [folder.path, folder.path / "copies", *(path for path in below if path.is_dir())]


def _is_stale(path: Path) -> bool:
    if not path.is_dir():
        return True
    try:
        with FileLock(path / IN_USE).acquire(timeout=0):
            return True
    except Timeout:
        return False
    except OSError:
        return True
