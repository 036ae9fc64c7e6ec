"""Named states of a library to go back to: each a library of its own, made of links to the same files.

A file of the store and a picture never change once written, so a link keeps them at no cost, and what is
later removed from the library stays in the snapshot. It is no backup: a damaged disk block damages both.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock

from plait.errors import InputError, LibraryError, LibraryFormatError, LibraryLockedError
from plait.index import rows
from plait.library import seals, table
from plait.library.examination import Examination
from plait.library.folder import LibraryFolder, write_durably
from plait.library.leftovers import IN_USE
from plait.library.manifest import FORMAT

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_TRIES = 5


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """One saved state.

    Attributes:
        saved_at: UTC, ISO 8601.
    """

    name: str
    saved_at: str
    documents: int
    units: int


def save(folder: LibraryFolder, name: str) -> SnapshotInfo:
    """Keep the library as it is now under a name. Others may write meanwhile.

    Raises:
        InputError: the name cannot be used, or is taken.
        LibraryError: there is nothing to keep, or it is damaged, or the folder cannot be written.
    """
    target = _place(folder, name)
    if target.exists():
        raise InputError(f"there is a snapshot {name!r} already: take another name, or delete it first")
    with cloned(folder, near=target) as clone:
        stored = [rows.read_document(text) for text in seals.catalogue(clone)]
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        info = SnapshotInfo(name, now, len(stored), sum(document.units for document in stored))
        write_durably(clone.path / "snapshot.json", json.dumps(asdict(info)).encode())
        (clone.path / IN_USE).unlink(missing_ok=True)
        os.rename(clone.path, target)
    return info


def saved(folder: LibraryFolder) -> list[SnapshotInfo]:
    """Return the snapshots there are, oldest first."""
    found = []
    for path in (folder.path / "snapshots").glob("[!.]*"):
        try:
            found.append(SnapshotInfo(**json.loads((path / "snapshot.json").read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError):
            found.append(SnapshotInfo(path.name, "unknown", 0, 0))
    return sorted(found, key=lambda one: (one.saved_at, one.name))


def restore(folder: LibraryFolder, name: str) -> SnapshotInfo:
    """Make the library what it was: in one commit, having verified every byte; searches go on.

    Raises:
        InputError: there is no such snapshot.
        LibraryFormatError: it is damaged, or of another model; nothing has changed.
        LibraryLockedError: another process is writing.
    """
    snapshot = _existing(folder, name)
    with folder.writing():
        manifest, now = snapshot.read_manifest(), folder.read_manifest()
        if replace(manifest, format=FORMAT) != replace(now, format=FORMAT):
            raise LibraryFormatError(
                f"the snapshot {name!r} was filled by {manifest.model}, the library by {now.model}"
            )
        diagnosis = (seen := Examination(snapshot)).run()
        if not diagnosis.is_healthy:
            raise LibraryFormatError(
                f"the snapshot {name!r} is damaged, nothing was changed: {diagnosis.problems[0]}"
            )
        if now.format != FORMAT:
            folder.write_manifest(replace(now, format=FORMAT))
        _link_pictures(snapshot.path, folder.path)
        table.overwrite(folder.store, manifest.fields, table.every_row(snapshot.store))
        seals.renew(folder)
        folder.drop_pictures(set(seen.pictures))
    return next(info for info in saved(folder) if info.name == name)


def delete(folder: LibraryFolder, name: str) -> None:
    """Forget a snapshot; the library stays as it is.

    Raises:
        InputError: there is no such snapshot.
    """
    path = _existing(folder, name).path
    hidden = path.with_name(f".new-{name}-deleted-{os.getpid()}")
    os.rename(path, hidden)
    shutil.rmtree(hidden, ignore_errors=True)


@contextmanager
def cloned(folder: LibraryFolder, *, near: Path | None = None) -> Iterator[LibraryFolder]:
    """Give the library of this moment as a folder of its own, which goes at the end unless it was renamed.

    Args:
        near: where it will be renamed to.

    Raises:
        LibraryError: there is nothing to keep, or it is damaged, or the folder cannot be written.
    """
    if seals.newest_manifest(folder) is None:
        folder.read_manifest()
        raise LibraryError(f"{folder.path} holds no documents yet: run  plait add PATH  first")
    snapshots = folder.path / "snapshots"
    try:
        snapshots.mkdir(exist_ok=True)
        path = Path(tempfile.mkdtemp(dir=snapshots, prefix=f".new-{near.name if near else 'export'}-"))
    except OSError as error:
        raise LibraryError(f"cannot write {snapshots}: {error.strerror}; check who owns it") from error
    try:
        with FileLock(path / IN_USE):
            clone = LibraryFolder(path)
            _clone_whole(folder, clone)
            yield clone
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _clone_whole(folder: LibraryFolder, clone: LibraryFolder) -> None:
    try:
        for _ in range(_TRIES):
            if _clone(folder, clone):
                return
            for part in ("store", "pictures", "copies"):
                shutil.rmtree(clone.path / part, ignore_errors=True)
    except OSError as error:
        raise LibraryError(f"cannot write {clone.path}: {error.strerror}; check the disk") from error
    raise LibraryLockedError(f"{folder.path} kept changing: wait for its writer, then try again")


def _clone(folder: LibraryFolder, clone: LibraryFolder) -> bool:
    """Copy and link what the newest version consists of; return whether all of its pictures were there."""
    manifest = folder.read_manifest()
    with table.changing(folder.store):
        known = seals.read(folder)
        used = [path for path in seals.sealed_files(folder) if seals.is_in_use(folder, path)]
        for path in used:
            _link(folder.path / path, clone.path / path, copy="/data/" not in path)
    clone.write_manifest(manifest)
    seals.adopt(clone, {path: seal for path, seal in known.items() if path in used})
    seals.refuse_damaged(clone)
    settings = folder.path / "settings.toml"
    if settings.is_file():
        shutil.copy2(settings, clone.path / "settings.toml")
    _link_pictures(folder.path, clone.path)
    seals.renew(clone)
    return _has_pictures(folder, clone)


def _has_pictures(folder: LibraryFolder, clone: LibraryFolder) -> bool:
    """Return False if a picture was deleted while it was to be linked: a newer version does without it."""
    there = {file.stem for file in (clone.path / "pictures").glob("*/*")}
    wanted: set[str] = set()
    for rows_of in table.every_row(clone.store, ["pictures"]):
        wanted.update(*rows_of["pictures"].to_pylist())
    kept = {sha256 for sha256 in wanted - there if _is_wanted_still(folder, clone)}
    for file in (clone.path / "pictures").glob("*/*"):
        if file.stem not in wanted:
            file.unlink()
    return wanted - there <= kept


def _is_wanted_still(folder: LibraryFolder, clone: LibraryFolder) -> bool:
    """Tell whether the library is still at the version that was cloned, so that a picture is simply lost."""
    now, then = seals.newest_manifest(folder), seals.newest_manifest(clone)
    return now is not None and then is not None and now.name == then.name


def _link_pictures(source: Path, target: Path) -> None:
    for file in (source / "pictures").glob("*/*"):
        place = target / file.relative_to(source)
        if not place.exists() and not file.name.startswith("."):
            _link(file, place)


def _link(source: Path, target: Path, *, copy: bool = False) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if copy:
            shutil.copyfile(source, target)
        else:
            os.link(source, target)
    except FileNotFoundError:
        return  # a picture that its writer has just dropped
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copyfile(source, target)  # a file system without links


def _place(folder: LibraryFolder, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot name a snapshot: use up to 64 letters, digits, dots, dashes and underscores"
        )
    return folder.path / "snapshots" / name


def _existing(folder: LibraryFolder, name: str) -> LibraryFolder:
    place = _place(folder, name)
    if not place.is_dir():
        known = ", ".join(info.name for info in saved(folder)) or "none"
        raise InputError(f"there is no snapshot {name!r}: there are {known}")
    return LibraryFolder(place)
