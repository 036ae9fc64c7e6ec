"""How fast files become searchable, end to end: read, encoded, stored.

    python -m benchmarks.speed.adding PATH...

Adds files or folders to a new library in a temporary folder, in this process, so that the model's loading
counts too. Without a path: the illustrated handbook of examples/.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.measuring import described, machine, measure_add
from plait import Library

HANDBOOK = Path(__file__).parents[2] / "examples" / "handbook"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("paths", nargs="*", type=Path, default=[HANDBOOK])
    options.add_argument("--json", action="store_true", help="print all that was measured as JSON")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="plait-adding-") as folder, Library(folder) as library:
        cost = measure_add(library, asked.paths)
    on = machine()
    print(
        json.dumps({"added": cost.to_dict(), "machine": on}, indent=1)
        if asked.json
        else f"{cost}\n{described(on)}"
    )


if __name__ == "__main__":
    main()
