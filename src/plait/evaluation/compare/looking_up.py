"""What documents look like, looked up in their collection for the few ids that a report names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from plait.data.collections.jsonl import read_jsonl
from plait.data.collections.m2kr import read_m2kr
from plait.data.collections.mbeir import read_mbeir
from plait.data.collections.pools import Candidate, PoolTask
from plait.data.collections.ret_m2kr import read_ret_m2kr
from plait.errors import PlaitError
from plait.evaluation.compare.results import Result
from plait.evaluation.stored import Shown
from plait.schema import Document

_KEPT = 400  # characters of a document's words
# kind of collection -> what reads a task of it, with the pool of a name
_PAPERS: Mapping[str, Callable[[Path, str, str], list[PoolTask]]] = {
    "m2kr": lambda folder, task, _: read_m2kr(folder, tasks=[task]),
    "ret-m2kr": lambda folder, task, _: read_ret_m2kr(folder, tasks=[task]),
    "mbeir": lambda folder, task, pool: read_mbeir(folder, tasks=[task], pools=(pool,)),
}


def look_up(
    ids: Set[str], results: Iterable[Result], *, collection: str | Path = ""
) -> tuple[dict[str, Shown], list[str]]:
    """Return what is known of some documents, and remarks on what could not be looked up.

    First what the results have kept, then the collections that they were made with, as far as those are
    still there; a collection is read a document at a time, and no further than the last id.

    Args:
        collection: a folder to look into as well, as `read_jsonl` takes it.
    """
    found: dict[str, Shown] = {}
    remarks: dict[str, None] = {}
    for result in results:
        found |= {name: result.documents[name] for name in ids - found.keys() if name in result.documents}
    for spec, folder, options in _sources(results, collection):
        wanted = set(ids - found.keys())
        if not wanted:
            break
        try:
            for shown in _documents(spec, folder, options):
                if shown.id in wanted:
                    found[shown.id] = shown
                    wanted.remove(shown.id)
                if not wanted:
                    break
        except (PlaitError, OSError) as error:
            remarks[f"the collection {spec} cannot be looked into ({error})"] = None
    return found, list(remarks)


def _sources(
    results: Iterable[Result], collection: str | Path
) -> Iterator[tuple[str, Path, Mapping[str, Any]]]:
    """Yield each collection once, the folder its name starts from, and what it was read with."""
    seen: set[tuple[str, str]] = set()
    if collection:
        yield str(collection), Path(), {}
    for manifest in (result.manifest for result in results if result.manifest):
        place = (manifest.collection, manifest.folder)
        if place not in seen:
            seen.add(place)
            yield manifest.collection, Path(manifest.folder), manifest.options


def _documents(spec: str, folder: Path, options: Mapping[str, Any]) -> Iterator[Shown]:
    """Yield the documents of a collection; none of what only its results can show.

    Raises:
        PlaitError, OSError: it is not there any more, or cannot be read.
    """
    kind, _, path = spec.partition(":")
    if kind in _PAPERS and "task" in options:
        which = options.get("pool", "")
        for task in _PAPERS[kind](folder / path, options["task"], which):
            yield from map(_candidate, task.pools[which].read() if which in task.pools else ())
    elif (folder / spec).is_dir():
        yield from map(_document, read_jsonl(folder / spec).documents())


def _candidate(candidate: Candidate) -> Shown:
    return Shown(candidate.id, text=candidate.side.text[:_KEPT], image=candidate.side.image)


def _document(document: Document) -> Shown:
    words = " ".join(segment.text for segment in document.segments if segment.kind != "image")
    pictures = [segment.picture.path for segment in document.segments if segment.picture]
    return Shown(document.id, document.title, words[:_KEPT], pictures[0] if pictures else "")
