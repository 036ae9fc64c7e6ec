"""What a library says of its work: progress, failures, and the state of the folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from plait.index.base import StoredDocument


@dataclass(frozen=True, slots=True)
class Failure:
    """One file that was skipped.

    Attributes:
        source: the file, as it is named in the library.
        reason: what was wrong with it.
        remedy: what the user can do.
    """

    source: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where some work stands.

    Attributes:
        done, total: files, or other things that are worked through one by one.
        source: the last of them.
        bytes_done, bytes_total: their sizes, by which the time left is told better; 0 where unknown.
        pages: how many pages, slides or the like were read so far.
    """

    done: int
    total: int
    source: str
    bytes_done: int = 0
    bytes_total: int = 0
    pages: int = 0


ProgressCallback = Callable[[Progress], None]


class DocumentCallback(Protocol):
    """Told of each document of the files that an `add` looked at, once it is stored.

    `before` is what was stored of it; None if it is new, and `now` itself if it was left as it was: because
    nothing has changed, or because it could not be read again.
    """

    def __call__(self, now: StoredDocument, before: StoredDocument | None, /) -> None: ...


@dataclass(frozen=True, slots=True)
class AddReport:
    """What an `add` did.

    Attributes:
        added, updated, unchanged: documents new, changed since, and left as they were.
        removed: documents that an archive or message held when it was added before, and holds no more.
        shown: picture files not added on their own, because a document of the library shows them.
        failed: files that were skipped, each with reason and remedy.
        warnings: "source: sentence", what readers had to leave out of documents that were added.
        units, figures, tables, pages: how many were made durable.
        windows: how many windows the passages longer than the model reads were cut into.
        truncated: texts that were cut in spite of windows, so that the model did not read all their words.
        seconds: wall time.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    shown: int = 0
    removed: int = 0
    failed: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()
    units: int = 0
    figures: int = 0
    tables: int = 0
    pages: int = 0
    windows: int = 0
    truncated: int = 0
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LibraryStatus:
    """What a library holds.

    Attributes:
        vectors: how its vectors are kept; see `scoring.keeping`.
        language: whose stems its words are reduced to.
        missing: sources of stored documents whose file is no longer there.
        bytes_on_disk: size of the whole library folder.
    """

    folder: str
    model: str
    documents: int
    units: int
    figures: int
    bytes_on_disk: int
    vectors: str = "float16"
    language: str = "english"
    missing: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)
