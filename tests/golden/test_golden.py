"""One query object, the same answers: Python, the command line, HTTP and MCP find the ids of the golden file.

`python -m tests.golden.surfaces` writes the file anew where a change of ranking is meant.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import uvicorn
from mcp import ClientSession
from mcp.shared.memory import create_connected_server_and_client_session
from tests.golden.surfaces import Names, as_bytes, as_path, by_python, found, made, queries
from tests.helpers.command_line import plait
from typer.testing import CliRunner

from plait.cli.main import app
from plait.library import Library
from plait.serve.http import create_app
from plait.serve.jobs import InProcess, Workshop
from plait.serve.limits import Limits
from plait.serve.mcp.server import create_server

TOKEN = "golden-token-that-is-long-enough-to-be-one"
GOLDEN = {golden.name: golden for golden in queries()}


@dataclass(frozen=True)
class Shop:
    folder: Path
    library: Library
    names: Names


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    with made(folder) as library:
        yield Shop(folder, library, Names(library))


def test_there_are_forty_queries_of_every_form() -> None:
    assert len(GOLDEN) == len(queries()) == 40
    every = [json.dumps(golden.request) for golden in GOLDEN.values()]
    for form in ("texts", "images", "image_boxes", "like", "filters", "facets", "per_group", "fold", "lanes"):
        assert any(f'"{form}"' in request for request in every)
    assert any(golden.pages > 1 for golden in GOLDEN.values())
    kinds = {golden.request.get("kind") for golden in GOLDEN.values()}
    assert kinds == {None, "page", "passage", "figure", "table", "document"}
    weights = [
        w for g in GOLDEN.values() for name, of in g.request["query"].items() if "weights" in name for w in of
    ]
    assert min(weights) < 0 < max(weights)


@pytest.mark.parametrize("name", GOLDEN)
def test_python_and_the_command_line_find_the_same(
    shop: Shop, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = GOLDEN[name]
    assert by_python(shop.library, shop.names, shop.folder, golden) == golden.ids
    monkeypatch.chdir(shop.folder)
    monkeypatch.setattr(Library, "find", lambda: _Lent(shop.library))
    runner = CliRunner()

    def written(cursor: str) -> Any:
        more = ["--cursor", cursor] if cursor else []
        ran = runner.invoke(
            app, ["search", *shop.names.arguments(golden), *more, "--json"], catch_exceptions=False
        )
        return json.loads(ran.stdout)

    def whole(cursor: str) -> Any:
        request = {**shop.names.request(golden, as_path(shop.folder)), "cursor": cursor}
        ran = runner.invoke(
            app, ["search", "--request", "-", "--json"], input=json.dumps(request), catch_exceptions=False
        )
        return json.loads(ran.stdout)

    assert found(golden, shop.names, written) == golden.ids
    assert found(golden, shop.names, whole) == golden.ids


class _Lent:
    """An open library whose command may not close it."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def __enter__(self) -> Library:
        return self._library

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize("name", ["another region", "an unwanted text that weighs"])
def test_a_process_of_its_own_finds_the_same(shop: Shop, name: str) -> None:
    golden = GOLDEN[name]
    ran = plait("search", *shop.names.arguments(golden), "--json", cwd=shop.folder)
    assert ran.returncode == 0, ran.stderr
    assert found(golden, shop.names, lambda _: json.loads(ran.stdout)) == golden.ids


@pytest.fixture(scope="module")
def client(shop: Shop) -> Iterator[httpx.Client]:
    """A client of the service over the library, in a real server."""
    workshop = Workshop(InProcess(shop.library.encoder()))
    service = create_app(shop.library, token=TOKEN, limits=Limits(query_mb=4), workshop=workshop, audit=False)
    server = uvicorn.Server(
        uvicorn.Config(service, port=0, log_level="error", access_log=False, lifespan="on")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, timeout=60
    ) as opened:
        yield opened
    server.should_exit = True
    thread.join(10)


@pytest.mark.parametrize("name", GOLDEN)
def test_http_finds_the_same(shop: Shop, client: httpx.Client, name: str) -> None:
    golden = GOLDEN[name]
    request = shop.names.request(golden, as_bytes(shop.folder))

    def ask(cursor: str) -> Any:
        answer = client.post("/search", json={**request, "cursor": cursor})
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert found(golden, shop.names, ask) == golden.ids


def test_mcp_finds_the_same(shop: Shop) -> None:
    said: dict[str, tuple[str, ...]] = {}

    async def ask(client: ClientSession, request: dict[str, Any]) -> Any:
        answer = await client.call_tool("search", {**request, "pictures": 0})
        assert not answer.isError, answer.content
        return answer.structuredContent

    async def converse() -> None:
        async with create_connected_server_and_client_session(create_server(shop.library)) as client:
            for golden in GOLDEN.values():
                request = shop.names.request(golden, as_path(shop.folder))
                ids: list[str] = []
                cursor = ""
                for _ in range(golden.pages):
                    answer = await ask(client, {**request, "cursor": cursor})
                    ids += [shop.names.named(hit) for hit in answer["hits"]]
                    cursor = answer["next_cursor"]
                said[golden.name] = tuple(ids)

    anyio.run(converse)
    assert said == {name: golden.ids for name, golden in GOLDEN.items()}


def test_facets_and_what_was_folded_are_the_same_on_every_surface(shop: Shop, client: httpx.Client) -> None:
    request = {"query": {"texts": ["brush the chain with warm water"]}, "facets": ["type"], "k": 2}
    by_http = client.post("/search", json=request).json()
    ran = CliRunner().invoke(
        app, ["search", "--request", "-", "--json", "--library", str(shop.folder)], input=json.dumps(request)
    )
    by_command = json.loads(ran.stdout)
    assert by_http["facets"] == by_command["facets"] != []
    assert [hit["folded"] for hit in by_http["hits"]] == [hit["folded"] for hit in by_command["hits"]]
