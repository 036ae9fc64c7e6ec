"""plait mine."""

from __future__ import annotations

import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Literal

import typer

from plait.cli.console import JsonOption, fail, print_json, progress_bar, warn


def mine(
    config: Annotated[
        Path, typer.Argument(help="YAML file of a training run, whose data is read.", show_default=False)
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model", help="Model that searches: a folder, a pip package, or a downloaded hub name."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", help="File of rows to write, as JSON Lines.")],
    candidates: Annotated[
        Path | None, typer.Option("--candidates", help="File of more documents, as JSON Lines.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            help="Folder that pictures' paths start from; default: the output's, or one that holds all.",
        ),
    ] = None,
    negatives: Annotated[int, typer.Option("--negatives", help="So many new ones a row, at most.")] = 7,
    from_rank: Annotated[int, typer.Option("--from-rank", help="Leave out those ranked before.")] = 1,
    to_rank: Annotated[int, typer.Option("--to-rank", help="Take none from below.")] = 100,
    margin: Annotated[
        float,
        typer.Option(
            "--margin", help="Leave out what scores more than this share of the relevant one; inf: none."
        ),
    ] = 0.95,
    wrong_modality: Annotated[
        int,
        typer.Option("--wrong-modality", help="So many more of another modality that rank before it."),
    ] = 0,
    stripped: Annotated[
        bool, typer.Option("--stripped", help="And the relevant one without its picture, without its words.")
    ] = False,
    choose: Annotated[
        Literal["hardest", "random"], typer.Option("--choose", help="Which of those between the ranks.")
    ] = "hardest",
    seed: Annotated[int, typer.Option("--seed", help="Of the choice at random.")] = 0,
    teacher: Annotated[
        bool, typer.Option("--teacher", help="Write the model's scores too, for distillation.")
    ] = False,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option("--device", help="Where the model computes.")
    ] = "auto",
    batch_size: Annotated[int, typer.Option("--batch-size", help="Inputs encoded at a time.")] = 32,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting to change, such as data.0.rows=1000; may be given again."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the output, and begin anew for another model or rows.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the vectors, to mine again with other options.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Add hard negatives to training rows, found by searching with a model.

    The same command goes on where it was interrupted.
    """
    from plait.extras import require

    for package in ("datasets", "sentence_transformers"):
        require(package)
    from plait.library.reports import Progress
    from plait.train.config import TrainConfig
    from plait.train.data_config import sources_of
    from plait.train.mining.mine import mine as mine_rows
    from plait.train.mining.options import MiningOptions
    from plait.train.settings_file import read_settings

    options = MiningOptions(
        negatives=negatives,
        from_rank=from_rank,
        to_rank=to_rank,
        margin=margin,
        wrong_modality=wrong_modality,
        stripped=stripped,
        choose=choose,
        seed=seed,
        teacher=teacher,
    )
    settings = read_settings(TrainConfig, config, changes=changes or ())
    store = output.resolve().with_name(f"{output.stem}-pictures")  # beside the output, which names them
    try:
        with redirect_stdout(sys.stderr), progress_bar("mining") as show:
            report = mine_rows(
                sources_of(settings.data, seed=settings.trainer.seed, store=store),
                model=model,
                output=output,
                options=options,
                candidates=candidates,
                images=images,
                device=device,
                batch_size=batch_size,
                max_bad_share=settings.max_bad_share,
                force=force,
                keep=keep,
                progress=lambda what, done, total: show(Progress(done, total, what)),
                say=warn,
            )
    except KeyboardInterrupt:
        command = shlex.join(["plait", *sys.argv[1:]])
        fail(f"interrupted; what was encoded and found stays: {command}  goes on", 130)
    print_json(report.to_dict()) if as_json else print(report)
