"""M2KR's test sets (BByrneLab/..._M2KR) as published: a folder of Parquet files for each configuration.

EVQA_data/test-00000-of-00001.parquet               question_id, question, instruction, img_path,
                                                    pos_item_ids, answers; the last columns may be null
EVQA_passages/test_passages-00000-of-00001.parquet  passage_id, passage_content

A query's words are its instruction, which gets a colon at its end unless it has one, and its question
with a space between, as in the official script. Passages are words only. Ids are compared as strings.

Source: Lin et al., PreFLMR (arXiv 2402.08327), and its evaluation script.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from plait.data.collections.candidates import CandidateFiles, Watch
from plait.data.collections.knowledge import ANSWERED, CUTOFF, QueryForm, knowledge_task, pictures_of
from plait.data.collections.pools import PoolTask, bounded_problems
from plait.data.collections.tasks import chosen, picture_folder, plain
from plait.data.training.examples import BadRow
from plait.data.training.fields import text_of
from plait.data.training.lines import Row
from plait.data.training.parquet import parquet_rows
from plait.data.training.pictures import PictureFolder
from plait.errors import MissingPathError

TASKS = tuple(CUTOFF)
_IMAGES = ("images", "Images", "M2KR_Images", "../M2KR_Images", ".")


def read_m2kr(
    folder: str | Path,
    *,
    tasks: Sequence[str] | None = None,
    images: str | Path | None = None,
    strict: bool = False,
    watch: Watch | None = None,
) -> list[PoolTask]:
    """Return M2KR's test sets, each with the pool of its test passages.

    Rows that cannot be used, and queries whose picture is missing, are left out and listed in the task's
    `problems`; of passages, in the pool's.

    Args:
        folder: that holds the configurations; {name}_data and {name}_passages are found whatever their
            case, with dashes or without, "E-VQA_data" too.
        tasks: "wit", "EVQA", "e-vqa", ...; None: all that are there.
        images: the folder that pictures' paths start from, or one that holds such a folder for each data
            set, named as it (links to folders will do). None: "images" or "M2KR_Images" in the folder,
            "M2KR_Images" beside it, or the folder itself, whichever holds a picture that is asked with.
        strict: stop at the first problem.
        watch: called with each file before it is read.

    Raises:
        MissingPathError: a folder or a file is not there.
        InputError: an unknown task; no query or passage that can be used; or `strict`, and there is a
            problem: the message begins with file and row.
    """
    root = Path(folder)
    folders = _folders(root)

    def files(name: str) -> tuple[list[Path], list[Path]]:
        data, passages = folders.get(f"{name}data"), folders.get(f"{name}passages")
        return _files(data, "test"), _files(passages, "test_passages")

    def missing(name: str) -> list[str]:
        expected = (f"{name.upper()}_data/test-*.parquet", f"{name.upper()}_passages/test_passages-*.parquet")
        return [str(root / file) for file, found in zip(expected, files(name), strict=True) if not found]

    names = chosen(tasks, TASKS, there=lambda name: bool(files(name)[0]), missing=missing)
    return [_task(root, name, *files(name), images=images, strict=strict, watch=watch) for name in names]


def _folders(root: Path) -> dict[str, Path]:
    if not root.is_dir():
        raise MissingPathError(
            f"{root}: no such folder; expected the one that holds EVQA_data, EVQA_passages"
        )
    return {plain(one.name): one for one in sorted(root.iterdir()) if one.is_dir()}


def _files(folder: Path | None, split: str) -> list[Path]:
    """Return the files of a split, in order: one, several, or in a folder of their own."""
    patterns = (f"{split}-*.parquet", f"{split}.parquet", f"{split}/*.parquet")
    found = ([] if folder is None else sorted(folder.glob(pattern)) for pattern in patterns)
    return next((files for files in found if files), [])


def _guesses(root: Path, images: str | Path | None, name: str) -> list[Path]:
    """Return the folders that the paths of a data set's pictures may start from."""
    bases = [root / guess for guess in _IMAGES] if images is None else [Path(PictureFolder(images).root)]
    return [folder for base in bases if base.is_dir() for folder in (*_named(base, name), base)]


def _named(base: Path, name: str) -> list[Path]:
    """Return the folders in a folder that have the name of a data set."""
    return [one for one in sorted(base.iterdir()) if plain(one.name) == name and one.is_dir()]


def _with_colon(instruction: str) -> str:
    stripped = instruction.strip()
    return stripped if not stripped or stripped.endswith(":") else stripped + ":"


_FORM = QueryForm(
    id="question_id",
    picture="img_path",
    relevant="pos_item_ids",
    answers="answers",
    instruct=_with_colon,
    cutoffs=(1, 5, 10, 20, 50, 100),  # and 500, for which more hits would have to be kept
    answered=ANSWERED,
)


def _task(
    root: Path,
    name: str,
    rows: Sequence[Path],
    passages: Sequence[Path],
    *,
    images: str | Path | None,
    strict: bool,
    watch: Watch | None,
) -> PoolTask:
    problems = bounded_problems(strict=strict)
    read = _rows(rows, watch)
    pictures = picture_folder(_guesses(root, images, name), pictures_of(read, _FORM), problems)
    source = CandidateFiles(
        form="m2kr",
        files=passages,
        rows=partial(parquet_rows, needed=("passage_id", "passage_content")),
        key="passage_id",
        words=partial(text_of, key="passage_content"),
    )
    return knowledge_task(name, read, _FORM, source, pictures=pictures, problems=problems, watch=watch)


def _rows(files: Sequence[Path], watch: Watch | None) -> list[Row | BadRow]:
    needed, optional = ("question_id", "question", "pos_item_ids"), ("instruction", "img_path", "answers")
    read: list[Row | BadRow] = []
    for file in files:
        if watch:
            watch(file)
        read += parquet_rows(file, needed=needed, optional=optional)
    return read
