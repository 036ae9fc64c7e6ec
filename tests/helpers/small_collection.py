"""A collection in a folder, small enough to work out by hand what a search of it finds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

Row = Mapping[str, Any]

DOCUMENTS: tuple[Row, ...] = (
    {"id": "boiler", "title": "Boiler", "text": "Descale the boiler with citric acid.", "color": "red"},
    {"id": "grinder", "title": "Grinder", "text": "Turn the collar to grind finer.", "color": "blue"},
    {"id": "hose", "title": "Hose", "text": "Rinse the hose with water and acid.", "color": "green"},
    {"id": "warranty", "title": "Warranty", "text": "The guarantee lasts two years.", "color": ""},
)
QUERIES: tuple[Row, ...] = (
    {"id": "t1", "text": "citric acid", "image": None, "kind": "text"},
    {"id": "t2", "text": "guarantee", "image": None, "kind": "text"},
    {"id": "i1", "text": None, "image": "queries/blue.png", "kind": "image"},
    {"id": "b1", "text": "acid", "image": "queries/green.png", "kind": "text+image"},
    {"id": "u1", "text": "nobody judged this", "image": None, "kind": "text"},
)
QRELS = (
    ("t1", "boiler", 1),
    ("t2", "warranty", 1),
    ("i1", "grinder", 1),
    ("b1", "hose", 1),
    ("b1", "boiler", 0),
)


def write_collection(
    folder: Path,
    *,
    documents: Sequence[Row] = DOCUMENTS,
    queries: Sequence[Row] = QUERIES,
    qrels: Sequence[tuple[str, str, int]] = QRELS,
) -> Path:
    """Write the collection into a folder and return it; pictures are of one colour."""
    (folder / "queries").mkdir(parents=True)
    for color in ("red", "blue", "green"):
        Image.new("RGB", (60, 40), color).save(folder / f"{color}.png")
        Image.new("RGB", (30, 30), color).save(folder / "queries" / f"{color}.png")
    _write_rows(folder / "corpus.jsonl", [_document(row) for row in documents])
    _write_rows(folder / "queries.jsonl", queries)
    (folder / "qrels.tsv").write_text("".join(f"{q}\t0\t{d}\t{grade}\n" for q, d, grade in qrels))
    return folder


def _document(row: Row) -> dict[str, Any]:
    segments = [{"type": "text", "text": row["text"]}] if row["text"] else []
    if row["color"]:
        segments.append({"type": "image", "path": f"{row['color']}.png", "caption": f"the {row['id']}"})
    return {"id": row["id"], "title": row["title"], "segments": segments}


def _write_rows(file: Path, rows: Sequence[Row]) -> None:
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
