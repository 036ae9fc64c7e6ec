"""plait eval: a group of commands, one for each kind of collection, found by the collection's name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from plait.cli import (
    eval_compare,
    eval_judgements,
    eval_library,
    eval_mteb,
    eval_protocols,
    eval_rerun,
)
from plait.cli.console import JsonOption, print_json, warn
from plait.cli.eval_options import (
    BaselinesOption,
    DepthOption,
    ForceOption,
    MeasuresOption,
    ModelOption,
    OutOption,
    SeedOption,
    StrictOption,
    WorkOption,
)

if TYPE_CHECKING:
    from plait.evaluation.stored import Evaluation
    from plait.library.evaluating.running import Progress
    from plait.search.fusion import Method

_COLLECTION = "COLLECTION"
_PANEL = "Collections"
_KINDS = {"m2kr:": "m2kr:PATH", "ret-m2kr:": "m2kr:PATH", "mbeir:": "mbeir:PATH", "mteb:": "mteb:TASK"}


class _ByCollection(TyperGroup):
    """A group whose first word may also be a collection: its kind names the command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = [self._command_of(args), *args]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return ["COLLECTION|COMMAND [OPTIONS]"]

    def _command_of(self, words: list[str]) -> str:
        """Return the command that takes the first of some words that names a kind of collection."""
        named = (_KINDS[prefix] for word in words for prefix in _KINDS if word.startswith(prefix))
        return next((command for command in named if command in self.commands), _COLLECTION)


class _OfCollection(TyperCommand):
    """A command named after the collection that is its argument."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return ["[OPTIONS]"]


app = typer.Typer(
    cls=_ByCollection,
    no_args_is_help=True,
    help="Measure how well a model answers, by queries and judgements. What stands in capitals is yours "
    "to name: plait eval ./manuals --model plait-mini.",
)


@app.command(_COLLECTION, cls=_OfCollection, rich_help_panel=_PANEL)
def collection(
    spec: Annotated[
        str,
        typer.Argument(metavar="COLLECTION", hidden=True),
    ],
    model: ModelOption = None,
    lanes: Annotated[
        str | None,
        typer.Option(
            "--lanes", help="With commas between: only these lanes of the model.", show_default="all"
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option("--method", help="How lanes are combined: gated, zsum or rrf.", show_default="gated"),
    ] = None,
    recall: Annotated[
        float | None,
        typer.Option(
            "--recall",
            help="Share of the exact best hits that a search must find; 1 is exact.",
            show_default="0.99",
        ),
    ] = None,
    k: DepthOption = 100,
    measures: MeasuresOption = None,
    seed: SeedOption = 0,
    strict: StrictOption = False,
    baselines: BaselinesOption = True,
    each_lane: Annotated[
        bool, typer.Option("--each-lane", help="Each lane of the model alone, too.")
    ] = False,
    out: OutOption = None,
    force: ForceOption = False,
    work: WorkOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a model on a folder of documents with queries and judgements, or on files:FOLDER.

    A folder holds corpus.jsonl, queries.jsonl and qrels.tsv.

    files:FOLDER is documents as they are; beside them, or in FOLDER/eval,
    lie queries.jsonl and qrels.tsv, which names "a.pdf" or "a.pdf#page=3".

    Exit code 1: done, but something could not be used; it is said what.
    """
    from plait.evaluation.evaluate import MEASURES
    from plait.evaluation.manifest import typed_command
    from plait.evaluation.stored import check_free
    from plait.library.evaluating.running import Options, evaluate_collection

    if out is not None:
        check_free(out, force=force)
    options = Options(
        k=k,
        lanes=_named(lanes),
        method=cast("Method | None", method),
        recall=recall,
        measures=_named(measures) or MEASURES,
        seed=seed,
        strict=strict,
        baselines=baselines,
        each_lane=each_lane,
    )
    with _shown_progress() as progress:
        evaluation = evaluate_collection(
            spec, model=model, options=options, work=work, command=typed_command(), progress=progress
        )
    shown(evaluation, out=out, force=force, as_json=as_json)


def shown(evaluation: Evaluation, *, out: Path | None, force: bool, as_json: bool) -> None:
    """Store an evaluation where it is wanted, and print it; exit code 1 if something could not be used."""
    from plait.evaluation.stored import save
    from plait.evaluation.summary import problem_lines, to_text

    folder = None if out is None else save(evaluation, out, force=force)
    if as_json:
        print_json(evaluation.to_dict())
    else:
        print(to_text(evaluation))
        print(
            f"stored in {folder}" if folder else "not stored: --out FOLDER keeps runs, records and a manifest"
        )
    for line in problem_lines(evaluation):
        warn(line)
    if evaluation.problems or evaluation.model.failed:
        sys.exit(1)


def _named(text: str | None) -> tuple[str, ...] | None:
    """Return the names between commas, None if there are none."""
    names = tuple(name.strip() for name in (text or "").split(",") if name.strip())
    return names or None


@contextmanager
def _shown_progress() -> Iterator[Progress]:
    """Give a callback that draws a bar on a terminal, one after the other for what is done."""
    from plait.cli.console import progress_bar
    from plait.library.reports import Progress as Event

    with progress_bar("evaluating") as draw:
        yield lambda what, done, total: draw(Event(done, total, what))


app.command("m2kr:PATH", cls=_OfCollection, rich_help_panel=_PANEL)(eval_protocols.m2kr)
app.command("mbeir:PATH", cls=_OfCollection, rich_help_panel=_PANEL)(eval_protocols.mbeir)
app.command("mteb:TASK", cls=_OfCollection, rich_help_panel=_PANEL)(eval_mteb.mteb)
app.command("library")(eval_library.library)
app.command("judgements")(eval_judgements.judgements)
app.command("compare")(eval_compare.compare)
app.command("rerun")(eval_rerun.rerun)
