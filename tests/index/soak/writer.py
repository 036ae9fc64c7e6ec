"""The soak's writer: `python -m tests.index.soak.writer`, which takes orders as `forking.serve` says.

For each a child opens the store, says in which of the states that may be there it is, goes on writing, and
usually is killed:

    found N                             the store is in the N-th state, whole
    problem ...                         it is in none; the child ends
    begin NUMBER KIND / done NUMBER CALLS MICROSECONDS
    in PART / out                       it is in a part of a step worth a name, or has left it
"""

from __future__ import annotations

import importlib
import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.index.soak import forking
from tests.index.soak.checking import problems, remains, versions
from tests.index.soak.forking import say, serve
from tests.index.soak.steps import FIELDS, Stored, step

from plait.index.backends.lancedb import LanceIndex

_PARTS = {  # methods whose run is a part of a step
    "plait.index.scan.segments:Segments.write": "scan-file writing",
    "plait.index.scan.segments:Segments.tidy": "scan-file merging",
}


def main() -> None:
    _name_parts()
    importlib.import_module("torch")  # which a scan of small codes would import in every child
    serve(write)


def write(order: Mapping[str, Any]) -> None:
    """Check a store, then go on writing.

    Args:
        order: "folder"; "options" of the index; "seed"; "next", the number of the step to begin with if the
            store is in state 0; "states", those that it may be in, of which N is there N steps later;
            "steps", how many to do at most; "kill" ("step", "call", "how") for the hook, or null; "ever", if
            this is the last look, every (id, version) there may have been.
    """
    index = LanceIndex(order["folder"], FIELDS, **order["options"])
    stored: Stored = versions(index)
    states = order["states"]
    place = states.index(stored) if stored in states else 0
    wrong = list(problems(index, states[place]))
    for sentence in wrong:
        say(f"problem {sentence}")
    if wrong:
        return
    say(f"found {place}")
    kill, hook = order["kill"], forking.hook()
    for number in itertools.islice(itertools.count(order["next"] + place), order["steps"]):
        one = step(order["seed"], number, stored)
        say(f"begin {number} {one.kind}")
        if not kill or number <= kill["step"]:
            armed = kill and number == kill["step"]
            hook.soak_arm(kill["call"] if armed else 0, kill["how"] if armed else 0)
        began = time.perf_counter()
        one.do(index)
        say(f"done {number} {hook.soak_calls()} {int(1e6 * (time.perf_counter() - began))}")
        stored = one.after(stored)
    if order["ever"]:
        _finish(index, stored, order)


def _finish(index: LanceIndex, stored: Stored, order: Mapping[str, Any]) -> None:
    """Compact, and see that all is as before, and that nothing is left of what is no longer stored."""
    index.optimize(keep_seconds=0)
    for sentence in problems(index, stored):
        say(f"problem once compacted: {sentence}")
    for sentence in remains(
        Path(order["folder"]), stored, [(name, version) for name, version in order["ever"]]
    ):
        say(f"problem {sentence}")


def _name_parts() -> None:
    """Let the methods in `_PARTS` say when they begin and end."""
    for place, part in _PARTS.items():
        module_name, _, path = place.partition(":")
        class_name, _, method = path.partition(".")
        try:
            module = importlib.import_module(module_name)
        except ImportError:
            continue
        owner = getattr(module, class_name)
        setattr(owner, method, _saying(getattr(owner, method), part))


def _saying(run: Callable[..., Any], part: str) -> Callable[..., Any]:
    def said(*args: Any, **options: Any) -> Any:
        say(f"in {part}")
        try:
            return run(*args, **options)
        finally:
            say("out")

    return said


if __name__ == "__main__":
    main()
