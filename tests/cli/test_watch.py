"""plait watch: a real process that follows a folder until it is told to end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def watching(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    code = "from plait.cli.main import run; run()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "watch", ".", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_changes_are_followed_until_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "valve.md").write_text("# Valve\n\nClose it.\n")
    with watching(tmp_path) as process:
        assert line(process).endswith("  1 added\n")
        (tmp_path / "valve.md").unlink()
        assert line(process).endswith("  1 removed\n")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (
        0,
        "plait: no longer watching .; the same command catches up\n",
    )


def test_json_gives_a_line_a_batch_and_sigterm_ends_it_too(tmp_path: Path) -> None:
    with watching(tmp_path, "--json") as process:
        told = json.loads(line(process))
        assert (told["added"], told["removed"], told["error"]) == (0, [], "")
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0
