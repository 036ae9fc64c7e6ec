"""plait eval compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plait.cli.console import JsonOption, print_json, warn
from plait.cli.eval_options import SeedOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plait.evaluation.compare.gates import Gates, Verdict
    from plait.evaluation.compare.results import Judgements, Result


def compare(
    a: Annotated[
        str,
        typer.Argument(
            metavar="RUN_A",
            help="A result folder (FOLDER::NAME for one of its other systems), or a TREC run file.",
            show_default=False,
        ),
    ],
    b: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN_B]", help="What is compared with it, such as the new one.", show_default=False
        ),
    ] = None,
    qrels: Annotated[
        Path | None, typer.Option("--qrels", help="Judgements of run files, as trec_eval reads them.")
    ] = None,
    collection: Annotated[
        str | None,
        typer.Option(
            "--collection",
            help="FOLDER or files:FOLDER, to judge run files by, and to show documents of in --html.",
        ),
    ] = None,
    measures: Annotated[
        str | None,
        typer.Option(
            "--measures",
            help="With commas between: success@K, recall@K, ndcg@K, mrr, mrr@K.",
            show_default="those of the results",
        ),
    ] = None,
    common: Annotated[
        bool, typer.Option("--common", help="Leave out queries that only one of them has an answer to.")
    ] = False,
    zero: Annotated[bool, typer.Option("--zero", help="Count 0 for who has no answer to a query.")] = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Page to write: worst and best queries with pictures; opens offline."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", help="Measure that puts queries in order.", show_default="ndcg@10"),
    ] = None,
    losses: Annotated[int, typer.Option("--losses", min=0, help="So many queries in --html.")] = 25,
    wins: Annotated[int, typer.Option("--wins", min=0, help="So many queries in --html.")] = 10,
    least: Annotated[
        list[str] | None,
        typer.Option(
            "--min",
            metavar="[KIND:]MEASURE=NUMBER",
            help="The last one named must reach this, such as ndcg@10=0.40; may be given again.",
        ),
    ] = None,
    max_drop: Annotated[
        list[str] | None,
        typer.Option(
            "--max-drop",
            metavar="[KIND:]MEASURE=NUMBER",
            help="RUN_B may be so much worse than RUN_A at most; may be given again.",
        ),
    ] = None,
    no_significant_loss: Annotated[
        bool, typer.Option("--no-significant-loss", help="RUN_B may not be worse in any row, beyond chance.")
    ] = False,
    alpha: Annotated[float, typer.Option("--alpha", help="What counts as beyond chance.")] = 0.05,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Compare two results query by query, with tests of significance; or hold one to thresholds.

    The exit code is 1 when a threshold is not met, each of which is named, and 0 otherwise.
    """
    from plait.errors import InputError
    from plait.evaluation.compare.comparing import compare as compare_results
    from plait.evaluation.compare.comparing import shared_measures
    from plait.evaluation.compare.gates import Gates, Threshold
    from plait.evaluation.compare.results import read_results
    from plait.evaluation.compare.terminal import comparison_text

    if common and zero:
        raise InputError("--common leaves queries out, --zero counts them: name one of them")
    if b is None and (html or common or zero):
        raise InputError("--html, --common and --zero are for two results: name RUN_B too")
    gates = Gates(
        least=tuple(map(Threshold.parse, least or ())),
        max_drop=tuple(map(Threshold.parse, max_drop or ())),
        no_significant_loss=no_significant_loss,
        alpha=alpha,
    )
    results = read_results([a] if b is None else [a, b], judged_by=_judgements(qrels, collection))
    named = [name.strip() for name in (measures or "").split(",") if name.strip()]
    names = (*(named or shared_measures(results)), *gates.measures, *([by] if by else []))
    if b is None:
        _judge_one(results[0], names, gates, seed=seed, as_json=as_json)
        return
    found = compare_results(
        *results, measures=names, missing="common" if common else "zero" if zero else "stop", seed=seed
    )
    verdicts = gates.judge_comparison(found)
    by = found.ordered_by(by or "")
    if html:
        from plait.evaluation.compare.page import page

        shown = page(found, by=by, losses=losses, wins=wins, verdicts=verdicts, collection=collection or "")
        _write(html, shown)
    _tell(found.to_dict(), comparison_text(found, by=by), found.remarks, verdicts, as_json=as_json)


def _judgements(qrels: Path | None, collection: str | None) -> Judgements | None:
    """Return what run files are judged by, as far as it is named."""
    from plait.data.collections.files import read_files
    from plait.data.collections.jsonl import read_jsonl
    from plait.evaluation.compare.results import Judgements

    if qrels is not None:
        return Judgements.of_file(qrels)
    if collection is None:
        return None
    if collection.startswith("files:"):
        return Judgements.of_labels(read_files(collection.removeprefix("files:")))
    return Judgements.of_labels(read_jsonl(collection))


def _judge_one(result: Result, names: Sequence[str], gates: Gates, *, seed: int, as_json: bool) -> None:
    """Print how one result stands, and hold it to thresholds."""
    from dataclasses import asdict

    from plait.evaluation.compare.standing import remarks, standings
    from plait.evaluation.compare.terminal import standings_text

    rows = standings(result, measures=names, seed=seed)
    said = {"name": result.name, "rows": [asdict(row) for row in rows], "seed": seed}
    verdicts = gates.judge_one(rows)
    _tell(said, standings_text(result.name, rows), remarks(result, names), verdicts, as_json=as_json)


def _write(file: Path, text: str) -> None:
    from plait.errors import InputError

    try:
        file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"cannot write {file}: {error.strerror or error}; name another file") from error


def _tell(
    said: dict[str, Any], text: str, remarks: Sequence[str], verdicts: Sequence[Verdict], *, as_json: bool
) -> None:
    """Print what was found; exit with 1 if a threshold is not met."""
    from dataclasses import asdict

    if as_json:
        print_json({**said, "remarks": list(remarks), "gates": [asdict(verdict) for verdict in verdicts]})
    else:
        print(text)
        for remark in remarks:
            warn(remark)
    for verdict in verdicts:
        if not verdict.met:
            warn(f"not met: {verdict.message}")
        elif not as_json:
            print(f"met: {verdict.message}")
    if not all(verdict.met for verdict in verdicts):
        raise typer.Exit(1)
