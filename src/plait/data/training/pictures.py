"""Pictures of training rows: found inside one folder, or kept in one when they come as bytes."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import warnings
from pathlib import Path

from PIL import Image as PillowImage

from plait.errors import InputError, MissingPathError

# What Pillow raises on headers that are damaged.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, KeyError, OverflowError)


class PictureFolder:
    """Finds pictures by the addresses that rows give, and none outside its folder.

    Args:
        root: addresses are relative to it; absolute ones must lie in it.
        headers: also read each file's header; else only its existence and size are looked at, which is
            three times faster, and more on disks that must seek.

    Raises:
        MissingPathError: there is no such folder.
    """

    def __init__(self, root: str | Path, *, headers: bool = False) -> None:
        if not Path(root).is_dir():
            raise MissingPathError(
                f"{root}: no such folder; expected the one that pictures' paths start from"
            )
        self.root = os.path.realpath(root)
        self.headers = headers

    def find(self, address: str) -> str:
        """Return the absolute path of a picture, links followed; "" of no address.

        Raises:
            InputError: it leads out of the folder, is missing, empty or no file, or, where headers are
                read, no picture.
        """
        if not address:
            return ""
        if address.startswith(("http://", "https://", "data:")):
            raise InputError(f"image {address!r:.80} is no path: save the picture, nothing is fetched")
        if "\0" in address:
            raise InputError(f"image {address!r:.80} is no path: it holds a null byte")
        path = os.path.realpath(os.path.join(self.root, address))
        if os.path.commonpath((path, self.root)) != self.root:
            raise InputError(f"image {address!r:.200} leads out of the folder of pictures, {self.root!r}")
        try:
            state = os.stat(path)
        except FileNotFoundError as error:
            raise InputError(f"image {address!r:.200} does not exist in {self.root!r}") from error
        except OSError as error:
            raise InputError(f"image {address!r:.200} cannot be read ({error.strerror})") from error
        if not stat.S_ISREG(state.st_mode) or not state.st_size:
            raise InputError(f"image {address!r} is {'an empty file' if not state.st_size else 'no file'}")
        if self.headers:
            _check_header(path, address)
        return path


class PictureStore:
    """Keeps pictures that come as bytes in a folder, each content once, so that rows can name them.

    Args:
        folder: made when the first one comes.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(os.path.abspath(folder))

    def keep(self, data: bytes) -> str:
        """Return the absolute path of a file that holds these bytes, as they are.

        Raises:
            InputError: there are none.
            OSError: it cannot be written.
        """
        if not data:
            raise InputError("an image of 0 bytes")
        digest = hashlib.sha256(data).hexdigest()
        target = self.folder / digest[:2] / digest
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(target, data)
        return str(target)


def _check_header(path: str, address: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd or large files: whether they can be used is ours to say
            with PillowImage.open(path) as picture:
                picture.size  # noqa: B018  # some formats find their size only now
    except (*_DAMAGED, PillowImage.DecompressionBombError) as error:
        raise InputError(f"image {address!r} is no picture that can be read, or a damaged one") from error


def _write_whole(target: Path, data: bytes) -> None:
    """Write a file that is there wholly or not at all."""
    handle, part = tempfile.mkstemp(dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(part, target)
    except BaseException:
        os.unlink(part)
        raise
