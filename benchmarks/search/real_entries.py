"""What is encoded: one text and at most one picture a unit, in an order that does not depend on how many."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

from plait.encode.items import unit_items
from plait.encode.windows import TextLimit
from plait.schema import Unit

_MOST_WORDS = 160  # a passage with its headings; models cut to their own limit beyond that
_MOST_SHOWING = 5
_FIGURE_EVERY = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """A unit as it is encoded.

    Attributes:
        unit: its id, "<document id>:<ordinal>".
        text: headings, then the caption and the passage beside the first figure, or the first passage.
        caption: of that figure, which is also in the text; "" for none.
        picture: the figure's path; "" for none.
    """

    unit: str
    package: str
    text: str
    caption: str = ""
    picture: str = ""

    @property
    def document(self) -> str:
        """The id of the unit's document."""
        return self.unit.rpartition(":")[0]


def entries_of(units: Iterable[Unit], package: str, *, most: int) -> list[Entry]:
    """Return distinct entries of a package's units; where there are too many, some drawn by their ids.

    Args:
        most: so that no manual with thousands of like pages outweighs the others.
    """
    found: dict[str, Entry] = {}
    for unit in units:
        entry = _entry(unit, package)
        if entry is not None:
            found.setdefault(said(entry), entry)
    return sorted(found.values(), key=lambda entry: _drawn(entry)[:16])[:most]


def shuffled(packages: Iterable[Sequence[Entry]]) -> list[Entry]:
    """Return the distinct entries of all packages in an order by their ids, every fifth with a figure.

    When there are no more with figures the others follow, in order too. So the first N are a sample of the
    whole for any N, but with more figures the smaller N is. Pictures that more than five entries show are
    icons, and are left out.
    """
    every = [entry for entries in packages for entry in entries]
    shown = Counter(entry.picture for entry in every)
    plain = [replace(e, picture="") if shown[e.picture] > _MOST_SHOWING else e for e in every]
    distinct = {said(entry): entry for entry in plain}.values()
    ordered = sorted(distinct, key=lambda entry: _drawn(entry)[16:])
    others = iter([entry for entry in ordered if not entry.picture])
    found: list[Entry] = []
    for entry in (entry for entry in ordered if entry.picture):
        found += [*islice(others, _FIGURE_EVERY - 1), entry]
    return [*found, *others]


def said(entry: Entry) -> str:
    """Return a digest of what is encoded: entries with the same one would get the same vectors."""
    return hashlib.sha256(f"{entry.text}\0{entry.picture}".encode("utf-8", "replace")).hexdigest()


def write_entries(entries: Iterable[Entry], file: Path) -> None:
    """Write entries, one a line; the file is there wholly or not at all."""
    part = file.with_suffix(".partial")
    with part.open("w", encoding="utf-8", errors="replace") as lines:
        for entry in entries:
            lines.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")
    part.replace(file)


def read_entries(file: Path) -> Iterator[Entry]:
    """Give the entries that `write_entries` wrote."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield Entry(**json.loads(line))


def _entry(unit: Unit, package: str) -> Entry | None:
    """Return a unit's entry; None for one that says nothing."""
    first = next(iter(unit_items(unit, TextLimit(_words, _MOST_WORDS))), None)
    if first is None:
        return None
    shown = (f for f in unit.figures if f.picture is not None and f.picture.path == first.picture)
    caption = next((figure.caption or figure.text for figure in shown), "")
    return Entry(unit.id, package, first.text, caption.strip(), first.picture or "")


def _drawn(entry: Entry) -> bytes:
    return hashlib.sha256(entry.unit.encode()).digest()


def _words(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\S+", text)]
