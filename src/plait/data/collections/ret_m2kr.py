"""ReT-M2KR's test sets (aimagelab/ReT-M2KR): M2KR without MSMARCO, with pictures for many passages.

{name}_test.jsonl (evqa_test_m2kr.jsonl)    {"data_id", "instruction", "question", "image_path",
                                             "passage_id", "passage_text", "answer"}
{name}_passages_test.jsonl                  {"passage_id", "passage_text", "passage_image_path"}

Known, from the official inference code and the dataset's pages: question, image_path, passage_text and
passage_image_path may be null; passage_id of a query is one id or a list; ids are compared as strings;
a query's words are its instruction and its question with a space between, or the instruction alone; an
answer is a text or {"wikidata": value}; pseudo-recall is measured where some answer is not null. The
gold passages' text in a query's row is not read.

Assumed, for no page lists the folders to the end: the test files are in jsonl/m2kr/test, and their
passages there or in jsonl/m2kr/passages; files that lie side by side in the folder given will do, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from plait.data.collections.candidates import CandidateFiles, Watch
from plait.data.collections.knowledge import CUTOFF, QueryForm, knowledge_task, pictures_of
from plait.data.collections.pools import PoolTask, bounded_problems
from plait.data.collections.tasks import chosen, picture_folder
from plait.data.training.fields import text_of
from plait.data.training.lines import json_rows
from plait.data.training.pictures import PictureFolder
from plait.errors import MissingPathError

TASKS = tuple(name for name in CUTOFF if name != "msmarco")
_FORM = QueryForm(
    id="data_id",
    picture="image_path",
    relevant="passage_id",
    answers="answer",
    instruct=str.strip,
    cutoffs=(1, 2, 3, 5, 10, 50, 100),
    answered=TASKS,
)
_FOLDERS = ("jsonl/m2kr/test", "jsonl/m2kr/passages", "jsonl/m2kr", "test", "passages", ".")
_IMAGES = ("images", ".")


def read_ret_m2kr(
    folder: str | Path,
    *,
    tasks: Sequence[str] | None = None,
    images: str | Path | None = None,
    strict: bool = False,
    watch: Watch | None = None,
) -> list[PoolTask]:
    """Return ReT-M2KR's test sets, each with the pool of its passages.

    Rows that cannot be used, and queries whose picture is missing, are left out and listed in the task's
    `problems`. A passage whose picture is missing keeps its words, and is listed in the pool's.

    Args:
        folder: that holds jsonl, or the files themselves.
        tasks: "okvqa", "E-VQA", ...; None: all that are there.
        images: the folder the pictures were unpacked in, which their paths start from. None: "images" in
            the folder, or the folder itself, whichever holds a picture that is asked with.
        strict: stop at the first problem.
        watch: called with each file before it is read.

    Raises:
        MissingPathError: a folder or a file is not there.
        InputError: an unknown task; no query or passage that can be used; or `strict`, and there is a
            problem: the message begins with file and line.
    """
    root = Path(folder)
    if not root.is_dir():
        raise MissingPathError(f"{root}: no such folder; expected the one that holds jsonl/m2kr/test")

    def missing(name: str) -> list[str]:
        return [str(root / _FOLDERS[0] / names[0]) for names in _names(name) if _found(root, names) is None]

    names = chosen(
        tasks, TASKS, there=lambda name: _found(root, _names(name)[0]) is not None, missing=missing
    )
    return [_task(root, name, images=images, strict=strict, watch=watch) for name in names]


def _task(root: Path, name: str, *, images: str | Path | None, strict: bool, watch: Watch | None) -> PoolTask:
    problems = bounded_problems(strict=strict)
    rows_file, passages = (found for names in _names(name) if (found := _found(root, names)))
    if watch:
        watch(rows_file)
    rows = list(json_rows(rows_file))
    guesses = [root / guess for guess in _IMAGES] if images is None else [Path(PictureFolder(images).root)]
    pictures = picture_folder(guesses, pictures_of(rows, _FORM), problems)
    source = CandidateFiles(
        form="ret-m2kr",
        files=(passages,),
        rows=json_rows,
        key="passage_id",
        words=partial(text_of, key="passage_text"),
        picture="passage_image_path",
        pictures=pictures,
    )
    return knowledge_task(name, rows, _FORM, source, pictures=pictures, problems=problems, watch=watch)


def _names(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what the file of queries may be called, and that of passages."""
    special = (f"{name}_test_m2kr.jsonl",) if name == "evqa" else ()
    return (*special, f"{name}_test.jsonl"), (f"{name}_passages_test.jsonl",)


def _found(root: Path, names: Sequence[str]) -> Path | None:
    files = (root / folder / name for name in names for folder in _FOLDERS)
    return next((file for file in files if file.is_file()), None)
