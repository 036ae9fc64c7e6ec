"""Every error that plait raises on purpose, in one tree.

    PlaitError
    ├── InputError (ValueError)         what the caller passed cannot be used
    │   ├── QueryError                  an empty or contradictory query
    │   ├── ShapeError                  arrays that do not fit each other
    │   └── MissingPathError (FileNotFoundError)
    ├── ReadError                       one file could not be read; carries `reason` and `remedy`
    ├── LibraryError                    the library folder cannot be used
    │   ├── NoLibraryError              there is none here
    │   ├── LibraryLockedError          another process is writing
    │   └── LibraryFormatError          written by another format or another model
    ├── ModelError                      a model cannot be found or loaded
    ├── TrainError                      training cannot begin or go on; what was stored stays
    ├── GenerateError                   the model that writes answers failed
    └── MissingExtraError (ImportError) an optional package is not installed

A message says what was seen, what was expected, and the next step.
"""

from __future__ import annotations


class PlaitError(Exception):
    """Base of all: catch this to catch everything plait raises on purpose."""


class InputError(PlaitError, ValueError):
    """What the caller passed cannot be used."""


class QueryError(InputError):
    """A query that asks nothing, or contradicts itself."""


class ShapeError(InputError):
    """Arrays that do not fit each other."""


class MissingPathError(InputError, FileNotFoundError):
    """A path that does not exist."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class ReadError(PlaitError):
    """One file could not be read.

    Attributes:
        source: the file, as the user named it.
        reason: what was wrong, without the file's name ("password-protected").
        remedy: what the user can do ("remove the password, then add it again").
    """

    def __init__(self, source: str, reason: str, remedy: str) -> None:
        super().__init__(f"{source}: {reason}; {remedy}")
        self.source = source
        self.reason = reason
        self.remedy = remedy


class LibraryError(PlaitError):
    """The library folder cannot be used."""


class NoLibraryError(LibraryError):
    """No library here or in any parent folder."""


class LibraryLockedError(LibraryError):
    """Another process is writing to this library."""


class LibraryFormatError(LibraryError):
    """The library was written by another format version or another model."""


class ModelError(PlaitError):
    """A model cannot be found or loaded."""


class TrainError(PlaitError):
    """Training cannot begin, or cannot go on; what was stored before stays, and the message says where."""


class GenerateError(PlaitError):
    """The model that writes answers cannot be reached, refused, or sent something unreadable."""


class MissingExtraError(PlaitError, ImportError):
    """An optional package is not installed; the message holds the pip command."""
