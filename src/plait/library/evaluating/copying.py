"""A collection as a library in a folder of its own, made once for each model and kept if wanted."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plait.data.collections.base import Problem
from plait.data.whole_files import whole
from plait.encode.base import Encoder
from plait.errors import InputError
from plait.library.evaluating.corpora import Corpus, Told
from plait.library.evaluating.fingerprints import of_values
from plait.library.library import Library
from plait.settings import Settings

_DONE = "copied.json"
# What changes nothing that is stored: how fast it goes, how it is searched, and who answers.
_NOT_STORED = (
    "model", "threads", "read_workers", "batch_documents", "exact_mb", "recall", "method", "lane_weights",
    "recentring", "hub_suppression", "rerank", "urls", "feedback", "llm_url", "llm_model",
    "requests_per_minute", "request_mb", "upload_mb", "request_seconds", "search_processes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Copy:
    """A library that holds a collection.

    Attributes:
        problems: what was left out of the documents.
        is_new: False if all of it was there before.
    """

    library: Library
    problems: Sequence[Problem]
    is_new: bool


@contextmanager
def work_folder(work: Path | None) -> Iterator[Path]:
    """Give the folder for copies: the one named, which is kept, or one that goes at the end.

    Raises:
        InputError: it cannot be made.
    """
    if work is None:
        with tempfile.TemporaryDirectory(prefix="plait-eval-") as folder:
            yield Path(folder)
        return
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{work} cannot be made ({error.strerror}): name another folder") from error
    yield work


def copied(
    corpus: Corpus,
    work: Path,
    *,
    fingerprint: str,
    encoder: Encoder,
    settings: Settings,
    strict: bool = False,
    told: Told = lambda done, total: None,
) -> Copy:
    """Return a library that holds a collection's documents; what is there already is not made again.

    Copies lie side by side in `work`, a folder for each collection, model and settings. One whose making
    was interrupted goes on where it ended.

    Args:
        fingerprint: of the corpus.
        strict: whatever is left out of the documents is an error.
        told: called with how many documents are done.

    Raises:
        InputError: `strict`, and something is left out.
        LibraryLockedError: another process makes the same copy.
    """
    stored = stored_settings(settings)
    folder = work / of_values(fingerprint, encoder.fingerprint, stored)[:16]
    library = Library(folder, settings=settings, encoder=encoder)
    done = folder / _DONE
    is_new = not done.is_file()
    if is_new:
        problems = corpus.fill(library, told=told)
        said = {"collection": corpus.collection.name, "fingerprint": fingerprint, "model": encoder.name}
        _write(done, {**said, "settings": stored, "problems": [asdict(problem) for problem in problems]})
    else:
        problems = [Problem(**row) for row in json.loads(done.read_text(encoding="utf-8"))["problems"]]
    if strict and problems:
        raise InputError(str(problems[0]))
    return Copy(library, problems, is_new)


def stored_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings that what a library stores depends on."""
    return {name: value for name, value in asdict(settings).items() if name not in _NOT_STORED}


def _write(file: Path, values: Mapping[str, Any]) -> None:
    with whole(file) as part:
        part.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
