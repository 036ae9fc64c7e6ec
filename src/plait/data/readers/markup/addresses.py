"""Image addresses of a page to pictures: only files below the added folder, and data: addresses."""

from __future__ import annotations

import base64
import binascii
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, unquote_to_bytes

from plait.data.readers.base import ReadLimits, ReadTask
from plait.data.readers.pictures import BadPictureError, PictureStore
from plait.errors import MissingExtraError
from plait.schema import Picture

SMALLEST_SIDE_PX = 24
_LONGEST_KEPT = 500
_LARGEST_DRAWING = 32 * 2**20
_ELSEWHERE = "not stored beside the page (nothing is fetched from elsewhere)"
_SVG_HEAD = re.compile(rb"^(?:\xef\xbb\xbf)?\s*(?:<\?xml|<!--|<!doctype\s+svg|<svg[\s>])", re.I)
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
        limits: `max_pixels` and `max_file_mb` hold for each picture.
    """

    def __init__(self, task: ReadTask, limits: ReadLimits) -> None:
        self._folder = os.path.realpath(task.path.parent)
        self._root = os.path.realpath(task.root)
        self._spool = str(task.spool)
        self._max_pixels = limits.max_pixels
        self._max_bytes = limits.max_file_mb * 2**20
        self._seen: dict[str, Picture | None] = {}
        self._left_out: Counter[str] = Counter()

    def __call__(self, address: str) -> Picture | None:
        """Return the picture at an address; None if it is decoration or cannot be used."""
        key = (
            address
            if len(address) <= _LONGEST_KEPT
            else sha256(address.encode("utf-8", "replace")).hexdigest()
        )
        if key not in self._seen:
            try:
                self._seen[key] = self._load(address.strip())
            except BadPictureError as error:
                self._left_out[str(error)] += 1
                self._seen[key] = None
        return self._seen[key]

    @property
    def warnings(self) -> list[str]:
        """One sentence for each reason that pictures were left out."""
        return [
            f"left out {count} picture{'s' if count > 1 else ''}: {reason}"
            for reason, count in sorted(self._left_out.items())
        ]

    def _load(self, address: str) -> Picture | None:
        if address[:5].lower() == "data:":
            picture = kept(_data_of(address), spool=Path(self._spool), max_pixels=self._max_pixels)
        else:
            picture = self._beside(address)
        return None if min(picture.width_px, picture.height_px) < SMALLEST_SIDE_PX else picture

    def _beside(self, address: str) -> Picture:
        """Return the picture that an address within the document means.

        Raises:
            BadPictureError: it cannot be used.
        """
        path = self._path_of(address)
        status = os.stat(path)
        if status.st_size > self._max_bytes:
            raise BadPictureError("the file is too large")
        arguments = (path, status.st_mtime_ns, status.st_size, self._spool, self._max_pixels)
        picture = _kept_file(*arguments)
        # Who read the document before may have taken the file out of the spool.
        return picture if os.path.exists(picture.path) else _kept_file.__wrapped__(*arguments)

    def _path_of(self, address: str) -> str:
        path = os.path.realpath(os.path.join(self._folder, plain_path(address).replace("\0", "")))
        if os.path.commonpath((path, self._root)) != self._root:
            raise BadPictureError("outside the folder that was added")
        if not os.path.isfile(path):
            raise BadPictureError("the file is missing")
        return path


class MemberPictures(PictureLoader):
    """Gives the pictures that lie within a document: members of an e-book, parts of a message.

    Args:
        task: the document.
        limits: see `PictureLoader`.
        fetch: gives the bytes at an address; None if there are none.
    """

    def __init__(self, task: ReadTask, limits: ReadLimits, fetch: Callable[[str], bytes | None]) -> None:
        super().__init__(task, limits)
        self._fetch = fetch

    def _beside(self, address: str) -> Picture:
        data = self._fetch(address)
        if data is None:
            if _SCHEME.match(address) and not address.lower().startswith("cid:"):
                raise BadPictureError(_ELSEWHERE)
            raise BadPictureError("not in the file")
        return kept(data, spool=Path(self._spool), max_pixels=self._max_pixels)


def kept(data: bytes, *, spool: Path, max_pixels: int) -> Picture:
    """Keep an encoded picture, or an SVG drawing as the picture it is drawn to.

    Raises:
        BadPictureError: it cannot be decoded or drawn, or is too large.
    """
    if data.startswith(b"\x1f\x8b"):
        data = _unpacked(data)
    if _SVG_HEAD.search(data[:1000]):
        from plait.data.readers.markup.drawing import drawing_of, drawn

        return drawn(drawing_of(data, max_pixels=max_pixels), spool=spool, max_pixels=max_pixels)
    try:
        return PictureStore(spool, max_pixels=max_pixels).keep(data)
    except MissingExtraError as error:
        raise BadPictureError(str(error)) from error


def plain_path(address: str) -> str:
    """Return the path that a relative address names, without its query and fragment.

    Raises:
        BadPictureError: it names another place.
    """
    if _SCHEME.match(address):
        raise BadPictureError(_ELSEWHERE)
    return unquote(address.partition("#")[0].partition("?")[0])


@lru_cache(maxsize=512)
def _kept_file(path: str, _changed_ns: int, _bytes: int, spool: str, max_pixels: int) -> Picture:
    """Keep a picture file; the same one shown by many pages is decoded once a process."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise BadPictureError("the file cannot be read") from error
    return kept(data, spool=Path(spool), max_pixels=max_pixels)


def _unpacked(data: bytes) -> bytes:
    """Unpack a drawing that was packed by gzip (".svgz")."""
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = inflate.decompress(data, _LARGEST_DRAWING + 1)
    except zlib.error as error:
        raise BadPictureError("not a picture, or a damaged one") from error
    if len(plain) > _LARGEST_DRAWING:
        raise BadPictureError("an SVG drawing that is too large")
    return plain


def _data_of(address: str) -> bytes:
    head, _, body = address.partition(",")
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return base64.b64decode("".join(unquote(body).split()) + "==", validate=False)
    except (binascii.Error, ValueError) as error:
        raise BadPictureError("a data: address that cannot be decoded") from error
