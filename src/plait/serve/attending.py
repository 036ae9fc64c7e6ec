"""Stops working for clients that went away, so that they hold no place of others."""

from __future__ import annotations

import math

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_Passed = Message | Exception


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
        answered = False
        failed: Exception | None = None
        passing, passed = anyio.create_memory_object_stream[_Passed](1)

        async def tracked(message: Message) -> None:
            nonlocal answered
            answered = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        async def watch() -> None:
            await _pass_on(receive, passing)
            if not answered:
                tasks.cancel_scope.cancel()

        with passing, passed:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(watch)
                try:
                    await self._app(scope, _receiving(passed), tracked)
                except Exception as error:  # a task group would wrap it
                    failed = error
                tasks.cancel_scope.cancel()
        if failed is not None:
            raise failed


async def _pass_on(receive: Receive, passing: MemoryObjectSendStream[_Passed]) -> None:
    """Hand on what is received, or why nothing can be, until the client has gone."""
    while True:
        try:
            message = await receive()
        except Exception as error:
            await passing.send(error)
            await anyio.sleep(math.inf)
        if message["type"] == "http.disconnect":
            return
        await passing.send(message)


def _receiving(passed: MemoryObjectReceiveStream[_Passed]) -> Receive:
    async def received() -> Message:
        message = await passed.receive()
        if isinstance(message, Exception):
            raise message
        return message

    return received
