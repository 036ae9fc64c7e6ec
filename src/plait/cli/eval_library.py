"""plait eval library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.console import JsonOption, LibraryOption, open_library, print_json, progress_bar
from plait.cli.eval_options import BaselinesOption, ForceOption, OutOption, SeedOption


def library(
    library: LibraryOption = None,
    questions: Annotated[int, typer.Option("--questions", min=1, help="How many of each kind.")] = 100,
    kinds: Annotated[
        str | None,
        typer.Option(
            "--kinds",
            help="With commas between: sentence, figure, figure+sentence, figure+heading, caption, title.",
            show_default="all",
        ),
    ] = None,
    units: Annotated[
        int,
        typer.Option(
            "--units",
            min=1,
            help="Of a library of more sections and pages, documents drawn at random answer.",
        ),
    ] = 10_000,
    seed: SeedOption = 0,
    baselines: BaselinesOption = True,
    out: OutOption = None,
    force: ForceOption = False,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write", help="Folder to write the questions to, as a collection that any system can answer."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a library questions made from its own documents, and say which lanes and weights serve it best.

    What is asked for is taken out of a copy of the index; the library stays as it is.
    """
    from plait.evaluation.manifest import typed_command
    from plait.evaluation.questions import KINDS
    from plait.evaluation.stored import check_free, save
    from plait.library.evaluating.own import OwnOptions, evaluate_own
    from plait.library.evaluating.own_collection import check_empty, write_collection
    from plait.library.evaluating.own_report import to_dict, to_text
    from plait.library.reports import Progress

    if out is not None:
        check_free(out, force=force)
    if write is not None:
        check_empty(write)
    wanted = KINDS if kinds is None else tuple(kind.strip() for kind in kinds.split(","))
    options = OwnOptions(count=questions, kinds=wanted, units=units, seed=seed, baselines=baselines)
    with open_library(library) as opened:
        with progress_bar("evaluating") as draw:
            own = evaluate_own(
                opened,
                options,
                command=typed_command(),
                progress=lambda what, done, total: draw(Progress(done, total, what)),
            )
        if out is not None:
            save(own.evaluation, out, force=force)
        if write is not None:
            write_collection(own, write)
    if as_json:
        print_json(to_dict(own))
    else:
        print(to_text(own), end="")
