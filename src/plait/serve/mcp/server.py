"""The server: it takes calls, and keeps standard output for the protocol.

While the server runs, whatever else writes to standard output, from Python or from a C library, goes to
standard error.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from plait.errors import InputError, PlaitError
from plait.library import Library, Progress
from plait.serve.jobs.workers import OwnProcess, Worker
from plait.serve.mcp.answers import Answer
from plait.serve.mcp.bringing import add
from plait.serve.mcp.forms import AddForm, read
from plait.serve.mcp.tools import ADD, INSTRUCTIONS, LOOKING

T = TypeVar("T")


def create_server(library: Library, *, add_from: Sequence[Path] = (), worker: Worker | None = None) -> Server:
    """Return an MCP server over an open library.

    Args:
        add_from: folders below which the assistant may add files; () lets it add nothing.
        worker: adds them; None starts a process of its own.
    """
    server: Server = Server("plait", instructions=INSTRUCTIONS)
    adder = worker or OwnProcess()
    tools = {tool.name: tool for tool in LOOKING}
    turn, adding = anyio.Lock(), anyio.Lock()

    async def list_tools() -> list[types.Tool]:
        return [tool.declared() for tool in LOOKING] + ([ADD] if add_from else [])

    async def call_tool(
        name: str, arguments: Mapping[str, Any]
    ) -> tuple[list[types.ContentBlock], dict[str, Any]]:
        answer = await bring(arguments) if add_from and name == ADD.name else await look(name, arguments)
        return answer.content(), dict(answer.structured)

    async def look(name: str, arguments: Mapping[str, Any]) -> Answer:
        if name not in tools:
            known = ", ".join((*tools, ADD.name) if add_from else tools)
            raise InputError(f"there is no tool {name[:100]!r}: use one of {known}")
        tool = tools[name]
        form = read(tool.form, arguments)
        async with turn:
            return await anyio.to_thread.run_sync(_explained, lambda: tool.call(library, form))

    async def bring(arguments: Mapping[str, Any]) -> Answer:
        form = read(AddForm, arguments)
        call = partial(add, library, form, add_from, adder, _teller(server))
        async with adding:
            return await anyio.to_thread.run_sync(_explained, call, abandon_on_cancel=True)

    server.list_tools()(list_tools)
    server.call_tool(validate_input=False)(call_tool)  # `read` checks, and does not repeat what is large
    return server


def run_stdio(library: Library, *, add_from: Sequence[Path] = (), worker: Worker | None = None) -> None:
    """Serve a library on standard input and output until the input ends; see `create_server`."""
    adder = worker or OwnProcess()
    try:
        with _own_stdout() as stdout:
            anyio.run(_speak, create_server(library, add_from=add_from, worker=adder), stdout)
    finally:
        adder.stop()


async def _speak(server: Server, stdout: TextIOWrapper) -> None:
    async with stdio_server(stdout=anyio.wrap_file(stdout)) as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


@contextmanager
def _own_stdout() -> Iterator[TextIOWrapper]:
    """Give a private copy of standard output, and point the public one at standard error meanwhile."""
    sys.stdout.flush()
    private = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(private), "w", encoding="utf-8") as stdout:
            yield stdout
    finally:
        sys.stdout.flush()
        os.dup2(private, 1)
        os.close(private)


def _explained(call: Callable[[], T]) -> T:
    """Return what a call returns; of a defect of ours, the assistant only hears that there is one."""
    try:
        return call()
    except PlaitError:
        raise
    except Exception as error:
        traceback.print_exc()
        raise PlaitError(
            "this failed for a reason of plait's own; the server's standard error says which"
        ) from error


def _teller(server: Server) -> Callable[[Progress], None]:
    """Return what tells a client, if it asked for that, how far an `add` is."""
    context = server.request_context
    token = context.meta.progressToken if context.meta else None

    async def send(progress: Progress) -> None:
        assert token is not None
        await context.session.send_progress_notification(
            token, progress.done, progress.total, progress.source
        )

    def tell(progress: Progress) -> None:
        if token is not None:
            anyio.from_thread.run(send, progress)

    return tell
