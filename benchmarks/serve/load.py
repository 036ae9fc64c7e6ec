"""A service under load: how long searches take, how many fail, what they cost, and whether memory stays flat.

    python -m benchmarks.serve.load --minutes 10
    python -m benchmarks.serve.load --minutes 3 --ingest 1000

`plait serve` runs in a process of its own over the library of `material`. Clients in this process send the
queries of its queries.jsonl, each only once unless there are too few, over connections that stay open; each
client sends its next query when it has the answer to its last. With --ingest, so many pages of HTML are sent
to POST /documents meanwhile, in a copy of the library, so that the next run finds it as it was.

CPU is that of the server and of its children, a request. Of searches while pages are added, that holds what
adding them costs, too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks.measuring import own_bytes, resident_bytes, tree
from benchmarks.real_input.fetch import CACHE
from benchmarks.serve.material import prepare, queries_in
from benchmarks.serve.pages import pages, sent

_TICK = os.sysconf("SC_CLK_TCK")
_WARM_UP = 40  # requests that are not counted


@dataclass
class Load:
    """What was measured.

    Attributes:
        seconds: of each answer, in order.
        failures: status, or the error's name, and how often.
        cpu_seconds: of the server and its children, meanwhile.
        resident_mb: of the server and its children, every few seconds.
        own_mb: of that, what are not files that they map, which the system takes back when it needs memory.
        added: pages that were added meanwhile, in so many seconds.
    """

    seconds: list[float] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    resident_mb: list[float] = field(default_factory=list)
    own_mb: list[float] = field(default_factory=list)
    added: int = 0
    adding_seconds: float = 0.0

    def summary(self) -> dict[str, Any]:
        """Return the table's values; times in milliseconds."""
        p50, p95, p99 = np.percentile(self.seconds or [np.nan], [50, 95, 99]) * 1000
        count = max(1, len(self.seconds))
        return {
            "searches": len(self.seconds),
            "failures": self.failures,
            "per_second": round(len(self.seconds) / self.wall_seconds, 1),
            "p50_ms": round(p50, 1),
            "p95_ms": round(p95, 1),
            "p99_ms": round(p99, 1),
            "most_ms": round(max(self.seconds, default=np.nan) * 1000, 1),
            "cpu_ms_a_search": round(1000 * self.cpu_seconds / count, 1),
            "resident_mb": _course(self.resident_mb),
            "own_mb": _course(self.own_mb),
            "pages_added": self.added,
            "adding_seconds": round(self.adding_seconds, 1),
            "load_average": round(os.getloadavg()[0], 1),
        }


