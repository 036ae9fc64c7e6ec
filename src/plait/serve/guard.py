"""What stands before every request: host, origin, caller, rate and size are checked.

A loopback service is reachable from every web page its user opens, so an address alone protects
nothing: the Host check stops DNS rebinding, the Origin and Sec-Fetch-Site checks stop other pages, the
token and the keys stop other users of the machine.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from plait.errors import PlaitError
from plait.serve.audit import Audit, Entry
from plait.serve.callers import OWNER, Caller
from plait.serve.in_time import in_time
from plait.serve.keys import Keys
from plait.serve.limits import Clock, InFlight, Limits, Rate
from plait.serve.passing import PAGE_POLICY, STRICT_POLICY, Answer, Body, too_large
from plait.serve.refusals import Refusal, too_many
from plait.serve.shelves import Shelves

_HEALTH = "/health"
_TOLD_PER_SECOND, _TOLD_AT_ONCE = 1.0, 100  # lines of the audit log about requests of nobody known

_log = logging.getLogger("plait.serve")


class Guard:
    """ASGI middleware: refuses what must not pass, before any of its body is read.

    It puts the `Caller` and their `Shelf` into the request's state.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        hosts: Collection[str],
        shelves: Shelves,
        keys: Keys | None = None,
        audit: Audit | None = None,
        limits: Limits | None = None,
        pages: Collection[str] = (),
        uploads: Collection[str] = (),
        clock: Clock = time.monotonic,
    ) -> None:
        """Wrap an app.

        Args:
            token: what the owner sends as a bearer token; None lets everybody be the owner.
            hosts: names, without port, by which callers may address the service.
            shelves: the libraries, whoever's they are.
            keys: of other callers.
            audit: where every request is noted.
            pages: paths of static files that need no token, for they hold nothing of any library.
            uploads: paths that take bodies of `limits.upload_mb`.
            clock: seconds that only grow.
        """
        limits = limits or Limits()
        self._app = app
        self._token = token
        self._hosts = frozenset(host.lower() for host in hosts)
        self._shelves = shelves
        self._keys = keys
        self._audit = audit
        self._limits = limits
        self._pages = frozenset(pages)
        self._uploads = frozenset(uploads)
        self._clock = clock
        self._rate = Rate(limits.requests_per_second, limits.burst, clock=clock)
        self._failures = Rate(limits.failures_per_second, limits.failure_burst, clock=clock)
        self._told = Rate(_TOLD_PER_SECOND, _TOLD_AT_ONCE, clock=clock)
        self._in_flight = InFlight(limits.in_flight, limits.in_flight_per_caller)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no web sockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        start = self._clock()
        answer = Answer(send, PAGE_POLICY if scope["path"] in self._pages else STRICT_POLICY)
        headers = Headers(scope=scope)
        most = self._most_bytes(scope)
        body = Body(receive, headers, most_bytes=most, limits=self._limits, answer=answer)
        try:
            await self._answer(scope, headers, body, answer)
        finally:
            self._note(scope, body, answer, self._clock() - start)

    async def _answer(self, scope: Scope, headers: Headers, body: Body, answer: Answer) -> None:
        try:
            caller = self._admitted(scope, headers)
            if caller is None:
                await self._work(scope, body, answer)
                return
            with self._in_flight.one(caller.name):
                async with self._shelves.using(caller.tenant) as scope["state"]["shelf"]:
                    await self._work(scope, body, answer)
        except Exception as error:
            if answer.status:
                raise
            await answer.refuse(_refusal_of(error, scope))

    async def _work(self, scope: Scope, body: Body, answer: Answer) -> None:
        seconds = 0.0 if scope["path"] in self._uploads else self._limits.request_seconds
        await in_time(lambda: self._app(scope, body.receive, answer.send), answer, seconds)

    def _admitted(self, scope: Scope, headers: Headers) -> Caller | None:
        """Return who sent a request, who is in its state from now on; None for what is open to everybody.

        Raises:
            Refusal: it must not pass.
        """
        self._check_origin(scope, headers)
        is_open = scope["path"] in self._pages or scope["path"] == _HEALTH
        caller = None if is_open else self._caller(scope, headers)
        self._check_length(headers, self._most_bytes(scope))
        if caller is None:
            return None
        scope.setdefault("state", {})["caller"] = caller
        if wait := self._rate.take(caller.name):
            raise too_many("this key sends requests faster than it may: slow down", wait)
        return caller

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        """Refuse what another web page may have sent.

        Every current browser says where a request comes from: with Origin where it may change something or
        its answer may be read, and with Sec-Fetch-Site always (W3C, Fetch Metadata Request Headers).
        """
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name(hosts[0]) not in self._hosts:
            raise Refusal(
                421, "WrongHost", "this service does not answer to that name; use the printed address"
            )
        # Behind a proxy that speaks TLS our own page is one of https.
        ours = {f"{scheme}://{hosts[0].lower()}" for scheme in (scope["scheme"], "https")}
        is_ours = all(origin.lower() in ours for origin in headers.getlist("origin"))
        is_near = set(headers.getlist("sec-fetch-site")) <= {"same-origin", "none"}
        if not is_ours or not (is_near or self._is_visit(scope, headers)):
            raise Refusal(403, "WrongOrigin", "requests from other web pages are refused")

    def _is_visit(self, scope: Scope, headers: Headers) -> bool:
        """Tell whether somebody follows a link to a page of ours, which cannot be framed."""
        kind = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
        return scope["method"] == "GET" and scope["path"] in self._pages and kind == ("navigate", "document")

    def _caller(self, scope: Scope, headers: Headers) -> Caller:
        """Return who sends a request; a right token or key passes, whatever else its address has sent."""
        if self._token is None:
            return OWNER
        sent = headers.getlist("authorization")
        scheme, _, secret = sent[0].partition(" ") if len(sent) == 1 else ("", "", "")
        secret = secret.strip()
        if scheme.lower() == "bearer" and secret:
            if hmac.compare_digest(secret.encode(), self._token.encode()):
                return OWNER
            caller = None if self._keys is None else self._keys.caller(secret)
            if caller is not None:
                return caller
        if wait := self._failures.take(_address(scope)):
            raise too_many("too many requests without a right token from this address", wait)
        said = "send the token as 'Authorization: Bearer ...'; `plait serve` prints it"
        raise Refusal(401, "Unauthorized", said, headers={"WWW-Authenticate": "Bearer"})

    def _check_length(self, headers: Headers, most: int) -> None:
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or len(length) > 18:
            raise Refusal(400, "BadLength", "Content-Length is not a number")
        if int(length) > most:
            raise too_large(most)

    def _most_bytes(self, scope: Scope) -> int:
        return 1_000_000 * (
            self._limits.upload_mb if scope["path"] in self._uploads else self._limits.query_mb
        )

    def _note(self, scope: Scope, body: Body, answer: Answer, seconds: float) -> None:
        """Tell the audit log of a request for a library; of a flood of refused ones it is told some."""
        state = scope.get("state", {})
        caller = state.get("caller")
        is_of_nobody = caller is None and (answer.status < 400 or self._told.take("") > 0)
        if self._audit is None or is_of_nobody or answer.status == 429:
            return
        entry = Entry(
            key=caller.name if caller else "",
            tenant=caller.tenant if caller else "",
            address=_address(scope),
            method=scope["method"],
            route=getattr(scope.get("route"), "path", ""),
            status=answer.status,
            ids=(*map(str, scope.get("path_params", {}).values()), *state.get("about", ())),
            bytes_in=body.bytes,
            bytes_out=answer.bytes,
            seconds=seconds,
        )
        self._audit.note(entry)


def _refusal_of(error: Exception, scope: Scope) -> Refusal:
    """Return what is answered when something was raised; what says more than it should goes to the log."""
    if isinstance(error, Refusal):
        return error
    _log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
    if isinstance(error, PlaitError):
        return too_many("this library cannot be opened now: try again later", 5, status=503, kind="Busy")
    return Refusal(500, "InternalError", "something went wrong here; the service's log says what")


def _address(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""


@lru_cache(64)  # clients send the same few, of at most 32 kB
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
