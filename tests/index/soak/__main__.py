"""`python -m tests.index.soak --kills 300`: kill a writer that often, and print where and what was found."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.index.soak.killing import soak


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="as a small library is searched: no scan files")
    asked = parser.parse_args()
    options = {} if asked.small else {"exact_bytes": 0}
    with tempfile.TemporaryDirectory() as scratch:
        report = soak(Path(scratch) / "store", kills=asked.kills, seed=asked.seed, options=options)
    print(report)
    return bool(report.findings)


if __name__ == "__main__":
    sys.exit(main())
