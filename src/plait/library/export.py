"""A whole library in one file, and back.

The file is a tar archive, which any tar reads, and 80 bytes after its end: "plait export 1 ", the BLAKE2b of
all before in hex, a newline. In the archive, in this order:

    plait-export.json       format, library.json, counts
    settings.toml           if the library has one
    rows/000000.arrow ...   Arrow streams of the table's rows
    pictures/ab/...         as in the library
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa

from plait.errors import InputError, LibraryError, LibraryFormatError, MissingPathError, PlaitError
from plait.index import rows
from plait.library import seals, snapshots, table
from plait.library.folder import LibraryFolder, write_durably
from plait.library.manifest import FORMAT, Manifest
from plait.library.reports import Progress, ProgressCallback
from plait.schema import Unit

EXPORT_FORMAT = 1
_MARK = b"plait export "
_END = 80
_PICTURE = re.compile(r"pictures/([0-9a-f]{2})/(\1[0-9a-f]{62})\.[A-Za-z0-9]{1,8}")
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export or import carried.

    Attributes:
        missing_pictures: sha256 of pictures that the library has lost, so that the file lacks them.
        bytes: size of the file.
        seconds: wall time.
    """

    documents: int
    units: int
    pictures: int
    missing_pictures: tuple[str, ...]
    bytes: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def export(
    folder: LibraryFolder, file: Path, *, force: bool = False, progress: ProgressCallback | None = None
) -> ExportReport:
    """Write a library, as it is at this moment, into one file; others may write meanwhile.

    The file appears when it is whole, under its name; until then it has another.

    Args:
        force: replace a file that is there.

    Raises:
        InputError: there is a file of that name.
        LibraryError: the library is damaged or empty, or the file cannot be written.
    """
    if file.exists() and not force:
        raise InputError(f"{file} exists: choose another name, or overwrite it with --force")
    started = time.monotonic()
    folder.read_manifest()
    with ExitStack() as stack:
        try:
            source = stack.enter_context(snapshots.cloned(folder))
        except LibraryError:
            if os.access(folder.path, os.W_OK):
                raise
            seals.refuse_damaged(folder)
            source = folder  # nobody can write here, so it stays as it is
        partial, name = stack.enter_context(_partial(file))
        counts = _write(source, partial, progress)
        os.replace(name, file)
    return ExportReport(*counts, os.path.getsize(file), time.monotonic() - started)


def import_from(file: Path, folder: str | Path, *, progress: ProgressCallback | None = None) -> ExportReport:
    """Make a library in `folder` out of an exported file, all or nothing.

    Every byte is compared with its checksums before the library appears. Those tell damage, not who wrote the
    file.

    Raises:
        MissingPathError: there is no such file.
        LibraryFormatError: it is no export, is damaged, or a newer plait wrote it.
        LibraryError: there is a library in `folder` already, or it cannot be written.
    """
    started = time.monotonic()
    if not file.is_file():
        raise MissingPathError(f"{file}: no such file; check the spelling")
    target = LibraryFolder.at(folder).path
    if target.is_dir() and any(target.iterdir()):
        raise LibraryError(f"there is a library at {target}: name another folder with --library")
    _verify(file)
    with _explained(f"cannot make the library {target}"):
        target.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=target.parent, prefix=".plait-importing-"))
        try:
            counts = _Import(LibraryFolder(making), progress).run(file)
            making.chmod(0o755)
            os.rename(making, target)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return ExportReport(*counts, os.path.getsize(file), time.monotonic() - started)


Counts = tuple[int, int, int, tuple[str, ...]]


def _write(source: LibraryFolder, file: IO[bytes], progress: ProgressCallback | None) -> Counts:
    hashed = _Hashed(file)
    manifest = replace(source.read_manifest(), format=FORMAT)
    documents = sum(1 for _ in seals.catalogue(source))
    wanted: set[str] = set()
    units = pictures = 0
    with tarfile.open(fileobj=cast("IO[bytes]", hashed), mode="w|", format=tarfile.GNU_FORMAT) as tar:
        head = {"format": EXPORT_FORMAT, "library": manifest.to_json(), "documents": documents}
        _put(tar, "plait-export.json", json.dumps(head).encode())
        settings = source.path / "settings.toml"
        if settings.is_file():
            _put(tar, "settings.toml", settings.read_bytes())
        every = table.checked(table.every_row(source.store), manifest.fields)
        for part, some in enumerate(every):
            _put(tar, f"rows/{part:06}.arrow", _stream(some))
            units += sum(ordinal >= 0 for ordinal in some["ordinal"].to_pylist())
            wanted.update(*some["pictures"].to_pylist())
            _tell(progress, units, 0, f"{units:,} units")
        for picture in sorted((source.path / "pictures").glob("*/*")):
            data = picture.read_bytes()
            if picture.stem in wanted and hashlib.sha256(data).hexdigest() == picture.stem:
                _put(tar, picture.relative_to(source.path).as_posix(), data)
                wanted.discard(picture.stem)
                pictures += 1
                _tell(progress, pictures, pictures + len(wanted), f"{pictures:,} pictures")
    file.write(_MARK + f"{EXPORT_FORMAT} {hashed.digest()}\n".encode())
    file.flush()
    os.fsync(file.fileno())
    return documents, units, pictures, tuple(sorted(wanted))


