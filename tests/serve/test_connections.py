"""Whoever opens connections and says nothing, or nonsense, keeps nobody else out."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import anyio
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from tests.serve.conftest import listening

from plait.serve.connections import GuardedConnection, reachable_warning

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
SIZES = (1, 2, 5000, 3, 70_000, 300_000, 4, 4096, 5)


class Hasty(GuardedConnection):
    head_seconds = 0.2
    most = 5


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """A server that waits a fifth of a second for a head, and has room for five connections."""

    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse((await request.body()) or b"hello")

    async def pieces(request: Request) -> StreamingResponse:
        """Send a small piece, wait for the request's body, and send pieces of many sizes."""

        async def every() -> AsyncIterator[bytes]:
            yield b"first"
            await request.body()
            for size in SIZES:
                yield b"%x" % (size % 16) * size
                if size == 5000:
                    await anyio.sleep(0)  # others follow in the same turn of the loop

        return StreamingResponse(every(), media_type="text/plain")

    routes = [Route("/", answer, methods=["GET", "POST"]), Route("/pieces", pieces, methods=["POST"])]
    app = Starlette(routes=routes)
    config = uvicorn.Config(
        app, port=0, log_level="critical", http=Hasty, lifespan="off", timeout_keep_alive=60
    )
    with listening(config) as at:
        yield at


@contextmanager
def connected(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=5) as connection:
        yield connection


def asked(address: tuple[str, int]) -> bytes:
    with connected(address) as connection:
        connection.sendall(HEAD + b"Connection: close\r\n\r\n")
        return everything(connection)


def everything(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes."""
    try:
        return b"".join(iter(lambda: connection.recv(65536), b""))
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("sent", [b"", HEAD, HEAD + b"X-A: b"])
def test_a_head_that_does_not_come_closes_the_connection(address: tuple[str, int], sent: bytes) -> None:
    with connected(address) as connection:
        connection.sendall(sent)
        assert everything(connection) == b""


def test_a_second_head_has_its_time_too(address: tuple[str, int]) -> None:
    with connected(address) as connection:
        connection.sendall(HEAD + b"\r\n")
        while not connection.recv(65536).endswith(b"hello"):
            pass
        connection.sendall(HEAD)  # stops the keep-alive time of uvicorn, which is a minute here
        assert everything(connection) == b""


def test_whoever_speaks_is_answered_though_the_body_comes_later_than_a_head_may(
    address: tuple[str, int],
) -> None:
    with connected(address) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
        with connected(address) as silent:
            everything(silent)  # by now the time for a head is over
        connection.sendall(b"late")
        assert b"200 OK" in connection.recv(65536)


def test_the_head_of_an_answer_comes_with_its_body(address: tuple[str, int]) -> None:
    with connected(address) as connection:
        for _ in range(30):
            connection.sendall(HEAD + b"\r\n")
            said = connection.recv(65536)
            assert said.startswith(b"HTTP/1.1 200 OK\r\n")
            assert said.endswith(b"\r\n\r\nhello")


def test_an_answer_of_many_pieces_is_whole_and_waits_for_none_to_come(address: tuple[str, int]) -> None:
    with connected(address) as connection:
        head = b"POST /pieces HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"
        connection.sendall(head + b"g")
        said = b""
        while not said.endswith(b"first\r\n"):
            said += connection.recv(65536)
        connection.sendall(b"o")
        rest = everything(connection)
    whole = b"".join(b"%x\r\n" % size + b"%x" % (size % 16) * size + b"\r\n" for size in SIZES)
    assert rest == whole + b"0\r\n\r\n"


def test_one_connection_too_many_is_closed_and_room_comes_back(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hasty, "head_seconds", 60)
    opened = [socket.create_connection(address, timeout=5) for _ in range(5)]
    assert asked(address) == b""
    for connection in opened:
        connection.close()
    while not (said := asked(address)):
        time.sleep(0.005)
    assert said.endswith(b"hello")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        HEAD + b"X: " + b"y" * 100_000,
    ],
)
def test_what_is_no_request_is_told_so_with_all_headers(address: tuple[str, int], sent: bytes) -> None:
    with connected(address) as connection:
        connection.sendall(sent)
        said = everything(connection)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in said
    assert b"nosniff" in said
    assert b"default-src 'none'; sandbox" in said


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_nothing_is_said_of_addresses_of_this_machine(host: str) -> None:
    assert reachable_warning(host) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "plait.example"])
def test_every_other_address_is_warned_of(host: str) -> None:
    assert "unencrypted" in (reachable_warning(host) or "")
