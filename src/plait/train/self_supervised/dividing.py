"""The rows of all documents divided: most are trained on, some documents are held out whole."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from plait.data.training.drawing import generator
from plait.errors import InputError
from plait.train.self_supervised.questions import Kind

TRAINING, HELD_OUT = "training", "held-out"
_FEWEST_SECTIONS = 2  # on either side: a query is asked over several, and told apart from others

_Group = Literal["document", "section"]


@dataclass(frozen=True, slots=True)
class Divided:
    """How many rows went where.

    Attributes:
        training, held_out: kind -> rows; a kind without any is not there.
        whole_documents: False where there are too few documents, so that sections of them are held out.
    """

    training: Mapping[Kind, int]
    held_out: Mapping[Kind, int]
    whole_documents: bool


@dataclass(slots=True)
class _Size:
    rows: int = 0
    sections: int = 0


def divide(rows: Path, folder: Path, *, share: float, seed: int) -> Divided:
    """Write training/KIND.jsonl and held-out/KIND.jsonl into a folder.

    Documents are held out whole, drawn at random until about `share` of the rows are; one that would go
    over it is passed over. Takes some 100 bytes of memory a document, or a section where there are too few
    documents.

    Args:
        rows: lines of {"kind", "document", "row"}; those of one section are neighbours.
        share: in (0, 1).

    Raises:
        InputError: the rows are about too few sections, so that nothing can be held out.
    """
    of_documents = _drawn(_sizes(rows, "document"), share, seed)
    held = of_documents or _drawn(_sizes(rows, "section"), share, seed)
    if not held:
        count = len(_sizes(rows, "section"))
        raise InputError(
            f"the rows are about {count:,} sections: expected {2 * _FEWEST_SECTIONS} or more, for some are "
            "held out; add more documents"
        )
    by: _Group = "document" if of_documents else "section"
    counts: dict[str, Counter[Kind]] = {TRAINING: Counter(), HELD_OUT: Counter()}
    with ExitStack() as files:
        opened: dict[tuple[str, Kind], TextIO] = {}
        for line in _lines(rows):
            part, kind = HELD_OUT if _group(line, by) in held else TRAINING, line["kind"]
            if (part, kind) not in opened:
                (folder / part).mkdir(exist_ok=True)
                target = (folder / part / f"{kind}.jsonl").open("w", encoding="utf-8")
                opened[part, kind] = files.enter_context(target)
            opened[part, kind].write(json.dumps(line["row"], ensure_ascii=False) + "\n")
            counts[part][kind] += 1
    return Divided(counts[TRAINING], counts[HELD_OUT], by == "document")


def _sizes(rows: Path, by: _Group) -> dict[str, _Size]:
    sizes: dict[str, _Size] = {}
    before = None
    for line in _lines(rows):
        size = sizes.setdefault(_group(line, by), _Size())
        size.rows += 1
        size.sections += line["row"]["label"] != before
        before = line["row"]["label"]
    return sizes


def _group(line: Mapping[str, Any], by: _Group) -> str:
    group: str = line["document"] if by == "document" else line["row"]["label"]
    return group


def _drawn(sizes: Mapping[str, _Size], share: float, seed: int) -> set[str]:
    """Return names that are drawn at random, and hold no more than a share of the rows where that can be.

    Both those and the others hold sections enough; there are none where that cannot be.
    """
    names = sorted(sizes)
    generator(seed, "held out").shuffle(names)
    left = share * sum(size.rows for size in sizes.values())
    held: set[str] = set()
    for name in names:
        if sizes[name].rows <= left:
            held.add(name)
            left -= sizes[name].rows
    for name in sorted(names, key=lambda name: sizes[name].rows):
        if sum(sizes[one].sections for one in held) >= _FEWEST_SECTIONS:
            break
        held.add(name)
    others = sum(sizes[name].sections for name in names if name not in held)
    return held if others >= _FEWEST_SECTIONS else set()


def _lines(rows: Path) -> Iterator[dict[str, Any]]:
    with rows.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
