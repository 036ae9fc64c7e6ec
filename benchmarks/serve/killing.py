"""Kill `plait serve` and its worker at random moments while files are sent: what was accepted must be there.

python -m benchmarks.serve.killing --rounds 8 --seed 1
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import httpx

from plait.library import Library

_NAMES = 40  # files are sent under so many names: some replace others
_SECONDS = (1.0, 14.0)  # from the start of a server to its end


def main() -> None:
    """Print how often was killed, and what became of the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        with Library(folder) as library:
            library.add_documents(())
        accepted: dict[str, str] = {}
        workers = sum(_round(Path(folder), accepted, chance) for _ in range(options.rounds))
        counts = _finish(Path(folder))
        print(f"{options.rounds} servers and {workers} workers killed; jobs: {counts}")
        print(f"{_wrong(Path(folder), accepted)} of {len(accepted)} names are not as they were sent last")


class _Server:
    """`plait serve` over a library, and a client of it."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "plait", "serve", "--library", str(folder), "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        address, _, token = self.process.stdout.readline().strip().partition("/#token=")
        headers = {"Authorization": f"Bearer {token}"}
        self.client = httpx.Client(base_url=address, headers=headers, trust_env=False, timeout=20)

    def kill_worker(self) -> bool:
        command = ["pkill", "--signal", "KILL", "--parent", str(self.process.pid)]
        return subprocess.run(command, check=False).returncode == 0


def _round(folder: Path, accepted: dict[str, str], chance: random.Random) -> int:
    """Start a server, send files, and kill it; return how often its worker was killed before."""
    server, killed = _Server(folder), 0
    end = time.monotonic() + chance.uniform(*_SECONDS)
    worker_end = time.monotonic() + chance.uniform(*_SECONDS)
    while time.monotonic() < end:
        name, text = f"{chance.randrange(_NAMES)}.txt", f"about {uuid.UUID(int=chance.getrandbits(128))}"
        if server.client.post("/documents", files={"file": (name, text.encode())}).status_code == 202:
            accepted[name] = text
        if time.monotonic() > worker_end:
            killed += server.kill_worker()
            worker_end = float("inf")
        time.sleep(0.3)
    server.process.kill()
    server.process.wait()
    return killed


def _finish(folder: Path) -> dict[str, int]:
    """Let a last server do what is left; return how many jobs are in each state."""
    server = _Server(folder)
    while True:
        counts: dict[str, int] = server.client.get("/status").json()["jobs"]
        if not counts["waiting"] + counts["adding"]:
            server.process.terminate()
            server.process.wait()
            return counts
        time.sleep(0.5)


def _wrong(folder: Path, accepted: dict[str, str]) -> int:
    """Return how many files are stored otherwise than they were sent last."""
    with Library(folder, create=False) as library:
        sources = {document.id: os.path.basename(document.source) for document in library.documents()}
        stored = {sources[unit.document_id]: unit.passages[0].text for unit in library.units()}
        assert len(stored) == len(library.documents())
    return sum(stored.get(name) != text for name, text in accepted.items())


if __name__ == "__main__":
    main()
