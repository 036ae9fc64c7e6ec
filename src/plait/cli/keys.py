"""plait keys: add, list, remove."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.console import JsonOption, LibraryOption, open_library, print_json

if TYPE_CHECKING:
    from plait.serve.keys import Keys

app = typer.Typer(help="Keys for callers of `plait serve` other than the owner.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(help="What the key is called, here and in the audit log.")]


@app.command()
def add(
    name: NameArgument,
    rights: Annotated[
        str,
        typer.Option(
            "--rights", help="What its holder may do: search, add, remove, admin; commas between them."
        ),
    ] = "search",
    tenant: Annotated[
        str,
        typer.Option("--tenant", help="Whose documents its holder sees; default: the library's own."),
    ] = "",
    expires: Annotated[
        datetime | None,
        typer.Option(
            "--expires", formats=["%Y-%m-%d"], help="First day (UTC) on which it is good for nothing."
        ),
    ] = None,
    library: LibraryOption = None,
) -> None:
    """Make a key, and print it: it is shown this once. A running service takes it at once."""
    wanted = [right.strip() for right in rights.split(",") if right.strip()]
    until = None if expires is None else expires.replace(tzinfo=UTC)
    print(_keys(library).add(name, wanted, tenant=tenant, expires=until))


@app.command(name="list")
def list_(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """List the keys, without the keys themselves, which are not kept."""
    found = _keys(library).every()
    if as_json:
        print_json([{n: v for n, v in key.to_dict().items() if n != "sha256"} for key in found])
        return
    for key in found:
        rights, until = (
            ",".join(key.to_dict()["rights"]),
            f"{key.expires:%Y-%m-%d}" if key.expires else "never",
        )
        state = "" if key.is_good(datetime.now(UTC)) else "  (expired)"
        print(f"{key.name:<24}  {rights:<24}  tenant {key.tenant or '-':<16}  expires {until}{state}")
    if not found:
        print("no keys")


@app.command()
def remove(name: NameArgument, library: LibraryOption = None) -> None:
    """Make a key good for nothing, at once."""
    _keys(library).remove(name)
    print(f"removed {name}")


def _keys(library: LibraryOption) -> Keys:
    from plait.extras import require

    require("fastapi")
    from plait.serve.keys import Keys

    with open_library(library) as opened:
        return Keys(opened.folder)