def _course(values: Sequence[float]) -> list[int]:
    """Return the first, those at each quarter, and the last."""
    return [round(values[at * (len(values) - 1) // 4]) for at in range(5)] if values else []


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--cache", type=Path, default=CACHE)
    options.add_argument("--units", type=int, default=100_000)
    options.add_argument("--clients", type=int, default=8)
    options.add_argument("--minutes", type=float, default=1.0)
    options.add_argument("--ingest", type=int, default=0, help="pages to add meanwhile")
    options.add_argument("--no-fold", action="store_true", help="leave near duplicates where they are")
    options.add_argument("--out", type=Path, help="a JSON file to write everything measured to")
    asked = options.parse_args()
    folder = prepare(asked.cache, asked.units)
    queries = [{**query, "fold": not asked.no_fold} for query in queries_in(folder)]
    with _copied(folder, is_needed=asked.ingest > 0) as library, _served(library) as (server, address):
        load = asyncio.run(
            measure(server, address, queries, asked.clients, asked.minutes * 60, pages_to_add=asked.ingest)
        )
    print(json.dumps(load.summary(), indent=1))
    if asked.out:
        asked.out.write_text(json.dumps({"summary": load.summary(), **asdict(load)}) + "\n")


async def measure(
    server: int,
    address: str,
    queries: Sequence[dict[str, Any]],
    clients: int,
    seconds: float,
    *,
    pages_to_add: int = 0,
) -> Load:
    """Return what clients meet in so many seconds, or until the pages are added if that takes longer."""
    bodies = [json.dumps(query).encode() for query in queries]
    following = iter(range(10**9))
    load, warm = Load(), Load()
    await _together(address, bodies, following, clients, warm, _Until(searches=_WARM_UP))
    began, cpu = time.perf_counter(), _cpu_seconds(server)
    until = _Until(time=began + seconds)
    watching = asyncio.create_task(_watch(server, load, until))
    adding = asyncio.create_task(_add(address, pages_to_add, load, until)) if pages_to_add else None
    await _together(address, bodies, following, clients, load, until)
    load.wall_seconds, load.cpu_seconds = time.perf_counter() - began, _cpu_seconds(server) - cpu
    if adding is not None:
        await adding
    watching.cancel()
    return load


@dataclass
class _Until:
    """When clients stop: at a time, after so many searches, or when nothing holds them any more."""

    time: float = float("inf")
    searches: int = 10**9
    held: bool = False

    def is_over(self, load: Load) -> bool:
        done = time.perf_counter() >= self.time and not self.held
        return done or len(load.seconds) + sum(load.failures.values()) >= self.searches


async def _together(
    address: str, bodies: Sequence[bytes], following: Iterator[int], clients: int, load: Load, until: _Until
) -> None:
    every = (_client(address, bodies, following, load, until) for _ in range(clients))
    await asyncio.gather(*every)


async def _client(
    address: str, bodies: Sequence[bytes], following: Iterator[int], load: Load, until: _Until
) -> None:
    """Ask one query after the other over one connection, and a new one after an error."""
    parts = urlsplit(address)
    token = parts.fragment.removeprefix("token=")
    head = f"POST /search HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: "
    connection: Connection | None = None
    while not until.is_over(load):
        body = bodies[next(following) % len(bodies)]
        request = f"{head}{len(body)}\r\n\r\n".encode() + body
        began = time.perf_counter()
        try:
            connection = connection or await asyncio.open_connection(parts.hostname, parts.port)
            status, _ = await answer(connection, request)
        except (OSError, EOFError, ValueError) as error:
            status, connection = type(error).__name__, None
        if status == "200":
            load.seconds.append(time.perf_counter() - began)
        else:
            load.failures[status] = load.failures.get(status, 0) + 1
            await asyncio.sleep(0.1)
    if connection is not None:
        connection[1].close()


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def answer(connection: Connection, request: bytes) -> tuple[str, bytes]:
    """Send a request; return the status and the body."""
    reader, writer = connection
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lengths = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
    body = await reader.readexactly(int(lengths[0].partition(":")[2]))
    return head.split(" ", 2)[1], body


async def _add(address: str, count: int, load: Load, until: _Until) -> None:
    """Send pages, wait until they are added, and let clients go on until then."""
    until.held = True
    began = time.perf_counter()
    try:
        load.added = await sent(address, pages(count))
    finally:
        load.adding_seconds, until.held = time.perf_counter() - began, False


async def _watch(server: int, load: Load, until: _Until) -> None:
    while not until.is_over(load):
        with suppress(OSError):
            load.resident_mb.append(sum(resident_bytes(process) for process in tree(server)) / 1e6)
            load.own_mb.append(sum(own_bytes(process) for process in tree(server)) / 1e6)
        await asyncio.sleep(3)


def _cpu_seconds(server: int) -> float:
    """Return what a process has used so far, with its children that have ended, and those that have not."""
    total = 0
    for process in tree(server):
        with suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15] if process == server else fields[11:13]))
    return total / _TICK


@contextmanager
def _copied(folder: Path, *, is_needed: bool) -> Iterator[Path]:
    """Give the folder, or a copy of it that goes afterwards."""
    if not is_needed:
        yield folder
        return
    copy = folder.with_name(f"{folder.name}-copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    try:
        yield copy
    finally:
        shutil.rmtree(copy, ignore_errors=True)


@contextmanager
def _served(folder: Path) -> Iterator[tuple[int, str]]:
    """Run `plait serve`; give its process and its address with the token."""
    command = [sys.executable, "-m", "plait", "serve", "--port", "0", "--library", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = next((line for line in server.stdout if line.startswith("http")), "")
            if not line:
                sys.exit("plait serve did not start: run it by hand to see why")
            yield server.pid, line.strip()
        finally:
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    main()
