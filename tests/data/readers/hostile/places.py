"""Names and places that are no plain files, or lead out of the folder."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.data.readers.hostile.lures import Lures

WORDS = b"Plain words of a file."


@contextmanager
def laid(folder: Path, lures: Lures) -> Iterator[list[Path]]:
    """Lay them into a folder; give the paths to read."""
    (folder / "plain.txt").write_bytes(WORDS)
    (folder / "folder.pdf").mkdir()
    os.mkfifo(folder / "pipe.txt")
    links = {"to-secret.txt": lures.text, "to-secret.png": lures.picture, "to-itself.txt": "to-itself.txt"}
    links |= {"to-nothing.txt": "nothing", "to-plain.txt": "plain.txt", "to-pipe.txt": "pipe.txt"}
    for name, target in {**links, "to-folder": lures.text.parent}.items():
        (folder / name).symlink_to(target)
    odd = [
        b"new\nline.txt",
        b"\xff\xfe.txt",
        b"-rf.txt",
        b"bell\x07 \x1b[31m.txt",
        b"x" * 250 + b".txt",
        b"$(a).txt",
    ]
    named = [Path(os.fsdecode(os.path.join(os.fsencode(folder), name))) for name in odd]
    for path in named:
        path.write_bytes(WORDS)
    local = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    try:
        os.chdir(folder)  # the name of a socket may have 107 bytes
        local.bind("socket.txt")
    finally:
        os.chdir(here)
    with local:
        yield [
            *(folder / name for name in ("plain.txt", "folder.pdf", "pipe.txt", "socket.txt", "missing.txt")),
            *(folder / name for name in links),
            *(folder / "to-folder" / name for name in ("secret.txt", "secret.png")),
            *named,
            *(Path("/dev") / name for name in ("zero", "null", "tty")),
            Path("/proc/self/mem"),
            folder / ".." / lures.text.parent.name / "secret.txt",
        ]
