"""A disk that is full or may not be written: a clear error, nothing lost, and on when there is room."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNSHARE = [shutil.which("unshare") or "unshare", "-Urm"]


@pytest.fixture
def namespace() -> list[str]:
    """Return the command that lets a process mount what only it sees."""
    if shutil.which("unshare") is None or subprocess.run([*UNSHARE, "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a file system of its own")
    return UNSHARE


def told(what: str, folder: Path, *rest: int, within: list[str] | None = None) -> dict[str, str]:
    command = [sys.executable, "-m", "tests.index.full_disk_worker", what, folder, *map(str, rest)]
    run = subprocess.run(
        [*(within or []), *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("exact_bytes", [0, 1 << 26])
def test_a_full_disk_loses_nothing_and_the_store_goes_on_when_there_is_room(tmp_path, namespace, exact_bytes):
    said = told("full", tmp_path, exact_bytes, within=namespace)
    assert said["found"] == []
    assert said["stored"] > 5
    for error in (said["full"], said["refused again"], said["optimize"]):
        assert "No space left on device" in error
        assert str(tmp_path / "store") in error
        assert ".rs:" not in error  # a place in the sources of LanceDB helps nobody


def test_a_file_that_may_not_grow_loses_nothing(tmp_path):
    said = told("large", tmp_path)
    assert said["found"] == []
    for change in ("add", "replace", "compact"):
        assert "File too large" in said[change]


def test_a_store_mounted_for_reading_only_is_searched_and_says_why_it_cannot_be_changed(tmp_path, namespace):
    said = told("mounted", tmp_path, within=namespace)
    assert said["found"] == []
    for change in ("add", "remove", "optimize", "new"):
        assert "Read-only file system" in said[change]


def test_a_store_of_another_user_is_searched_and_says_why_it_cannot_be_changed():
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders may not be entered by others
        Path(folder).chmod(0o755)
        said = told("owned", Path(folder) / "store")
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o755)
    assert said["found"] == []
    for change in ("add", "remove", "optimize", "new"):
        assert "Permission denied" in said[change]
