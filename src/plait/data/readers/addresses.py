"""Image addresses of a page to pictures: only files below the added folder, and data: addresses."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, unquote_to_bytes

from plait.data.readers.base import ReadTask
from plait.data.readers.pictures import BadPictureError, PictureStore
from plait.schema import Picture

SMALLEST_SIDE_PX = 24
_SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.I)


class Pictures(Protocol):
    """Gives the pictures of one document's image addresses."""

    def __call__(self, address: str) -> Picture | None:
        """Return the picture at an address; None if it is decoration or cannot be used."""
        ...

    @property
    def warnings(self) -> list[str]:
        """One sentence for each reason that pictures were left out."""
        ...


class PictureLoader:
    """Gives the pictures that lie beside a page, and counts what it had to leave out.

    Args:
        task: the page; relative addresses start at its folder and must stay inside its root.
        max_pixels: larger pictures are refused before they are decoded.
        max_file_mb: larger picture files are refused unread.
    """

    def __init__(self, task: ReadTask, *, max_pixels: int, max_file_mb: int) -> None:
        self._folder = os.path.realpath(task.path.parent)
        self._root = os.path.realpath(task.root)
        self._spool = str(task.spool)
        self._max_pixels = max_pixels
        self._max_bytes = max_file_mb * 2**20
        self._seen: dict[str, Picture | None] = {}
        self._left_out: Counter[str] = Counter()

    def __call__(self, address: str) -> Picture | None:
        """Return the picture at an address; None if it is decoration or cannot be used."""
        if address not in self._seen:
            try:
                self._seen[address] = self._load(address.strip())
            except BadPictureError as error:
                self._left_out[str(error)] += 1
                self._seen[address] = None
        return self._seen[address]

    @property
    def warnings(self) -> list[str]:
        """One sentence for each reason that pictures were left out."""
        return [
            f"left out {count} picture{'s' if count > 1 else ''}: {reason}"
            for reason, count in sorted(self._left_out.items())
        ]

    def _load(self, address: str) -> Picture | None:
        if address[:5].lower() == "data:":
            picture = PictureStore(Path(self._spool), max_pixels=self._max_pixels).keep(_data_of(address))
        else:
            path = self._path_of(address)
            status = os.stat(path)
            if status.st_size > self._max_bytes:
                raise BadPictureError("the file is too large")
            picture = _kept(path, status.st_mtime_ns, status.st_size, self._spool, self._max_pixels)
        return None if min(picture.width_px, picture.height_px) < SMALLEST_SIDE_PX else picture

    def _path_of(self, address: str) -> str:
        if _SCHEME.match(address):
            raise BadPictureError("not stored beside the page (nothing is fetched from elsewhere)")
        plain = unquote(address.partition("#")[0].partition("?")[0])
        if plain.lower().endswith((".svg", ".svgz")):
            raise BadPictureError("SVG drawings are not supported")
        path = os.path.realpath(os.path.join(self._folder, plain.replace("\0", "")))
        if os.path.commonpath((path, self._root)) != self._root:
            raise BadPictureError("outside the folder that was added")
        if not os.path.isfile(path):
            raise BadPictureError("the file is missing")
        return path


@lru_cache(maxsize=512)
def _kept(path: str, _changed_ns: int, _bytes: int, spool: str, max_pixels: int) -> Picture:
    """Keep a picture file; the same one shown by many pages is decoded once a process."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise BadPictureError("the file cannot be read") from error
    if data[:512].lstrip()[:5].lower() in (b"<?xml", b"<svg "):
        raise BadPictureError("SVG drawings are not supported")
    return PictureStore(Path(spool), max_pixels=max_pixels).keep(data)


def _data_of(address: str) -> bytes:
    head, _, body = address.partition(",")
    if "svg" in head.lower():
        raise BadPictureError("SVG drawings are not supported")
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return base64.b64decode("".join(unquote(body).split()) + "==", validate=False)
    except (binascii.Error, ValueError) as error:
        raise BadPictureError("a data: address that cannot be decoded") from error
