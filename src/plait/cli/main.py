"""plait: the command line. Verbs first; each command parses, calls the library, and prints.

Exit codes: 0 done; 1 done, but some files were skipped (each is named with a remedy), or `ask` found
no answer; 2 the command or its input cannot be used; 3 the library folder cannot be used; 4 a model
or an optional package is missing; 130 interrupted (what was stored stays).
"""

from __future__ import annotations

import atexit
import gc
import sys
from typing import Annotated

import typer

from plait.cli import (
    ask,
    compact,
    doctor,
    eval,
    export,
    import_,
    ingest,
    keys,
    mine,
    models,
    read,
    search,
    serve,
    snapshot,
    train,
    watch,
)
from plait.cli.console import fail
from plait.errors import LibraryError, MissingExtraError, ModelError, PlaitError

app = typer.Typer(
    name="plait",
    help="Search illustrated documents by text, by image, or by both at once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(ingest.add)
app.command()(search.search)
app.command()(ask.ask)
app.command()(read.read)
app.command()(watch.watch)
app.command()(ingest.status)
app.command()(ingest.remove)
app.command()(doctor.doctor)
app.command()(compact.compact)
app.add_typer(snapshot.app, name="snapshot")
app.command()(export.export)
app.command(name="import")(import_.import_)
app.command()(serve.serve)
app.command()(serve.mcp)
app.add_typer(keys.app, name="keys")
app.command()(train.train)
app.command()(mine.mine)
app.add_typer(eval.app, name="eval")
app.add_typer(models.app, name="models")


def _version(wanted: bool) -> None:
    if wanted:
        from plait import __version__

        print(f"plait {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Search illustrated documents by text, by image, or by both at once."""


def run() -> None:
    """Run the command line; every error on purpose is one line and an exit code."""
    atexit.register(gc.freeze)  # a last look for garbage among all that was loaded takes a second
    try:
        app()
    except KeyboardInterrupt:
        fail("interrupted", 130)
    except PlaitError as error:
        fail(str(error), exit_code_of(error))
    except BrokenPipeError:  # `plait search ... | head` closed the pipe: not an error
        sys.stderr.close()
        sys.exit(0)


def exit_code_of(error: PlaitError) -> int:
    """Return the exit code that stands for an error."""
    if isinstance(error, LibraryError):
        return 3
    if isinstance(error, ModelError | MissingExtraError):
        return 4
    return 2
