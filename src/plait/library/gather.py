"""Which files an `add` means: named files, what lies in named folders, and what fits a pattern."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import stat
from abc import abstractmethod
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

from plait.data.readers.base import IMAGE_SUFFIXES, SUBTITLE_SUFFIXES, VIDEO_SUFFIXES
from plait.errors import MissingPathError
from plait.library.ignoring import Rules
from plait.library.reports import Failure
from plait.library.sources import source_of as source_of
from plait.library.walking import Glob, Met, is_glob, kind_of_file, rules_at, walk


@dataclass(frozen=True, slots=True)
class Found:
    """One file to read.

    Attributes:
        path: absolute.
        source: its name in the library: relative to the library's root when inside it.
        root: the folder its pictures may come from.
        is_picture: a picture file met while walking a folder: left out where a document shows it.
        bytes: its size.
    """

    path: Path
    source: str
    root: Path
    is_picture: bool = False
    bytes: int = 0


class _Founds(Sequence[Found]):
    """Files of which each is made when it is asked for, by its place."""

    @abstractmethod
    def _at(self, place: int) -> Found:
        """Return the file at a place from 0 on."""

    @overload
    def __getitem__(self, place: int) -> Found: ...
    @overload
    def __getitem__(self, place: slice) -> list[Found]: ...
    def __getitem__(self, place: int | slice) -> Found | list[Found]:
        places = range(len(self))[place]
        return self._at(places) if isinstance(places, int) else [self._at(each) for each in places]


class Files(_Founds):
    """Files in their order, kept small: each is made when it is asked for.

    A million files take about 110 MB.
    """

    def __init__(self, library_root: Path, *, are_pictures: bool = False) -> None:
        self._library_root = library_root
        self._are_pictures = are_pictures
        self._folders: list[tuple[Path, Path]] = []  # each with the folder that was named
        self._names: list[str] = []
        self._folder_of = array("L")
        self._bytes = array("Q")
        self._sources: dict[int, str] = {}  # of those not named by their path
        self._targets: set[Path] = set()

    def put(self, found: Found) -> None:
        """Put a file at the end that is called otherwise than its path."""
        self._sources[len(self)] = found.source
        self.take(found.path.parent, found.root, found.path.name, found.bytes)

    def take(self, folder: Path, root: Path, name: str, size: int, *, target: Path | None = None) -> None:
        """Put a file at the end; `target` is what it is a link to, where that may lie outside the root."""
        if target is not None:
            self._targets.add(target)
        if not self._folders or self._folders[-1] != (folder, root):
            self._folders.append((folder, root))
        self._names.append(name)
        self._folder_of.append(len(self._folders) - 1)
        self._bytes.append(size)

    @property
    def roots(self) -> frozenset[Path]:
        """The folders that reading these files may look into, and files elsewhere that named links mean."""
        return frozenset({root for _, root in self._folders} | self._targets)

    def __len__(self) -> int:
        return len(self._names)

    def _at(self, place: int) -> Found:
        folder, root = self._folders[self._folder_of[place]]
        path = folder / self._names[place]
        source = self._sources.get(place) or source_of(path, self._library_root)
        return Found(path, source, root, self._are_pictures, self._bytes[place])

    @property
    def bytes(self) -> int:
        """The size of all together."""
        return sum(self._bytes)


@dataclass(frozen=True, slots=True)
class Gathered(_Founds):
    """What some paths mean: a sequence of files, documents before loose pictures.

    Attributes:
        documents: files named by the user, and documents met in folders.
        pictures: picture files met in folders.
        skipped: what cannot or must not be read, with the reason.
        warnings: "source: sentence", what was left out of what was taken.
    """

    documents: Files
    pictures: Files
    skipped: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.documents) + len(self.pictures)

    def _at(self, place: int) -> Found:
        documents = len(self.documents)
        return self.documents[place] if place < documents else self.pictures[place - documents]

    @property
    def bytes(self) -> int:
        """The size of all together."""
        return self.documents.bytes + self.pictures.bytes


def gather(
    paths: Sequence[str | Path], *, library_root: Path, ignore: Sequence[str] = (), hidden: bool = False
) -> Gathered:
    """Return the files that some paths mean, each once, documents before loose pictures.

    A named file is always taken. A folder gives every file in it and below it with a known suffix that
    no `.gitignore` or `.plaitignore` leaves out, in the order of the names. A pattern ("docs/**/*.pdf")
    gives the files that fit it among those, and all those of folders that fit it. No link is followed
    out of a folder, and nothing but a plain file is opened.

    Args:
        library_root: sources are relative to it.
        ignore: more patterns, as `.gitignore` has them, relative to each named folder.
        hidden: take hidden files and folders too.

    Raises:
        MissingPathError: a path does not exist, or no file fits a pattern; nothing is done then.
    """
    gathering = _Gathering(library_root, ignore, hidden)
    gathering.take(paths)
    return gathering.gathered


def sha256_of(path: Path) -> str:
    """Return the hex digest of a file's bytes.

    Raises:
        OSError: it cannot be read, or is no plain file any more: what is no file may never end.
    """
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("not a plain file")
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Gathering:
    """The files found so far, and what was seen already."""

    def __init__(self, library_root: Path, ignore: Sequence[str], hidden: bool) -> None:
        self._library_root = library_root
        self._ignore = ignore
        self._hidden = hidden
        self._files: set[str] = set()  # named, or found by a pattern
        self._folders: set[tuple[int, int]] = set()
        self._unclear: set[str] = set()  # sources of names that are not UTF-8
        self.gathered = Gathered(Files(library_root), Files(library_root, are_pictures=True))

    def take(self, paths: Sequence[str | Path]) -> None:
        """Take what paths mean: files first, so that no folder takes them otherwise than as named."""
        folders, globs = [], []
        for path in paths:
            absolute = Path(os.path.abspath(path))
            if is_glob(str(path)) and not os.path.lexists(absolute):
                globs.append((path, Glob(str(absolute))))
            elif not os.path.exists(absolute):
                what = "a link to nothing" if os.path.islink(absolute) else "no such file or folder"
                raise MissingPathError(f"{path}: {what}; check the spelling")
            elif os.path.isdir(absolute):
                folders.append(absolute)
            else:
                self._take_file(absolute)
        for written, glob in globs:
            self._take_glob(written, glob)
        for folder in folders:
            self._take_folder(folder)

    def _take_file(self, path: Path) -> None:
        try:
            status = path.stat()
        except OSError as error:
            self._skip(path, f"cannot be looked at ({error.strerror or error})", "check its permissions")
            return
        if not stat.S_ISREG(status.st_mode):
            reason = f"is {kind_of_file(status.st_mode)}, not a file"
            self._skip(path, reason, "copy it into a file, or give it as standard input:  plait add -")
        elif str(path) not in self._files:
            self._files.add(str(path))
            self._keep(Met(path.parent, (0, 0), path.name, status.st_size), root=path.parent, named=path)

    def _take_glob(self, written: str | Path, glob: Glob) -> None:
        none_fits = True
        for met in walk(glob.base, self._rules_at(glob.base), skip=self._skip, glob=glob):
            none_fits = False
            if str(met.path) not in self._files:
                self._files.add(str(met.path))
                self._keep(met, root=glob.base)
        if none_fits:
            raise MissingPathError(
                f"{written}: no file that can be read fits this pattern; check the spelling, or name a folder"
            )

    def _take_folder(self, folder: Path) -> None:
        folders = set()
        for met in walk(folder, self._rules_at(folder), skip=self._skip):
            folders.add(met.identity)
            if met.identity not in self._folders and (not self._files or str(met.path) not in self._files):
                self._keep(met, root=folder)
        self._folders |= folders

    def _rules_at(self, folder: Path) -> Rules:
        return rules_at(
            folder,
            library_root=self._library_root,
            ignore=self._ignore,
            hidden=self._hidden,
            skip=self._skip,
        )

    def _keep(self, met: Met, *, root: Path, named: Path | None = None) -> None:
        if not named and _belongs_to_a_recording(met):
            return
        if self._has_name_of_its_own(met):
            is_picture = named is None and os.path.splitext(met.name)[1].lower() in IMAGE_SUFFIXES
            kept = self.gathered.pictures if is_picture else self.gathered.documents
            target = named.resolve() if named is not None and named.is_symlink() else None
            kept.take(met.folder, root, met.name, met.bytes, target=target)

    def _has_name_of_its_own(self, met: Met) -> bool:
        """Tell whether no other file has the same source; report it if one has."""
        if met.name.isascii() and str(met.folder).isascii():
            return True
        source = source_of(met.path, self._library_root)
        if source in self._unclear:
            self._skip(met.path, "its name is not UTF-8, and looks like that of another file", "rename it")
            return False
        if "\ufffd" in source:
            self._unclear.add(source)
        return True

    def _skip(self, path: Path, reason: str, remedy: str) -> None:
        self.gathered.skipped.append(Failure(source_of(path, self._library_root), reason, remedy))


def _belongs_to_a_recording(met: Met) -> bool:
    """Tell whether a file holds the subtitles of a recording beside it, with which they are read."""
    stem, suffix = os.path.splitext(met.name)
    if suffix.lower() not in SUBTITLE_SUFFIXES or importlib.util.find_spec("cv2") is None:
        return False
    stems = (stem, os.path.splitext(stem)[0])  # "talk.en.srt" belongs to "talk.mp4"
    return any(
        os.path.exists(os.path.join(met.folder, name + kind)) for name in stems for kind in VIDEO_SUFFIXES
    )
