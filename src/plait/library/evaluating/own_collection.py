"""A library's own questions as a collection in our folder format, so that other systems can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from plait.data.collections.writing import write_jsonl
from plait.data.sentences import sentences
from plait.errors import InputError
from plait.library.evaluating.own import OwnEvaluation
from plait.schema import Document, Segment, Unit


def write_collection(own: OwnEvaluation, folder: str | Path) -> None:
    """Write the units as documents, without what was asked, with the questions and their answers.

    Raises:
        InputError: the folder holds something already.
        OSError: a picture cannot be read, or the folder not written.
    """
    check_empty(folder)
    write_jsonl(
        folder,
        map(document_of, own.units),
        [question.labelled for question in own.questions.asked],
        own.questions.qrels,
    )


def check_empty(folder: str | Path) -> None:
    """Check that a collection may be written to a folder, before the work that makes it.

    Raises:
        InputError: it holds something already, or is a file.
    """
    target = Path(folder)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise InputError(f"{target} is there already: name an empty folder for the collection, or a new one")


def document_of(unit: Unit) -> Document:
    """Return a unit as a document of its own; what two passages share is said once."""
    texts = [
        Segment("text", text=text, section=unit.section if section is None else section, page=unit.page)
        for text, section in _said_once(unit)
        if text
    ]
    shown = [figure for figure in unit.figures if figure.picture is not None]
    return Document(unit.id, unit.title, unit.document_id, segments=(*texts, *shown))


def _said_once(unit: Unit) -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """Yield the passages' texts, without a first sentence that ended the one before, and their sections."""
    last = ""
    for passage in unit.passages:
        found = [sentence.strip() for sentence in sentences(passage.text, longest=10_000)]
        text = passage.text[len(last) :].strip() if last and found[0] == last else passage.text
        yield text, passage.section
        last = found[-1]
