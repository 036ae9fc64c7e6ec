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

import anyio
import httpx
import pytest
from tests.helpers.tiny_encoder import TinyEncoder

from plait.library import Library
from plait.serve.jobs import InProcess, Job, Jobs, Workshop


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
        sent = client.post(
            "/documents",
            headers={"Authorization": f"Bearer {token}"},
            files={"file": ("new.txt", b"The fan belt is worn.")},
        )
        assert sent.status_code == 202

    with pytest.raises(OSError):  # the loopback only: no other address of this machine answers
        socket.create_connection((_other_address(), parts.port or 0), timeout=2).close()

    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert rest == ""
    assert "Traceback" not in errors

    # What could not be added, as no process can load a test's encoder, waits for the next start.
    with Library(tmp_path / "shelf", encoder=TinyEncoder()) as library:
        workshop = Workshop(InProcess(TinyEncoder()))
        workshop.resume(library)
        (job,) = anyio.run(finished, workshop.jobs(library))
        workshop.stop()
        assert (job.id, job.state) == (sent.json()["jobs"][0]["id"], "added")
        assert len(library.documents()) == 3


async def finished(jobs: Jobs) -> list[Job]:
    return await jobs.finished([job.id for job in jobs.all()], seconds=20)


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
