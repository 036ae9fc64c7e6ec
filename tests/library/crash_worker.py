"""Adds a folder of files to its library, or compacts it, to be killed meanwhile (run by test_crash)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tests.helpers.tiny_encoder import TinyEncoder
from tests.index.soak import forking

from plait import Library
from plait.settings import Settings

MARK = "PLAIT_KILLED_WRITER_OF"  # in the environment of the processes that read files for it


def change(order: Mapping[str, Any]) -> None:
    """Add the folder, or compact its library; the preloaded hook kills at the call that the order names."""
    os.environ[MARK] = order["folder"]
    hook = forking.hook()
    with Library(order["folder"], encoder=TinyEncoder(), settings=Settings(batch_documents=2)) as library:
        hook.soak_arm(order["call"], order["how"])
        forking.say("begin")
        if order["what"] == "add":
            library.add([order["folder"]])
        else:
            library.compact()
        forking.say(f"done {hook.soak_calls()}")


if __name__ == "__main__":
    forking.serve(change)
