"""Fetch the training data of plait-mini from Debian, train, and write the shipped weights.

    python scripts/train_plait_mini.py --cache ~/.cache/plait-training

Needs Debian or Ubuntu (`apt-get download`, `dpkg -x`; no root), about 1 GB of disk, and two CPU cores for
about an hour, most of it for features and validation; both are kept in the cache and not made twice.
The data never enters the repository; what is trained on it is src/plait/model/mini/weights/plait-mini.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
from pathlib import Path

from plait.train.mini.recipe import run
from plait.train.mini.sources import SOURCES

OUT = Path(__file__).resolve().parent.parent / "src" / "plait" / "model" / "mini" / "weights" / "plait-mini"


def main() -> None:
    """Parse, fetch, train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "plait-training")
    parser.add_argument("--out", type=Path, default=OUT, help="where the weights are written")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    packages = arguments.cache.expanduser() / "packages"
    for source in SOURCES:
        fetch(source.package, packages)
    run(packages, arguments.cache.expanduser() / "work", arguments.out)


def fetch(package: str, packages: Path) -> None:
    """Download and unpack one Debian package, unless it is there."""
    folder = packages / package
    if folder.exists():
        return
    packages.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", package], cwd=packages, check=True)
    archive = next(packages.glob(f"{package}_*.deb"))
    subprocess.run(["dpkg", "-x", archive, folder.with_suffix(".part")], check=True)
    folder.with_suffix(".part").rename(folder)
    archive.unlink()


if __name__ == "__main__":
    main()
