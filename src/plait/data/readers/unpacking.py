"""ZIP files that others made: their members under names that are safe, unpacked within limits.

A member counts by the bytes it gives, not by those it declares; members that share bytes, which is how a
small file holds a thousandfold of itself, are refused.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from plait.data.readers.base import ReadLimits, ReadTask
from plait.data.readers.xml_trees import declares_entities
from plait.errors import ReadError

_CHUNK = 1 << 20
_LOCAL_HEAD = 30
_MARK = b"PK\x03\x04"
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1
# Deflate packs at most 1032 : 1; text, tables and drawings that people keep stay far below this.
_LARGEST_RATIO = 250
_FREE_OF_RATIO = 64 * 2**20
_LONGEST_INDEX = 32 * 2**20
_DEEPEST = 32
_LONGEST_PART_BYTES = 180
_XML_SUFFIXES = (".xml", ".rels", ".opf", ".ncx")
_PACKED_WELL = "unpacks to {ratio:,.0f} times its size, as files do that are made to fill a disk"
_UNPACK_ELSEWHERE = "unpack it by other means, and add what is of use"
_DAMAGED = "copy or download it again"


class TooMuchError(ReadError):
    """A ZIP file that would unpack to more than it may."""


class Members:
    """The members of one ZIP file: a context manager.

    Folders, links, and members whose names point elsewhere ("../x", "/x", "C:x") are left out and counted;
    of two with the same name the later one is read, as by other programs.

    Args:
        task: the file; errors carry its source.
        limits: `max_unpacked_mb` holds for all that is read from it together.

    Raises:
        ReadError: not a ZIP file, damaged, or made to unpack to far more than it holds.
    """

    def __init__(self, task: ReadTask, limits: ReadLimits) -> None:
        self._source = task.source
        self._most = limits.max_unpacked_mb * 2**20
        self._unpacked = 0
        self._file: BinaryIO = task.path.open("rb")
        try:
            self._infos = _index(self._file, task.source)
            self._ends = _ends(self._infos, self._file, task.source)
            self._check_sizes()
        except BaseException:
            self._file.close()
            raise
        self._left_out: Counter[str] = Counter()
        self._by_name = self._named()

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, with "/" between folders, in the order in which they are stored."""
        return tuple(self._by_name)

    @property
    def warnings(self) -> list[str]:
        """One sentence for each reason that members were left out."""
        return [
            f"left out {count} member{'s' if count > 1 else ''}: {reason}"
            for reason, count in sorted(self._left_out.items())
        ]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __enter__(self) -> Members:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def size(self, name: str) -> int:
        """Return how many bytes a member declares; one that gives others cannot be read."""
        return self._by_name[name].file_size

    def is_encrypted(self, name: str) -> bool:
        """Tell whether a member needs a password."""
        return bool(self._by_name[name].flag_bits & _ENCRYPTED)

    def read(self, name: str, *, max_mb: int = 256) -> bytes:
        """Return a member's bytes.

        Args:
            name: one of `names`.
            max_mb: larger members are refused.

        Raises:
            ReadError: encrypted, damaged, packed in an unknown way, or too large.
            KeyError: there is none of that name.
        """
        info = self._by_name[name]
        if info.file_size > max_mb * 2**20:
            reason = f"{name!r} in it has {info.file_size / 2**20:.0f} MB, more than {max_mb} MB"
            raise TooMuchError(self._source, reason, _UNPACK_ELSEWHERE)
        return b"".join(self._chunks(info))

    def copy(self, name: str, target: Path) -> None:
        """Write a member into a new file; see `read` for errors. A part of a broken one is removed."""
        try:
            with target.open("xb") as file:
                for chunk in self._chunks(self._by_name[name]):
                    file.write(chunk)
        except ReadError:
            target.unlink(missing_ok=True)
            raise

    def check(self) -> None:
        """Unpack every member, keeping nothing, and refuse XML that declares entities.

        Raises:
            ReadError: see `read`.
        """
        for name, info in self._by_name.items():
            head = b""
            for chunk in self._chunks(info):
                head = head or chunk
            if name.lower().endswith(_XML_SUFFIXES) and declares_entities(head):
                raise ReadError(self._source, f"{name!r} in it declares XML entities", _DAMAGED)

    def _check_sizes(self) -> None:
        packed = sum(info.compress_size for info in self._infos)
        declared = sum(info.file_size for info in self._infos)
        if declared > self._most:
            self._refuse_size(declared)
        if declared > _FREE_OF_RATIO and declared > packed * _LARGEST_RATIO:
            reason = _PACKED_WELL.format(ratio=declared / max(1, packed))
            raise TooMuchError(self._source, reason, _UNPACK_ELSEWHERE)

    def _refuse_size(self, size: int) -> None:
        most = self._most // 2**20
        reason = f"unpacks to {size / 2**20:.0f} MB, more than the limit of {most} MB"
        raise TooMuchError(self._source, reason, "unpack it and add its files, or raise max_unpacked_mb")

    def _named(self) -> dict[str, zipfile.ZipInfo]:
        named: dict[str, zipfile.ZipInfo] = {}
        for info in self._infos:
            if not info.filename or info.is_dir():
                continue
            if stat.S_ISLNK(info.external_attr >> 16):
                self._left_out["a link"] += 1
                continue
            name = safe_name(_name_of(info))
            if name is None:
                self._left_out["its name points out of the archive"] += 1
                continue
            if named.pop(name, None) is not None:
                self._left_out["a later one has the same name"] += 1
            named[name] = info
        return named

    def _chunks(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """Yield a member's bytes, a megabyte at a time, while its length stays the one it declares."""
        if info.flag_bits & _ENCRYPTED:
            raise ReadError(self._source, "password-protected", "remove the password, then add it again")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            reason = f"packed in a way that is not read (method {info.compress_type})"
            raise ReadError(self._source, reason, "pack it again, by deflate as usual")
        given, checksum = 0, 0
        try:
            for chunk in _inflated(self._packed(info), packed=info.compress_type == zipfile.ZIP_DEFLATED):
                given += len(chunk)
                self._unpacked += len(chunk)
                if given > info.file_size:
                    break
                if self._unpacked > self._most:
                    self._refuse_size(self._unpacked)
                checksum = zlib.crc32(chunk, checksum)
                yield chunk
        except zlib.error as error:
            raise self._damaged(info) from error
        if given != info.file_size or checksum != info.CRC:
            raise self._damaged(info)

    def _packed(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """Yield a member's bytes as they are stored."""
        self._file.seek(info.header_offset)
        head = self._file.read(_LOCAL_HEAD)
        if len(head) < _LOCAL_HEAD or not head.startswith(_MARK):
            raise self._damaged(info)
        at = info.header_offset + _LOCAL_HEAD + sum(struct.unpack("<HH", head[26:30]))
        end = at + info.compress_size
        if end > self._ends[info.header_offset]:
            raise self._damaged(info)
        while at < end:
            self._file.seek(at)  # each time: another member may have been read in between
            chunk = self._file.read(min(_CHUNK, end - at))
            if not chunk:
                raise self._damaged(info)
            at += len(chunk)
            yield chunk

    def _damaged(self, info: zipfile.ZipInfo) -> ReadError:
        return ReadError(self._source, f"{printable(info.filename)!r} in it is damaged", _DAMAGED)


def check_zip(task: ReadTask, limits: ReadLimits) -> None:
    """Unpack a ZIP file once, keeping nothing, before a library opens it that has no limits.

    Raises:
        ReadError: it would unpack to more than it may, is damaged or encrypted, holds members that share
            bytes, or XML that declares entities.
    """
    with Members(task, limits) as members:
        members.check()


def safe_name(name: str) -> str | None:
    """Return a member's name as one relative path of plain parts; None if it points elsewhere.

    "\\" parts folders as "/" does, since old programs of Windows write it; characters that control a
    terminal become "_"; what is too long for a file system is shortened.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    absolute = name.startswith(("/", "\\")) or name[1:2] == ":"
    if not parts or absolute or ".." in parts or len(parts) > _DEEPEST:
        return None
    return "/".join(_shortened(printable(part)) for part in parts)


def printable(text: str) -> str:
    """Return text in which every character can be shown in a terminal, on one line."""
    return "".join(c if c.isprintable() else "_" for c in text)


def _shortened(part: str) -> str:
    """Return the part of a path with no more bytes than file systems take; its suffix stays."""
    data = part.encode()
    if len(data) <= _LONGEST_PART_BYTES:
        return part
    suffix = Path(part).suffix.encode()[-20:]
    return (data[: _LONGEST_PART_BYTES - len(suffix)] + suffix).decode(errors="ignore")


def _name_of(info: zipfile.ZipInfo) -> str:
    """Return a member's name; many programs write UTF-8 without saying so."""
    if info.flag_bits & _UTF8_NAME:
        return info.filename
    try:
        return info.filename.encode("cp437").decode()
    except UnicodeError:
        return info.filename


def _index(file: BinaryIO, source: str) -> list[zipfile.ZipInfo]:
    """Return what the file lists, in the order in which it is stored."""
    length = _index_bytes(file)
    if length > _LONGEST_INDEX:
        reason = f"lists more members than are read (a list of {length / 2**20:.0f} MB)"
        raise TooMuchError(source, reason, _UNPACK_ELSEWHERE)
    try:
        with zipfile.ZipFile(file) as archive:
            return sorted(archive.infolist(), key=lambda info: info.header_offset)
    except UnicodeDecodeError as error:
        raise ReadError(source, "has names that are not valid text", _UNPACK_ELSEWHERE) from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, struct.error, OSError) as error:
        reason = "a ZIP file that is cut off, or damaged"
        raise ReadError(source, reason, _DAMAGED) from error


def _index_bytes(file: BinaryIO) -> int:
    """Return the length of the list of members, as the file's end tells it; 0 if it tells none."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 22 - 65_535))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + 22 > len(tail):
        return 0
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    # Where the field is full, the 64-bit record before it has the length: no more than the file's own.
    return length if length != 0xFFFFFFFF else size


def _ends(infos: list[zipfile.ZipInfo], file: BinaryIO, source: str) -> dict[int, int]:
    """Return where the bytes of each member must end, by where they begin."""
    size = file.seek(0, 2)
    starts = [info.header_offset for info in infos]
    following = [*starts[1:], size][: len(starts)]
    for info, end in zip(infos, following, strict=True):
        if info.header_offset < 0:
            raise ReadError(source, "a ZIP file that is cut off, or damaged", _DAMAGED)
        if info.header_offset + _LOCAL_HEAD + info.compress_size > end:
            raise ReadError(source, "a ZIP file whose members share their bytes", _UNPACK_ELSEWHERE)
    return dict(zip(starts, following, strict=True))


def _inflated(stored: Iterator[bytes], *, packed: bool) -> Iterator[bytes]:
    """Yield unpacked bytes, never more than a megabyte at a time."""
    if not packed:
        yield from stored
        return
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    for chunk in stored:
        while chunk and not inflate.eof:
            yield inflate.decompress(chunk, _CHUNK)
            chunk = inflate.unconsumed_tail
    while not inflate.eof and (rest := inflate.decompress(inflate.unconsumed_tail, _CHUNK)):
        yield rest
    if not inflate.eof:
        raise zlib.error("cut off")
