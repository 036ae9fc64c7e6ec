"""Stops working for clients that went away, so that they hold no place of others."""

from __future__ import annotations

import asyncio

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_UNASKED_SECONDS = 0.05  # an app that has not asked for a request's body by then may never do


class Attending:
    """ASGI middleware: cancels the work on a request once its client has hung up.

    What runs in a thread comes to its end, since a library that is being changed must not be left half
    way; what only waits for its turn ends at once.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with anyio.CancelScope() as work:
            client = _Client(receive, send, work)
            try:
                await self._app(scope, client.receive, client.send)
            finally:
                client.leave()


class _Client:
    """Whoever sent a request, as the app meets them; the end of their connection ends the work.

    While the app reads the body, it meets that end itself. From the end of the body on a task listens: one of
    asyncio's own, since a group of tasks costs seven times as much, and each request needs one. Where the app
    does not ask, the first part is taken before it does; only after an unread part that is not the last is
    nobody listened to.
    """

    def __init__(self, receive: Receive, send: Send, work: anyio.CancelScope) -> None:
        self._receive = receive
        self._send = send
        self._work = work
        self._first: asyncio.Task[Message] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._unasked = asyncio.get_running_loop().call_later(_UNASKED_SECONDS, self._take_first)

    async def receive(self) -> Message:
        """Return the next part of the request; after the last it waits until it is cancelled."""
        self._unasked.cancel()
        if self._first is not None:
            first, self._first = self._first, None
            return await first
        return await self._next()

    async def send(self, message: Message) -> None:
        """Pass on a part of the answer; nobody is listened to after the last."""
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.leave()
        await self._send(message)

    def leave(self) -> None:
        """Listen no more; asyncio tells of no error of what was cancelled, be it done or not."""
        self._unasked.cancel()
        for task in (self._first, self._listening):
            if task is not None:
                task.cancel()

    def _take_first(self) -> None:
        self._first = asyncio.create_task(self._next())

    async def _next(self) -> Message:
        if self._listening is not None:
            await anyio.sleep_forever()
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._work.cancel()
            await anyio.sleep_forever()
        if not message.get("more_body", False):
            self._listening = asyncio.create_task(self._listen())
        return message

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._work.cancel()
