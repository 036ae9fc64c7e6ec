"""Connections of the server: what sends its head too slowly is cut off, and so are too many of them.

An answer's head goes out together with its body: sending is much of what a short answer costs.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from plait.serve.passing import HEADERS
from plait.serve.refusals import MEDIA_TYPE, Refusal

HEAD_SECONDS = 15.0
MOST_CONNECTIONS = 512
_MOST_HELD = 4096  # bytes: heads of answers are shorter
_MOST_JOINED = 65_536  # bytes; joining is copying


class GuardedConnection(H11Protocol):  # type: ignore[misc]
    """uvicorn's HTTP protocol, with a time for the head of a request and a most of open connections.

    uvicorn waits for a head for ever, so whoever opens connections and says nothing would keep everybody
    else out. It knows a keep-alive time, but only after an answer and until the next byte.

    Attributes:
        head_seconds: for the head of a request, from the opening of the connection or the first byte.
        most: connections that are open at a time; more are closed at once.
    """

    head_seconds = HEAD_SECONDS
    most = MOST_CONNECTIONS
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.transport = _Joining(transport, self.loop)
        _without_delay(transport)
        if len(self.connections) > self.most:
            transport.close()
        else:
            self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:  # the head is here, or what came is none
            self._stop_waiting()
        elif self._waiting is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request of HTTP."""
        refusal = Refusal(400, "BadRequest", "this is no valid HTTP request")
        headers = {"Content-Type": MEDIA_TYPE, "Connection": "close", **HEADERS}
        response = h11.Response(status_code=400, headers=list(headers.items()), reason=b"Bad Request")
        for event in (response, h11.Data(data=refusal.body()), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.head_seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_slow(self) -> None:
        self._waiting = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()


class _Joining:
    """A transport that sends a short piece with the one after it, if that comes in the same turn of the loop.

    All but writing and closing is the transport's own.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self._sending: asyncio.Handle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send a piece, now or when this turn of the loop is over."""
        if self._sending is None and 0 < len(data) <= _MOST_HELD:
            self._held = data
            self._sending = self._loop.call_soon(self._send_held)
        elif self._sending is not None and len(data) <= _MOST_JOINED:
            self._held += data
            self._send_held()
        else:
            self._send_held()
            self._transport.write(data)

    def close(self) -> None:
        """Close the connection when all is sent."""
        self._send_held()
        self._transport.close()

    def _send_held(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None
            self._transport.write(self._held)


def _without_delay(transport: asyncio.Transport) -> None:
    """Let the end of an answer not wait until the client has confirmed its beginning: that takes 40 ms.

    asyncio does so itself only for sockets that name their protocol, which those of a given listener do not.
    """
    connected = transport.get_extra_info("socket")
    if connected is not None and connected.family in (socket.AF_INET, socket.AF_INET6):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def reachable_warning(host: str) -> str | None:
    """Return what the owner must know before listening on an address; None for this machine's own."""
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = host.lower() == "localhost"
    if is_local:
        return None
    return (
        f"{host} can be reached from other machines: every request still needs the token or a key, but they "
        "and the documents travel unencrypted; put a proxy that speaks TLS in front, or use an SSH tunnel"
    )
