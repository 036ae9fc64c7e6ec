"""A library of two pages, and the service over it in a real server on the loopback."""

from __future__ import annotations

import io
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from PIL import Image, ImageDraw
from tests.helpers.libraries import write_titled
from tests.helpers.tiny_encoder import TinyEncoder

from plait.library import Library
from plait.serve.crew import Crew
from plait.serve.http import create_app
from plait.serve.jobs import InProcess, Workshop
from plait.serve.limits import Limits

TOKEN = "test-token-that-is-long-enough-to-be-one"

PAGES = (
    ("valve", "brown", "Close the safety valve before you open the boiler."),
    ("filter", "blue", "Rinse the filter basket under warm water once a week."),
)


def drawn(color: str, kind: str = "PNG") -> bytes:
    image = Image.new("RGB", (120, 90), "white")
    ImageDraw.Draw(image).ellipse((20, 15, 100, 75), fill=color)
    data = io.BytesIO()
    image.save(data, kind)
    return data.getvalue()


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library of two pages, made once; tests that write take a copy."""
    folder = tmp_path_factory.mktemp("shelf")
    manual = folder / "manual"
    manual.mkdir()
    for name, color, text in PAGES:
        write_titled(manual, name, text, drawn(color))
    with Library(folder, encoder=TinyEncoder()) as opened:
        assert opened.add([manual]).added == 2
    return folder


@pytest.fixture
def library(shelf: Path, tmp_path: Path) -> Iterator[Library]:
    shutil.copytree(shelf, tmp_path / "shelf", ignore=shutil.ignore_patterns("audit"))
    with Library(tmp_path / "shelf", encoder=TinyEncoder()) as opened:
        yield opened


@dataclass
class Service:
    """A running service: its port, a client that knows the token, and one that does not."""

    port: int
    client: httpx.Client
    stranger: httpx.Client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def app_of(library: Library, *, audit: bool = False, crew: Crew | None = None, **limits: float) -> FastAPI:
    """Return a service over a library of the small encoder, with small limits but for those given."""
    small: dict[str, float] = {"query_mb": 1, "upload_mb": 2, "failure_burst": 10_000}
    return create_app(
        library,
        token=TOKEN,
        limits=Limits(**{**small, **limits}),  # type: ignore[arg-type]
        workshop=Workshop(InProcess(TinyEncoder())),
        audit=audit,
        crew=crew,
    )


@contextmanager
def listening(config: uvicorn.Config) -> Iterator[tuple[str, int]]:
    """Run a server in a thread; give its address."""
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server ended before it began"
        time.sleep(0.005)
    try:
        yield server.servers[0].sockets[0].getsockname()[:2]
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def running(app: FastAPI) -> Iterator[Service]:
    """Run an app in uvicorn on a free port of the loopback."""
    config = uvicorn.Config(app, port=0, log_level="error", access_log=False, lifespan="on")
    with listening(config) as (_, port):
        url, token = f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {TOKEN}"}
        with (
            httpx.Client(base_url=url, headers=token, trust_env=False, timeout=20) as client,
            httpx.Client(base_url=url, trust_env=False, timeout=20) as stranger,
        ):
            yield Service(port, client, stranger)


@pytest.fixture
def service(library: Library) -> Iterator[Service]:
    """The service over a library of this test's own."""
    with running(app_of(library)) as started:
        yield started


@pytest.fixture(scope="session")
def shared(shelf: Path) -> Iterator[Service]:
    """The service over the library that no test changes."""
    with (
        Library(shelf, encoder=TinyEncoder()) as opened,
        running(app_of(opened)) as started,
    ):
        yield started
