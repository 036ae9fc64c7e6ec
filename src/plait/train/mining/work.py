"""The folder where mining keeps what it has done so far, so that it can go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from plait.data.whole_files import whole
from plait.encode import checkpoint
from plait.errors import InputError
from plait.train.mining.searching import ROWS_AT_ONCE, Found, Search

_FORMAT = 1  # goes up with what is stored for the same rows and model
_FACTS = "facts.json"
_STORED = ("*.vectors", "*.sides", "found-*")


def check_is_of(work: Path, *, model: Path, rows: str, force: bool, say: Callable[[str], None]) -> None:
    """Check that what the folder holds, if anything, was made by this model of these rows.

    Args:
        model: its folder.
        rows: their digest.
        force: what is of something else is removed.
        say: told of it.

    Raises:
        InputError: it was made of something else.
    """
    facts = {"format": _FORMAT, "model": checkpoint.fingerprint(model), "rows": rows}
    names = {"format": "version of plait", "model": "model", "rows": "rows, or other candidates"}
    file = work / _FACTS
    stored = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else facts
    if others := [f"another {names[name]}" for name in facts if stored.get(name) != facts[name]]:
        what = f"{work} was begun with {' and '.join(others)}"
        if not force:
            raise InputError(f"{what}: go back, give another output, or begin anew with force")
        say(f"{what}: begun anew")
        for pattern in _STORED:
            for old in work.glob(pattern):
                old.unlink()
    with whole(file) as part:
        part.write_text(json.dumps(facts), encoding="utf-8")


def found_in(
    work: Path, search: Search, *, rows: int, watch: Callable[[str, int, int], None]
) -> Iterator[tuple[int, Found]]:
    """Yield what is found for rows, from which row on; what was found before is read from the folder.

    Args:
        rows: R, how many there are.
        watch: called with how many are done.
    """
    for start in range(0, rows, ROWS_AT_ONCE):
        watch("searching", start, rows)
        file = work / f"found-{search.name}-{start}.npz"
        if not file.exists():
            search.found(start, min(start + ROWS_AT_ONCE, rows)).save(file)
        yield start, Found.load(file)
    watch("searching", rows, rows)
