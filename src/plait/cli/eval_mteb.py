"""plait eval mteb:TASK[,TASK]."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import Annotated, Literal

import typer

from plait.cli.console import JsonOption, print_json, warn
from plait.cli.eval_options import ForceOption, ModelOption, OutOption, SeedOption

_PREFIX = "mteb:"


def mteb(
    spec: Annotated[str, typer.Argument(metavar="mteb:TASK[,TASK]", show_default=False)],
    model: ModelOption = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option("--device", help="Where the model computes.")
    ] = "auto",
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Items encoded at a time.")] = 32,
    allow_partial: Annotated[
        bool,
        typer.Option("--allow-partial", help="Leave out what the model cannot read, and say how much."),
    ] = False,
    seed: SeedOption = 0,
    out: OutOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run tasks of mteb, the benchmark of text and image embeddings, by its own protocol.

    Models of token vectors and plait-mini do retrieval and reranking; models of one vector do every kind of
    task. BM25 stands beside on tasks of words. With --out, mteb's own results lie in OUT/mteb.
    """
    from plait.evaluation.manifest import typed_command
    from plait.evaluation.protocols.mteb import run
    from plait.settings import load_settings

    names = [name.strip() for name in spec.removeprefix(_PREFIX).split(",") if name.strip()]
    with redirect_stdout(sys.stderr):
        outcome = run(
            names,
            model or load_settings().model,
            device=device,
            batch_size=batch_size,
            seed=seed,
            allow_partial=allow_partial,
            out=out,
            force=force,
            command=typed_command(),
            say=warn,
        )
    for line in outcome.warnings:
        warn(line)
    print_json(outcome.to_dict()) if as_json else print(outcome.to_markdown())
