"""Fetch the documents that the benchmarks read, from Debian's own packages (Debian or Ubuntu).

    python -m benchmarks.real_input.fetch [--cache FOLDER] [PACKAGE ...]

Nothing is installed: each package is downloaded by apt-get and unpacked into the cache folder.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path.home() / ".cache" / "plait-benchmarks"
# Packages and the folder inside of each that holds the documents.
FOLDER_OF = {
    "gimp-help-en": "usr/share/gimp/2.0/help/en",
    "texlive-science-doc": "usr/share/doc/texlive-doc",
    "tuxpaint-stamps-default": "usr/share/tuxpaint/stamps",
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("packages", nargs="*", default=list(FOLDER_OF), help="default: all that are used")
    options.add_argument("--cache", type=Path, default=CACHE, help=f"default: {CACHE}")
    asked = options.parse_args()
    for package in asked.packages:
        print(f"{package}: {fetch(package, asked.cache)}")


def fetch(package: str, cache: Path) -> Path:
    """Return the folder of an unpacked package, downloading it first if it is not there."""
    target = cache / package
    if target.is_dir():
        return target
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not here: run this on Debian or Ubuntu, or unpack {package} into {target}")
    downloads = cache / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    _run(["apt-get", "download", package], downloads, "try  apt-get update  first")
    archive = max(downloads.glob(f"{package}_*.deb"), key=lambda file: file.stat().st_mtime)
    unpacked = cache / f"{package}.new"  # renamed once whole, so that an interruption leaves no half
    shutil.rmtree(unpacked, ignore_errors=True)
    _run(
        ["dpkg", "-x", str(archive.resolve()), str(unpacked.resolve())],
        downloads,
        "delete it and fetch again",
    )
    unpacked.rename(target)
    return target


def documents_of(package: str, cache: Path) -> Path:
    """Return the folder of a fetched package that holds its documents."""
    folder = cache / package / FOLDER_OF[package]
    if not folder.is_dir():
        sys.exit(f"{folder} is not there: run  python -m benchmarks.real_input.fetch --cache {cache}")
    return folder


def _run(command: list[str], folder: Path, remedy: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[:2])} failed: {done.stderr.strip()[-300:]}; {remedy}")


if __name__ == "__main__":
    main()
