"""What stands before every request: host, origin, token and size are checked, and headers are set.

A loopback service is reachable from every web page its user opens, so an address alone protects
nothing: the Host check stops DNS rebinding, the Origin check stops other pages, the token stops
other users of the machine.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plait.serve.refusals import MEDIA_TYPE, Refusal

OPEN_PATHS = frozenset({"/", "/health", "/app.js", "/style.css", "/icon.svg"})  # hold nothing of the library

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_log = logging.getLogger("plait.serve")


class Guard:
    """ASGI middleware: refuses what must not pass, before any of its body is read."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        hosts: Collection[str],
        body_limit: Callable[[str], int],
    ) -> None:
        """Wrap an app.

        Args:
            token: what callers must send as a bearer token; None asks for none.
            hosts: names, without port, by which callers may address the service.
            body_limit: path -> largest request body, in bytes.
        """
        self._app = app
        self._token = token
        self._hosts = frozenset(host.lower() for host in hosts)
        self._body_limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no web sockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        limit = self._body_limit(scope["path"])
        try:
            self._check(scope, limit)
        except Refusal as refusal:
            await _refuse(refusal, send)
            return
        started = False

        async def tracked(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await _with_headers(message, send)

        try:
            await self._app(scope, _limited(receive, limit), tracked)
        except Exception:
            # A traceback may show paths and documents: it goes to the log, never to the caller.
            _log.exception("%s %s failed", scope["method"], scope["path"])
            if started:
                raise
            said = "something went wrong here; the service's log says what"
            await _refuse(Refusal(500, "InternalError", said), send)

    def _check(self, scope: Scope, limit: int) -> None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name(hosts[0]) not in self._hosts:
            raise Refusal(
                421, "WrongHost", "this service does not answer to that name; use the printed address"
            )
        origins = headers.getlist("origin")
        if any(origin.lower() != f"{scope['scheme']}://{hosts[0].lower()}" for origin in origins):
            raise Refusal(403, "WrongOrigin", "requests from other web pages are refused")
        if self._token is not None and scope["path"] not in OPEN_PATHS:
            self._check_token(headers.getlist("authorization"))
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            raise Refusal(400, "BadLength", "Content-Length is not a number")
        if int(length) > limit:
            raise _too_large(limit)

    def _check_token(self, sent: list[str]) -> None:
        scheme, _, token = sent[0].partition(" ") if len(sent) == 1 else ("", "", "")
        expected = (self._token or "").encode()
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), expected):
            raise Refusal(
                401, "Unauthorized", "send the token as 'Authorization: Bearer ...'; `plait serve` prints it"
            )


def _limited(receive: Receive, limit: int) -> Receive:
    """Count the body while it is read: a chunked request names no length."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise _too_large(limit)
        return message

    return counted


def _too_large(limit: int) -> Refusal:
    return Refusal(
        413, "TooLarge", f"the request is larger than {limit / 1e6:g} MB, the most this address takes"
    )


async def _refuse(refusal: Refusal, send: Send) -> None:
    body = refusal.body()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    headers.append((b"connection", b"close"))  # the rest of the body is never read
    await _with_headers({"type": "http.response.start", "status": refusal.status, "headers": headers}, send)
    await send({"type": "http.response.body", "body": body})


async def _with_headers(message: Message, send: Send) -> None:
    if message["type"] == "http.response.start":
        headers = MutableHeaders(scope=message)
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
    await send(message)


def _name(host: str) -> str:
    """Return a Host header's name without its port; "" if it is not of that form."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises if it is not a number
    except ValueError:
        return ""
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        return ""
    return (parts.hostname or "").lower()
