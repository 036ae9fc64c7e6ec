"""plait eval rerun."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from plait.cli.console import JsonOption, print_json, warn


def rerun(
    folder: Annotated[
        Path, typer.Argument(help="A result, as --out of  plait eval  wrote it.", show_default=False)
    ],
    keep: Annotated[
        Path | None, typer.Option("--out", help="Folder to keep the new result in; default: none.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate again as a stored result was, and say whether every number is the same.

    Exit code 1: some number differs. How long queries took is not compared.
    """
    from plait.evaluation.rerunning import rerun as run_again

    found = run_again(folder, keep=keep, say=warn)
    print_json(found.to_dict()) if as_json else print(found)
    if found.differences:
        sys.exit(1)
