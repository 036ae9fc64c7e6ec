"""Work ends when its client hangs up, whenever that is, and never for a client that was answered."""

from __future__ import annotations

import gc
import queue
import socket
import threading
from collections.abc import Iterator

import anyio
import anyio.to_thread
import pytest
import uvicorn
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send
from tests.serve.conftest import listening

from plait.serve.attending import Attending
from plait.serve.connections import GuardedConnection
from plait.serve.refusals import Refusal

BODY = b"Content-Length: 6\r\n\r\n"


class Told:
    """What an app tells of its requests, in order."""

    def __init__(self) -> None:
        self._said: queue.Queue[str] = queue.Queue()
        self.go_on = threading.Event()

    def next(self) -> str:
        return self._said.get(timeout=10)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._said.put("began")
        try:
            await getattr(self, scope["path"].strip("/"))(Request(scope, receive), send)
            self._said.put("ended")
        except anyio.get_cancelled_exc_class():
            self._said.put("cancelled")
            raise

    async def unread(self, _request: Request, _send: Send) -> None:
        await anyio.sleep_forever()

    async def read(self, request: Request, _send: Send) -> None:
        self._said.put(f"read {len(await request.body())}")
        await anyio.sleep_forever()

    async def late(self, request: Request, _send: Send) -> None:
        """Ask only when the first part has been taken."""
        await anyio.sleep(0.1)
        if len(await request.body()) == 6:
            self._said.put("read 6")
        await anyio.sleep_forever()

    async def again(self, request: Request, _send: Send) -> None:
        """Ask for more than there is, as an answer of many parts does meanwhile."""
        while (await request.receive())["type"] == "http.request":
            self._said.put("more")

    async def thread(self, request: Request, _send: Send) -> None:
        await request.body()
        await anyio.to_thread.run_sync(self.go_on.wait, 10)
        self._said.put("thread ended")
        await anyio.sleep(0)

    async def answered(self, request: Request, send: Send) -> None:
        await request.body()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"o", "more_body": True})
        await send({"type": "http.response.body", "body": b"k"})
        await anyio.to_thread.run_sync(self.go_on.wait, 10)
        await anyio.sleep(0.05)

    async def broken(self, _request: Request, _send: Send) -> None:
        raise ZeroDivisionError


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def address(told: Told) -> Iterator[tuple[str, int]]:
    config = uvicorn.Config(
        Attending(told), port=0, log_level="critical", http=GuardedConnection, lifespan="off"
    )
    with listening(config) as at:
        yield at
        told.go_on.set()


def sent(address: tuple[str, int], method: str, path: str, rest: bytes) -> socket.socket:
    connection = socket.create_connection(address, timeout=10)
    connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\n".encode() + rest)
    return connection


@pytest.mark.parametrize(
    ("method", "path", "rest", "told_before"),
    [
        ("GET", "/unread", b"\r\n", []),
        ("DELETE", "/unread", BODY + b"unread", []),
        ("POST", "/unread", BODY + b"unread", []),
        ("POST", "/late", BODY + b"a body", ["read 6"]),
        ("POST", "/late", BODY + b"a", []),
        ("POST", "/read", BODY + b"a body", ["read 6"]),
        ("POST", "/read", b"\r\n", ["read 0"]),
        ("GET", "/read", b"\r\n", ["read 0"]),
        ("POST", "/read", BODY + b"a", []),  # while it is being sent
        ("POST", "/again", BODY + b"a body", ["more"]),
        ("GET", "/again", b"\r\n", ["more"]),
    ],
)
def test_work_for_a_client_that_hung_up_is_cancelled(
    address: tuple[str, int], told: Told, method: str, path: str, rest: bytes, told_before: list[str]
) -> None:
    with sent(address, method, path, rest):
        assert told.next() == "began"
        assert [told.next() for _ in told_before] == told_before
    assert told.next() == "cancelled"


def test_what_runs_in_a_thread_comes_to_its_end(address: tuple[str, int], told: Told) -> None:
    with sent(address, "POST", "/thread", BODY + b"a body"):
        assert told.next() == "began"
    with sent(address, "GET", "/unread", b"\r\n"):  # the server has seen by now that the first is gone
        assert told.next() == "began"
    assert told.next() == "cancelled"
    told.go_on.set()
    assert [told.next(), told.next()] == ["thread ended", "cancelled"]


def test_what_follows_the_answer_is_done_though_the_client_is_gone(
    address: tuple[str, int], told: Told
) -> None:
    with sent(address, "POST", "/answered", BODY + b"a body") as connection:
        said = b""
        while not said.endswith(b"ok"):
            said += connection.recv(65536)
    told.go_on.set()
    assert [told.next(), told.next()] == ["began", "ended"]


@pytest.mark.parametrize("asks", [True, False])
def test_why_a_body_does_not_come_is_told_to_an_app_that_asks_and_to_nobody_else(
    asks: bool, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[Exception] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await anyio.sleep(0.1)  # by now its first part has been asked for
        if asks:
            with pytest.raises(Refusal) as refused:
                await receive()
            asked.append(refused.value)

    async def receive() -> Message:
        raise Refusal(413, "TooLarge", "too large")

    async def send(message: Message) -> None:
        raise AssertionError(message)

    anyio.run(Attending(app), {"type": "http"}, receive, send)
    gc.collect()  # asyncio tells of errors that nobody saw when a task goes
    assert len(asked) == asks
    assert not caplog.records


def test_an_error_of_the_app_is_its_own(address: tuple[str, int], told: Told) -> None:
    with sent(address, "POST", "/broken", BODY + b"a body") as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 500 ")
    assert told.next() == "began"
