"""plait serve and plait mcp."""

from __future__ import annotations

import gc
import os
import signal
import socket
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from plait.cli.console import LibraryOption, fail, open_library, warn

if TYPE_CHECKING:
    from fastapi import FastAPI


def serve(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; other machines can reach all but 127.0.0.1.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8765,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="Further host name under which it may be called; may be repeated."),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    library: LibraryOption = None,
) -> None:
    """Serve the library: a search page and an HTTP interface, behind a token.

    Prints the page's address. Ctrl-C ends it; what was sent and is not added yet is added after the next
    start.
    """
    from plait.extras import require

    for module in ("fastapi", "uvicorn", "python_multipart"):
        require(module)
    from plait.serve.connections import reachable_warning
    from plait.serve.crew import crew_for
    from plait.serve.http import LOOPBACK, create_app
    from plait.serve.limits import Limits
    from plait.serve.token import load_token

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    with open_library(library) as opened, _listening(host, port) as listener:
        token = load_token(opened.folder)
        hosts = {*LOOPBACK, host, *(name or [])}
        app = create_app(
            opened, token=token, hosts=hosts, limits=Limits.of(opened.settings), crew=crew_for(opened)
        )
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}/#token={token}"
        print(address, flush=True)
        if warning := reachable_warning(host):
            warn(warning)
        if show:
            webbrowser.open(address)  # the system keeps what comes until the server takes it
        _serve(app, listener)


def mcp(
    add_from: Annotated[
        list[Path] | None,
        typer.Option(
            "--add-from",
            help="Let the assistant add files below this folder; may be repeated. Without it, it adds none.",
        ),
    ] = None,
    library: LibraryOption = None,
) -> None:
    """Serve the library to an assistant over the Model Context Protocol, on standard input and output."""
    from plait.extras import require

    require("mcp")
    from plait.errors import MissingPathError
    from plait.serve.mcp import run_stdio

    folders = [Path(os.path.abspath(folder)) for folder in add_from or []]
    for folder in folders:
        if not folder.is_dir():
            raise MissingPathError(f"{folder}: no such folder; check what follows --add-from")
    with open_library(library) as opened:
        run_stdio(opened, add_from=folders)


def _serve(app: FastAPI, listener: socket.socket) -> None:
    """Answer requests until a signal ends it."""
    import uvicorn

    from plait.serve.connections import GuardedConnection

    config = uvicorn.Config(
        app,
        http=GuardedConnection,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nobody may claim to be another address
        h11_max_incomplete_event_size=32_768,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=10,
    )
    server = uvicorn.Server(config)
    gc.freeze()  # what was imported is no garbage
    server.run(sockets=[listener])
    if not server.started:
        fail("the service could not start; what is above says why", 3)


def _leave(_number: int, _frame: object) -> NoReturn:
    """End well: being asked to is how a server ends."""
    raise SystemExit(0)


def _listening(host: str, port: int) -> socket.socket:
    """Return a bound socket.

    Raises:
        InputError: the address is taken or not ours.
    """
    from plait.errors import InputError

    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise InputError(
            f"cannot listen on {host} port {port} ({error.strerror or error}): choose another with --port"
        ) from error
