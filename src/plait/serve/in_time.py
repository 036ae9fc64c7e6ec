"""An answer that begins in time, or a refusal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from plait.serve.passing import Answer
from plait.serve.refusals import too_many


async def in_time(work: Callable[[], Awaitable[None]], answer: Answer, seconds: float) -> None:
    """Do what answers a request; refuse it if the answer has not begun after some seconds.

    The refusal is sent at once. What still waits for its turn is dropped; what runs in a thread comes to its
    end, and holds the request's place until then.

    Args:
        seconds: 0 waits for ever.
    """
    if not seconds:
        await work()
        return
    failed: Exception | None = None

    async def refuse() -> None:
        await anyio.sleep(seconds)
        if not answer.status:
            said = f"this takes longer than the {seconds:g} s it may take: ask for less, or try again later"
            await answer.refuse(too_many(said, seconds, status=503, kind="TooLong"))
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(refuse)
        try:
            await work()
        except Exception as error:  # a task group would wrap it
            failed = error
        tasks.cancel_scope.cancel()
    if failed is not None:
        raise failed
