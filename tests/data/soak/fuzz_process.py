"""One target under atheris: `python -m tests.data.soak.fuzz_process TARGET`, then options of libFuzzer."""

from __future__ import annotations

import sys

import atheris


def main() -> None:
    """Feed the target until the time is over or something breaks; the process ends with it."""
    with atheris.instrument_imports(include=["plait.data"]):
        from tests.data.soak.fuzz_targets import TARGETS
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
