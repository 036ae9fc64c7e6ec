"""`plait serve` as a process: what it prints, whom it answers, and how it stops."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "plait", "serve", "--library", str(folder), "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture
def process(shelf: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    shutil.copytree(shelf, tmp_path / "shelf")
    started = start(tmp_path / "shelf")
    yield started
    started.kill()
    started.communicate()


def test_it_prints_one_address_and_answers_there(process: subprocess.Popen[str], tmp_path: Path) -> None:
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    parts = urlsplit(address)
    token = parts.fragment.removeprefix("token=")
    kept = tmp_path / "shelf/.plait/token"
    assert parts.hostname == "127.0.0.1"
    assert kept.read_text().strip() == token
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    with httpx.Client(base_url=f"http://{parts.netloc}", trust_env=False, timeout=20) as client:
        assert client.get("/status").status_code == 401
        reply = client.get("/status", headers={"Authorization": f"Bearer {token}"})
        assert reply.json()["documents"] == 2
        assert "server" not in reply.headers

    with pytest.raises(OSError):  # the loopback only: no other address of this machine answers
        socket.create_connection((_other_address(), parts.port or 0), timeout=2).close()

    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=20)
    assert rest == ""
    assert "Traceback" not in errors


def test_a_taken_port_is_said_in_one_line(shelf: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = start(shelf, "--port", port)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in errors
    assert len(errors.strip().splitlines()) == 1


def _other_address() -> str:
    """Return an address of this machine beside 127.0.0.1; any other loopback one will do on Linux."""
    return "127.0.0.2"
