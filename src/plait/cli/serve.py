"""plait serve and plait mcp."""

from __future__ import annotations

import socket
from typing import Annotated

import typer

from plait.cli.console import LibraryOption, open_library


def serve(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; other machines can reach all but 127.0.0.1.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8765,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="Further host name under which it may be called; may be repeated."),
    ] = None,
    library: LibraryOption = None,
) -> None:
    """Serve the library to this machine: a search page and an HTTP interface, behind a token."""
    from plait.extras import require

    for module in ("fastapi", "uvicorn", "python_multipart"):
        require(module)
    import uvicorn

    from plait.serve.http import LOOPBACK, create_app
    from plait.serve.token import load_token

    with open_library(library) as opened, _listening(host, port) as listener:
        token = load_token(opened.folder)
        app = create_app(opened, token=token, hosts={*LOOPBACK, host, *(name or [])})
        shown = f"[{host}]" if ":" in host else host
        print(f"http://{shown}:{listener.getsockname()[1]}/#token={token}", flush=True)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nobody may claim to be another address
            limit_concurrency=64,
            timeout_keep_alive=10,
        )
        uvicorn.Server(config).run(sockets=[listener])


def mcp(library: LibraryOption = None) -> None:
    """Serve the library to an assistant over the Model Context Protocol, on standard input and output."""
    from plait.extras import require

    require("mcp")
    from plait.serve.mcp import run_stdio

    with open_library(library) as opened:
        run_stdio(opened)


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