def _put(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _stream(some: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, some.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(some)
    made: bytes = sink.getvalue().to_pybytes()
    return made


def _verify(file: Path) -> None:
    """Refuse a file that is not, to the last bit, what an export of a known format wrote."""
    with _explained(f"cannot read {file}"), file.open("rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        opened.seek(max(0, size - _END))
        words = opened.read().removeprefix(_MARK).split(b" ")
        if size <= _END or len(words) != 2 or len(words[1]) != 65 or not words[1].endswith(b"\n"):
            raise LibraryFormatError(f"{file} is no plait export, or was cut short: take another copy of it")
        opened.seek(0)
        digest = _Hashed(opened)
        left = size - _END
        while left:
            left -= len(digest.read(min(_BLOCK, left)))
        if words[0].isdigit() and int(words[0]) > EXPORT_FORMAT:
            raise _newer(file, int(words[0]))
        if (
            words[0] != b"%d" % EXPORT_FORMAT
            or words[1].strip().decode("ascii", "replace") != digest.digest()
        ):
            raise LibraryFormatError(f"{file} is damaged: its checksum does not fit; take another copy of it")


class _Import:
    """One import under way, into a folder that nobody looks at yet."""

    def __init__(self, folder: LibraryFolder, progress: ProgressCallback | None) -> None:
        self._folder = folder
        self._progress = progress
        self._wanted: set[str] = set()
        self._units = self._pictures = 0

    def run(self, file: Path) -> Counts:
        with tarfile.open(file, mode="r|") as tar:
            members = ((member.name, _content(tar, member)) for member in tar)
            name, head = next(members, ("", b""))
            if name != "plait-export.json":
                raise LibraryFormatError(f"{file} is no plait export: it begins with {name!r}")
            values = json.loads(head)
            if int(values["format"]) > EXPORT_FORMAT:
                raise _newer(file, int(values["format"]))
            manifest = Manifest.from_json(values["library"])
            others: list[tuple[str, bytes]] = []
            self._folder.create()
            table.overwrite(
                self._folder.store,
                manifest.fields,
                table.checked(self._rows(members, others), manifest.fields),
            )
            for name, data in [*others, *members]:
                self._picture(name, data)
        self._folder.write_manifest(manifest)
        seals.renew(self._folder)
        return int(values["documents"]), self._units, self._pictures, tuple(sorted(self._wanted))

    def _rows(
        self, members: Iterator[tuple[str, bytes]], others: list[tuple[str, bytes]]
    ) -> Iterator[pa.Table]:
        """Yield rows until another part comes, which goes to `others`."""
        for name, data in members:
            if name == "settings.toml":
                write_durably(self._folder.path / name, data)
            elif name.startswith("rows/"):
                with pa.ipc.open_stream(data) as stream:
                    some = stream.read_all()
                some.validate(full=True)
                self._check_units(some)
                yield some
            else:
                others.append((name, data))
                return

    def _check_units(self, some: pa.Table) -> None:
        """Note which pictures are needed, and refuse rows that point outside the library."""
        units: list[Unit] = [rows.read_unit(text) for text in some["unit"].to_pylist() if text is not None]
        for picture in (picture for unit in units for picture in unit.pictures):
            match = _PICTURE.fullmatch(picture.path)
            if match is None or match.group(2) != picture.sha256:
                raise LibraryFormatError(f"a unit refers to a picture {picture.path!r}, outside the library")
            self._wanted.add(picture.sha256)
        self._units += len(units)
        _tell(self._progress, self._units, 0, f"{self._units:,} units")

    def _picture(self, name: str, data: bytes) -> None:
        match = _PICTURE.fullmatch(name)
        if match is None or hashlib.sha256(data).hexdigest() != match.group(2):
            raise LibraryFormatError(f"the export holds {name!r}, which is no picture of it")
        (self._folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        write_durably(self._folder.path / name, data)
        self._wanted.discard(match.group(2))
        self._pictures += 1
        _tell(self._progress, self._pictures, 0, f"{self._pictures:,} pictures")


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    opened = tar.extractfile(member)
    if opened is None:
        raise LibraryFormatError(f"the export holds {member.name!r}, which is no file")
    return opened.read()


class _Hashed:
    """A file whose bytes are hashed as they pass."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.blake2b(digest_size=32)

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        return self._file.write(data)

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        if not data:
            raise LibraryError("the file became shorter while it was read")
        self._hash.update(data)
        return data

    def digest(self) -> str:
        return self._hash.hexdigest()


@contextmanager
def _partial(file: Path) -> Iterator[tuple[IO[bytes], str]]:
    """Give a file, and its name, beside the one to be written; it goes at the end unless it was renamed."""
    with _explained(f"cannot write {file}"):
        handle, name = tempfile.mkstemp(dir=file.absolute().parent, prefix=f".{file.name}-")
        try:
            with os.fdopen(handle, "wb") as opened:
                os.fchmod(opened.fileno(), 0o644)
                yield opened, name
        finally:
            Path(name).unlink(missing_ok=True)


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn what reading and writing files raises into one line that names the file and the next step."""
    try:
        yield
    except OSError as error:
        raise LibraryError(f"{what}: {error.strerror or error}; check the disk and who owns it") from error
    except (ValueError, KeyError, TypeError, tarfile.TarError, pa.ArrowException) as error:
        if isinstance(error, PlaitError):
            raise
        raise LibraryFormatError(f"{what}: it is damaged ({error}); take another copy of it") from error


def _newer(file: Path, found: int) -> LibraryFormatError:
    return LibraryFormatError(
        f"{file} has export format {found}, this plait reads up to {EXPORT_FORMAT}: upgrade plait"
    )


def _tell(progress: ProgressCallback | None, done: int, total: int, what: str) -> None:
    if progress is not None:
        progress(Progress(done, max(done, total), what))
