"""What passes the guard: bodies, counted and timed on their way in, and answers, with their headers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import anyio
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Send

from plait.serve.limits import Limits
from plait.serve.refusals import MEDIA_TYPE, Refusal

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# For whatever is not a file of ours: should a browser ever take it for a page, that page can do nothing.
STRICT_POLICY = "default-src 'none'; sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": STRICT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def _sent(headers: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """Return headers as ASGI has them: bytes, the names in small letters."""
    return tuple((name.lower().encode(), value.encode()) for name, value in headers.items())


_SENT = {
    policy: _sent({**HEADERS, "Content-Security-Policy": policy}) for policy in (PAGE_POLICY, STRICT_POLICY)
}


class Answer:
    """The way of an answer out.

    Args:
        policy: its content security policy, `PAGE_POLICY` or `STRICT_POLICY`.

    Attributes:
        status: 0 before it has begun.
        bytes: of its body so far.
        is_request_in: whether all of the request is here. Where it is not, the connection ends with the
            answer: the server would read the rest for nothing, and it may have no end.
    """

    def __init__(self, send: Send, policy: str) -> None:
        self._send = send
        self._headers = _SENT[policy]
        self._refusal: Refusal | None = None
        self._is_over = False
        self.status = 0
        self.bytes = 0
        self.is_request_in = True

    async def send(self, message: Message) -> None:
        """Pass on what an app answers, unless the body it read was refused."""
        if self._is_over:
            return
        if self._refusal is not None and not self.status:
            await self.refuse(self._refusal)
            return
        await self._pass(message)

    def overrule(self, refusal: Refusal) -> None:
        """Answer with a refusal whatever the app answers, if it has not begun to."""
        self._refusal = refusal

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal, and nothing after it; the rest of the request's body is never read."""
        body = refusal.body()
        told = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **refusal.headers}
        await self._pass({"type": "http.response.start", "status": refusal.status, "headers": _sent(told)})
        await self._pass({"type": "http.response.body", "body": body})
        self._is_over = True

    async def _pass(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": self._completed(message.get("headers", ()))}
        self.bytes += len(message.get("body", b""))
        await self._send(message)

    def _completed(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return an answer's headers with ours, where it does not have them itself."""
        every = [(name.lower(), value) for name, value in headers]
        there = {name for name, _ in every}
        every += [header for header in self._headers if header[0] not in there]
        if not self.is_request_in:
            every = [header for header in every if header[0] != b"connection"]
            every.append((b"connection", b"close"))
        return every


class Body:
    """The way of a request's body in.

    A chunked request names no length, so its bytes are counted; and one that comes byte by byte would hold
    its place for ever, so the time spent waiting for it is, too.

    Args:
        headers: of the request.
        most_bytes: of the whole.
        answer: answers with the refusal, whatever the app makes of it.

    Attributes:
        bytes: that came so far.
    """

    def __init__(
        self, receive: Receive, headers: Headers, *, most_bytes: int, limits: Limits, answer: Answer
    ) -> None:
        self._receive = receive
        self._most_bytes = most_bytes
        self._limits = limits
        self._answer = answer
        self._waited = 0.0
        self.bytes = 0
        answer.is_request_in = (
            headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        )

    async def receive(self) -> Message:
        """Return the next part of it, and after its end what else comes.

        Raises:
            Refusal: 413, it is too large; 408, it comes too slowly.
        """
        if self._answer.is_request_in:
            return await self._receive()
        message = await self._next()
        self._answer.is_request_in = not message.get("more_body", False)
        self.bytes += len(message.get("body", b""))
        if self.bytes > self._most_bytes:
            raise self._refused(too_large(self._most_bytes))
        return message

    async def _next(self) -> Message:
        start = time.monotonic()
        left = (
            self._limits.body_grace_seconds + self.bytes / self._limits.body_bytes_per_second - self._waited
        )
        with anyio.move_on_after(left):
            message = await self._receive()
            self._waited += time.monotonic() - start
            return message
        raise self._refused(Refusal(408, "TooSlow", "the request's body came too slowly: send it again"))

    def _refused(self, refusal: Refusal) -> Refusal:
        self._answer.overrule(refusal)
        return refusal


def too_large(most_bytes: int) -> Refusal:
    """Return the refusal of a body."""
    return Refusal(
        413, "TooLarge", f"the request is larger than {most_bytes / 1e6:g} MB, the most this address takes"
    )
