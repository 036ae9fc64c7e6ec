"""Where an accepted file stays: beside the other uploads, in place of an earlier one of its name.

Each step may be done again after a crash at any moment, and leads to the same.
"""

from __future__ import annotations

import os
from pathlib import Path

from plait.data.whole_files import synced


class Place:
    """Where one accepted file goes.

    Args:
        held: the file as it was accepted.
        folder: of the uploads.
        id: of the job, by which what was there before is kept meanwhile.
    """

    def __init__(self, held: Path, folder: Path, id: str) -> None:
        self._held = held
        self.target = folder / held.name
        self._before = folder / f"{BEFORE}{id}"

    def take(self) -> None:
        """Put the accepted file in its place, and keep aside what was there.

        Raises:
            OSError: the disk is full, or the accepted file is gone.
        """
        self.target.parent.mkdir(mode=0o700, exist_ok=True)
        if _is_there(self.target):
            if os.path.samefile(self.target, self._held):
                return
            self._before.unlink(missing_ok=True)
            os.link(self.target, self._before)
        coming = self._before.with_name(f"{self._before.name}.new")
        coming.unlink(missing_ok=True)
        os.link(self._held, coming)
        os.replace(coming, self.target)
        synced(self.target.parent)

    def give_back(self) -> None:
        """Put back what was there before; nothing, if nothing was."""
        if _is_there(self._before):
            os.replace(self._before, self.target)
        elif _is_there(self._held) and _is_there(self.target) and os.path.samefile(self.target, self._held):
            self.target.unlink()

    def settle(self) -> None:
        """Let go of what was there before, and of the accepted file's first name."""
        self._before.unlink(missing_ok=True)
        let_go(self._held)


BEFORE = ".before-"


def let_go(held: Path) -> None:
    """Delete an accepted file's first name, and its folder."""
    held.unlink(missing_ok=True)
    if held.parent.is_dir():
        held.parent.rmdir()


def _is_there(file: Path) -> bool:
    return os.path.lexists(file)
