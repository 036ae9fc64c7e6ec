"""plait eval judgements."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from plait.cli.console import JsonOption, LibraryOption, open_library, print_json, warn

if TYPE_CHECKING:
    from plait.library.feedback import Opinion


def judgements(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Folder that holds the documents; default: the one with the library in it.",
            show_default=False,
        ),
    ] = None,
    library: LibraryOption = None,
    clicks: Annotated[
        bool, typer.Option("--clicks", help="What was only opened counts as relevant too.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what was exported before.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write what people judged on the web page as queries and qrels, for  plait eval files:FOLDER.

    They go into FOLDER/eval: queries.jsonl, qrels.tsv and pictures. Judgements name pages where documents
    have them. Without --clicks only what was marked right or wrong counts.
    """
    from plait.data.collections.writing import write_labels
    from plait.errors import InputError
    from plait.library.feedback import Feedback, judged

    with open_library(library) as opened:
        home = opened.folder.parent
        root = Path(os.path.abspath(folder or home))
        feedback = Feedback(opened.folder)

    def name_of(opinion: Opinion) -> str:
        source = Path(os.path.normpath(home / opinion.source))
        if "!" in opinion.source or not source.is_relative_to(root):
            return ""
        path = quote(source.relative_to(root).as_posix(), safe="/ ")
        return path if opinion.page is None else f"{path}#page={opinion.page}"

    target = root / "eval"
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the one that holds the documents")
    if (target / "qrels.tsv").exists() and not force:
        raise InputError(f"{target} holds labels already: overwrite them with --force, or move them away")
    found = judged(feedback, name_of, clicks=clicks)
    for problem in found.problems:
        warn(str(problem))
    if not found.queries and found.problems:
        raise InputError(f"nothing that was judged lies in {root}: name the folder that holds the documents")
    if not found.queries:
        raise InputError(
            "nobody has judged a hit here: press Right or Wrong on the page of  plait serve  first"
            + ("" if clicks else ", or count what was opened with --clicks")
        )
    write_labels(target, found.queries, found.qrels, paths_from=root)
    grades = sum(map(len, found.qrels.values()))
    if as_json:
        said = {"folder": str(target), "queries": len(found.queries), "judgements": grades}
        print_json({**said, "problems": [str(problem) for problem in found.problems]})
    else:
        print(f"{len(found.queries)} queries with {grades} judgements in {target}")
        print(f"ask them:  plait eval files:{root}")
