"""The options that the commands of `plait eval` share, worded once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="plait-mini, or the folder, package or downloaded name of a model.",
        show_default="plait-mini, or PLAIT_MODEL",
    ),
]
MeasuresOption = Annotated[
    str | None,
    typer.Option(
        "--measures",
        help="With commas between: success@K, recall@K, ndcg@K, mrr, mrr@K.",
        show_default="success@1,success@10,recall@10,ndcg@10,mrr",
    ),
]
DepthOption = Annotated[
    int, typer.Option("--k", "-k", min=1, help="How many of the best each system's run holds.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of all that is drawn at random.")]
StrictOption = Annotated[
    bool,
    typer.Option("--strict", help="Stop at the first problem in the files, instead of counting them."),
]
BaselinesOption = Annotated[
    bool,
    typer.Option(
        "--baselines/--no-baselines",
        help="BM25, text backbone, image features, score sum and rank fusion beside the model.",
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out", help="Folder to keep the result in: report, records of queries, run files, manifest."
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace a result that is in --out.")]
WorkOption = Annotated[
    Path | None,
    typer.Option(
        "--work",
        help="Folder to keep what was encoded, so that the next evaluation only searches; default: none.",
    ),
]
