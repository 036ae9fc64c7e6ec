"""Adds a folder of files to its library, to be killed meanwhile (run by test_crash)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.helpers.tiny_encoder import TinyEncoder
from tests.index.soak import forking

from plait import Library
from plait.settings import Settings


def add(order: Mapping[str, Any]) -> None:
    """Add the folder, killed at a call of the preloaded hook if the order names one."""
    hook = forking.hook()
    with Library(order["folder"], encoder=TinyEncoder(), settings=Settings(batch_documents=2)) as library:
        hook.soak_arm(order["call"], order["how"])
        forking.say("begin")
        library.add([order["folder"]])
        forking.say(f"done {hook.soak_calls()}")


if __name__ == "__main__":
    forking.serve(add)
