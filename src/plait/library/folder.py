"""The library folder on disk: where things lie, what wrote it, and who may write now.

.plait/
├── library.json    format version, model name and fingerprint, vector fields, language
├── settings.toml   optional; the user's own defaults
├── store/          the LanceDB table of units
├── pictures/ab/    figures and page images, named by the sha256 of their bytes
├── spool/          what readers write before it is stored; emptied by the next writer
├── lock            held by the one process that writes
├── feedback/       what people said of hits
└── of a service:   token, keys.json, audit/, uploads/ (files sent to it), jobs/ (those being added),
                    tenants/NAME/.plait, libraries of their own
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from filelock import FileLock, Timeout

from plait.errors import LibraryError, LibraryFormatError, LibraryLockedError, NoLibraryError
from plait.library.manifest import Manifest
from plait.schema import Picture

NAME = ".plait"
TENANTS = "tenants"  # folder of the libraries of a service's tenants


class LibraryFolder:
    """Paths, manifest, pictures and lock of one `.plait` folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def at(cls, folder: str | Path) -> LibraryFolder:
        """Return the library folder inside `folder`, or `folder` itself when it is a `.plait`."""
        root = Path(os.path.abspath(folder))
        return cls(root if root.name == NAME else root / NAME)

    @classmethod
    def find(cls, start: str | Path = ".") -> LibraryFolder:
        """Return the nearest library folder in `start` or a parent of it, as git finds its own.

        Raises:
            NoLibraryError: there is none.
        """
        here = Path(os.path.abspath(start))
        for folder in (here, *here.parents):
            if (folder / NAME).is_dir():
                return cls(folder / NAME)
        raise NoLibraryError(
            f"no library in {here} or above it: run  plait add PATH  there first, or name one with --library"
        )

    @property
    def root(self) -> Path:
        """The user's folder that holds the library."""
        return self.path.parent

    @property
    def store(self) -> Path:
        return self.path / "store"

    def exists(self) -> bool:
        return (self.path / "library.json").is_file()

    def create(self) -> None:
        """Make the folder.

        Raises:
            LibraryError: it cannot be made or written.
        """
        try:
            (self.path / "pictures").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(f"cannot make the library {self.path}: {_why(error)}") from error

    def read_manifest(self) -> Manifest:
        """Return what `library.json` says.

        Raises:
            NoLibraryError: there is no library here yet.
            LibraryError: the file cannot be read.
            LibraryFormatError: it is damaged, or a newer plait wrote it.
        """
        file = self.path / "library.json"
        try:
            return Manifest.from_json(file.read_text(encoding="utf-8"))
        except LibraryFormatError as error:
            raise LibraryFormatError(f"{self.path}: {error}") from error
        except FileNotFoundError as error:
            raise NoLibraryError(f"no library at {self.path}: run  plait add PATH  first") from error
        except OSError as error:
            raise LibraryError(f"cannot read the library {self.path}: {_why(error)}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise LibraryFormatError(
                f"{file} is damaged ({error}): run  plait doctor --repair, restore it from a backup, "
                f"or move {self.path} away and add again"
            ) from error

    def write_manifest(self, manifest: Manifest) -> None:
        """Write `library.json` so that a crash leaves the old or the new one, never half."""
        (self.path / "copies").mkdir(exist_ok=True)
        for file in (self.path / "copies" / "library.json", self.path / "library.json"):
            write_durably(file, manifest.to_json().encode())

    @contextmanager
    def writing(self, *, timeout_seconds: float = 10.0) -> Iterator[None]:
        """Hold the writers' lock.

        Raises:
            LibraryLockedError: another process has held it for `timeout_seconds`.
            LibraryError: the folder cannot be written.
        """
        lock = FileLock(str(self.path / "lock"))
        try:
            lock.acquire(timeout=timeout_seconds)
        except Timeout as error:
            raise LibraryLockedError(
                f"another process is writing to {self.path}: wait for it, or stop it, then try again"
            ) from error
        except OSError as error:
            raise LibraryError(f"cannot write to the library {self.path}: {_why(error)}") from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def spool(self) -> Iterator[Path]:
        """Give an empty folder for readers to write pictures into; it goes at the end.

        What an interrupted writer left behind goes too, so call it under `writing`.
        """
        spools = self.path / "spool"
        delete_folder(spools)
        try:
            spools.mkdir()
            yield Path(tempfile.mkdtemp(dir=spools))
        except OSError as error:
            raise LibraryError(f"cannot write to the library {self.path}: {_why(error)}") from error
        finally:
            delete_folder(spools)

    def keep_picture(self, picture: Picture) -> Picture:
        """Move a picture out of the spool, durably, and return it with its path inside the library.

        The stored path is relative to the library folder, so that the folder can be moved.
        """
        relative = self.picture_path(picture.sha256, Path(picture.path).suffix)
        target = self.path / relative
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            write_durably(target, Path(picture.path).read_bytes())
        return Picture(str(relative), picture.sha256, picture.width_px, picture.height_px)

    @staticmethod
    def picture_path(sha256: str, suffix: str) -> Path:
        """Return where a picture lies, relative to the library folder."""
        return Path("pictures") / sha256[:2] / f"{sha256}{suffix}"

    def drop_pictures(self, kept: set[str]) -> int:
        """Delete every stored picture whose sha256 is not in `kept`; return how many went."""
        gone = 0
        for file in (self.path / "pictures").glob("*/*"):
            if file.stem not in kept:
                file.unlink(missing_ok=True)
                gone += 1
        return gone

    def bytes_on_disk(self) -> int:
        """Return the size of everything in the folder; what snapshots share with it counts once.

        Tenants' libraries are others', and do not count.
        """
        own = (here for here in self.path.iterdir() if here.name != TENANTS)
        every = (file for here in own for file in ([here] if here.is_file() else here.rglob("*")))
        files = (file.stat() for file in every if file.is_file())
        return sum({(one.st_dev, one.st_ino): one.st_size for one in files}.values())


def delete_folder(path: Path) -> None:
    """Delete a folder and all that it holds; what resists stays.

    A thread does it, since Ctrl-C interrupts the main one only: rmtree that is interrupted just as it has
    closed a folder closes it again, which fails, or closes what another thread has opened meanwhile.
    """
    deleting = Thread(target=shutil.rmtree, args=(path,), kwargs={"ignore_errors": True})
    deleting.start()
    deleting.join()


def write_durably(target: Path, data: bytes) -> None:
    """Write a whole file under another name, flush it to disk, and rename it into place."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _why(error: OSError) -> str:
    """Return the system's reason and the next step."""
    if isinstance(error, PermissionError):
        return "permission denied; check who owns it, or choose another folder with --library"
    if isinstance(error, NotADirectoryError | FileExistsError):
        return "a file stands where the folder should be; move it away, or choose another folder"
    return f"{error.strerror or error}; check the disk, or choose another folder with --library"
