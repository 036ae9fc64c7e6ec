"""The golden queries, and how each surface asks them; `python -m tests.golden.surfaces` writes their ids."""

from __future__ import annotations

import base64
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.golden import shop

from plait.library import Library
from plait.schema import SearchRequest

FILE = Path(__file__).with_name("queries.json")
Answer = Mapping[str, Any]
Ask = Callable[[Mapping[str, Any]], Answer]  # a request of one surface's form -> the JSON answer


@dataclass(frozen=True)
class Golden:
    """One of the queries.

    Attributes:
        name: what it is about.
        request: as JSON; images are paths below the folder, ids begin with a source.
        arguments: the same on the command line.
        pages: how many pages of the answer are read.
        ids: what is found, a source in place of each document's id.
    """

    name: str
    request: Mapping[str, Any]
    arguments: tuple[str, ...]
    ids: tuple[str, ...]
    pages: int = 1


def queries() -> list[Golden]:
    read = json.loads(FILE.read_text(encoding="utf-8"))
    return [Golden(**{**one, "arguments": tuple(one["arguments"]), "ids": tuple(one["ids"])}) for one in read]


class Names:
    """The ids of a library's documents, and their sources, by which the golden file names them."""

    def __init__(self, library: Library) -> None:
        self.sources = {document.id: document.source for document in library.documents()}
        self._ids = {source: name for name, source in self.sources.items()}

    def stored(self, named: str) -> str:
        """Return the id that stands behind a source and what follows it."""
        weight, star, rest = named.rpartition("*")
        source = next(source for source in self._ids if rest == source or rest.startswith(f"{source}:"))
        return weight + star + self._ids[source] + rest.removeprefix(source)

    def named(self, hit: Mapping[str, Any]) -> str:
        document = str(hit["document_id"])
        return self.sources[document] + str(hit["id"]).removeprefix(document)

    def request(self, golden: Golden, image: Callable[[str], Any]) -> dict[str, Any]:
        """Return the request with stored ids, and images of a surface's form."""
        request = deepcopy(dict(golden.request))
        query = request["query"]
        query["like"] = [self.stored(one) for one in query.get("like", ())]
        query["images"] = [image(one) for one in query.get("images", ())]
        return request

    def arguments(self, golden: Golden) -> list[str]:
        ids = {"--like", "--less"}
        pairs = zip(["", *golden.arguments], golden.arguments, strict=False)
        return [self.stored(one) if before in ids else one for before, one in pairs]


def as_path(folder: Path) -> Callable[[str], Any]:
    return lambda name: {"path": str(folder / name)}


def as_bytes(folder: Path) -> Callable[[str], Any]:
    return lambda name: {"base64": base64.b64encode((folder / name).read_bytes()).decode()}


def pages(golden: Golden, ask: Callable[[str], Answer]) -> Iterator[Answer]:
    """Yield the pages of an answer, each asked with the cursor of the one before."""
    cursor = ""
    for _ in range(golden.pages):
        yield (answer := ask(cursor))
        cursor = answer["next_cursor"]


def found(golden: Golden, names: Names, ask: Callable[[str], Answer]) -> tuple[str, ...]:
    """Return what is found, as the golden file has it."""
    return tuple(names.named(hit) for page in pages(golden, ask) for hit in page["hits"])


def by_python(library: Library, names: Names, folder: Path, golden: Golden) -> tuple[str, ...]:
    request = names.request(golden, as_path(folder))

    def ask(cursor: str) -> Answer:
        return library.search(SearchRequest.from_dict({**request, "cursor": cursor})).to_dict()

    return found(golden, names, ask)


def made(folder: Path) -> Library:
    """Return the shop's library, made in a folder."""
    shop.write(folder)
    library = Library(folder)
    report = library.add([folder / "guides", folder / "prices.md", folder / "leaflet.pdf"])
    assert not report.failed, report.failed
    return library


def main() -> None:
    with tempfile.TemporaryDirectory() as name, made(Path(name)) as library:
        names = Names(library)
        written = json.loads(FILE.read_text(encoding="utf-8"))
        for golden, one in zip(queries(), written, strict=True):
            one["ids"] = by_python(library, names, Path(name), golden)
            if tuple(one["ids"]) != golden.ids:
                print(f"{golden.name}: {', '.join(one['ids']) or 'nothing'}", file=sys.stderr)
    lines = (json.dumps(one, ensure_ascii=False) for one in written)
    FILE.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
