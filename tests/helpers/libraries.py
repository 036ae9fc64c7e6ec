"""A small library of real files, what it answers, and ways to damage it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Library, Query
from plait.library import seals, table
from plait.library.folder import LibraryFolder
from plait.settings import Settings

PAGES = {
    "boiler": ("Descale the boiler with citric acid every month.", "red"),
    "grinder": ("Turn the collar to set the grind finer.", "blue"),
    "warranty": ("The guarantee lasts for two years.", ""),
}
QUERIES = ("descale the boiler", "a finer grind", "how long is the guarantee")


def write_page(folder: Path, name: str, text: str, color: str = "") -> Path:
    """Write an HTML page of two sections, with a picture if a colour is given."""
    figure = ""
    if color:
        Image.new("RGB", (60, 40), color).save(folder / f"{name}.png")
        figure = f'<figure><img src="{name}.png"><figcaption>The {name}</figcaption></figure>'
    path = folder / f"{name}.html"
    path.write_text(f"<h1>{name}</h1><p>{text}</p>{figure}<h2>More of it</h2><p>Ask about the {name}.</p>")
    return path


def write_titled(folder: Path, name: str, text: str, picture: bytes) -> None:
    """Write an HTML page "The <name>" of a paragraph and a figure."""
    (folder / f"{name}.png").write_bytes(picture)
    (folder / f"{name}.html").write_text(
        f"<html><head><title>The {name}</title></head><body><h1>The {name}</h1><p>{text}</p>"
        f'<figure><img src="{name}.png" alt=""><figcaption>A {name}</figcaption></figure></body></html>'
    )


def make_library(folder: Path, settings: Settings | None = None) -> LibraryFolder:
    """Add the pages in two commits, so that the store has several versions and a deletion."""
    folder.mkdir()
    for name, (text, color) in PAGES.items():
        write_page(folder, name, text, color)
    with Library(folder, encoder=TinyEncoder(), settings=settings) as library:
        library.add([folder])
        library.add([folder / "boiler.html"], force=True)
    return LibraryFolder.at(folder)


def answers(folder: Path, queries: Sequence[str] = QUERIES) -> list[list[tuple[object, ...]]]:
    """Return what a library answers, opened anew."""
    with Library(folder, encoder=TinyEncoder()) as library:
        found = [library.search(Query.of(text)) for text in queries]
    return [
        [
            (h.unit_id, h.source, round(h.score, 5), h.passage, h.picture and Path(h.picture).name)
            for h in hits
        ]
        for hits in found
    ]


def files_of(folder: LibraryFolder) -> list[str]:
    """Return the files that are not empty, relative to the library folder."""
    found = (path for path in folder.path.rglob("*") if path.is_file() and path.stat().st_size)
    return sorted(path.relative_to(folder.path).as_posix() for path in found)


def flip(path: Path, seed: int = 0) -> None:
    """Change one byte of a file."""
    chance = random.Random(seed)
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
    path.write_bytes(data)


@contextmanager
def rows_changed(folder: LibraryFolder) -> Iterator[list[pa.Table]]:
    """Give all rows as one-row tables to change; what is left is stored as if the disk had done it."""
    fields = folder.read_manifest().fields
    rows = [every.slice(i, 1) for every in table.every_row(folder.store) for i in range(len(every))]
    yield rows
    table.overwrite(folder.store, fields, rows)
    table.drop_old_versions(folder.store)
    seals.renew(folder)


def with_cell(row: pa.Table, name: str, value: object) -> pa.Table:
    """Return a row with another cell; its digest stays."""
    place = row.schema.get_field_index(name)
    field = row.schema.field(place)
    return row.set_column(place, field, pa.array([value], field.type))


def with_hurt_vector(row: pa.Table, name: str, change: Callable[[np.ndarray], None]) -> pa.Table:
    """Return a row with some numbers of a vector column changed in place."""
    values = np.array(row[name][0].as_py(), np.float16)
    change(values)
    cell = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), pa.float16()), values.shape[1])
    place = row.schema.get_field_index(name)
    return row.set_column(place, row.schema.field(place), pa.ListArray.from_arrays([0, len(values)], cell))
