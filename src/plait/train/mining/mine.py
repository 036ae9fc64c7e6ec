"""Mining hard negatives, from rows to rows: read, encode, search, choose, write."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from plait.data.locking import locked
from plait.data.training.examples import TrainingSource
from plait.data.whole_files import whole
from plait.encode.quiet import no_progress_bars
from plait.encode.side_vectors import Vectors
from plait.encode.sides import Role, SideModel, encode_into, folder_of
from plait.errors import InputError, PlaitError, TrainError
from plait.train.data import to_dataset
from plait.train.mining.candidates import Candidates
from plait.train.mining.corpus import Corpus, read_corpus, sides_from
from plait.train.mining.options import MiningOptions
from plait.train.mining.report import MiningReport
from plait.train.mining.searching import Search
from plait.train.mining.work import check_is_of, found_in
from plait.train.mining.writing import Writer, check_no_teacher, folder_of_pictures

Progress = Callable[[str, int, int], None]  # what is done, how many are, and how many there are


def mine(
    sources: Sequence[TrainingSource],
    *,
    model: str,
    output: str | Path,
    options: MiningOptions | None = None,
    candidates: str | Path | None = None,
    images: str | Path | None = None,
    device: str = "auto",
    batch_size: int = 32,
    max_bad_share: float = 0.1,
    force: bool = False,
    keep: bool = False,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> MiningReport:
    """Write the rows of some sources with hard negatives that a model finds, and return what was found.

    Each row is written as it is, its new negatives after the documents that it has: those by rank, those of
    the wrong modality, those stripped. Searched are the distinct documents of all rows, and `candidates`.

    Vectors and what was found lie in a folder beside the output, OUTPUT.work, until all is done: the same
    call goes on from there after an interruption of any kind, and writes what it would have written without.
    Memory grows by some tens of bytes a row, query and document; words, pictures and vectors stay on disk.

    Args:
        model: a folder, a pip package, or a downloaded hub name: of ReT, ReT-2 or sentence-transformers.
        output: the file to write, JSON Lines as `plait.data.training.jsonl` reads them.
        options: None: the defaults.
        candidates: a file of more documents, see `candidates.Candidates`.
        images: the folder that pictures' paths shall start from; None: `writing.folder_of_pictures` tells.
        device: "cpu", "cuda", or "auto", which takes a GPU where there is one.
        batch_size: inputs encoded at a time.
        max_bad_share: of the rows that cannot be used, in [0, 1].
        force: overwrite the output, and begin anew where the work folder is of another model or other rows.
        keep: leave the work folder there, for other options with the same rows and model.
        progress: called as the work goes on.
        say: called with remarks.

    Raises:
        InputError: no row that can be used, an output that is there, a work folder of something else, rows
            that the model cannot read, or a teacher's scores that new negatives would lack.
        ModelError: the model cannot be found, loaded or used.
        MissingExtraError: a package is not installed.
        TrainError: another process is at it.
        PlaitError: a file cannot be read or written, such as on a full disk.
    """
    began, file, options = time.monotonic(), Path(output), options or MiningOptions()
    told, watch = say or (lambda _: None), progress or (lambda *_: None)
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}, expected 1 or more")
    if file.exists() and not force:
        raise InputError(f"{file} is there already: give another output, or overwrite it with force")
    more = None if candidates is None else Candidates(Path(candidates))
    folder, work = folder_of(model), file.with_name(file.name + ".work")
    device = _device(device)
    with _explained(work), _alone_in(work), no_progress_bars():
        watch("reading rows", 0, 0)
        rows, read = to_dataset(sources, work / "data", max_bad_share=max_bad_share, progress=False)
        told(str(read))
        if not options.teacher:
            check_no_teacher(rows)
        corpus = read_corpus(rows, more or (), work)
        root = folder_of_pictures(
            None if images is None else Path(images), output=file, pictures=corpus.pictures
        )
        loaded = _model(model, corpus, device=device, batch_size=batch_size)
        check_is_of(work, model=folder, rows=corpus.digest, force=force, say=told)
        search = _search(corpus, loaded, options, work, device=device, watch=watch)
        writer = Writer(corpus, search, options, images=root, prefixed=len(read.sources) > 1)
        found = found_in(work, search, rows=len(rows), watch=watch)
        with whole(file) as part:
            tally = writer.write(found, part)
        if not keep:
            shutil.rmtree(work)
    return MiningReport(
        output=file,
        images=None if root == Path(os.path.realpath(file.parent)) else root,
        model=model,
        rows=len(rows),
        candidates=len(corpus.documents),
        negatives=dict(tally.negatives),
        rows_without=tally.rows_without,
        likely_relevant=tally.likely_relevant,
        median_rank=float(np.median(tally.ranks)) if tally.ranks else 0.0,
        unreadable=search.queries.damaged + search.documents.damaged,
        bad_candidates=0 if more is None else more.bad,
        seconds=time.monotonic() - began,
    )


@contextmanager
def _alone_in(work: Path) -> Iterator[None]:
    work.mkdir(parents=True, exist_ok=True)
    with locked(work, doing="mining into", instead="another output", refusal=TrainError):
        yield


def _model(name: str, corpus: Corpus, *, device: str, batch_size: int) -> SideModel:
    """Return the model, which reads all that the corpus holds."""
    model = SideModel(name, device=device, batch_size=batch_size)
    model.check_reads(corpus.query_kinds, "queries")
    model.check_reads(corpus.kinds, "documents")
    return model


def _search(
    corpus: Corpus, model: SideModel, options: MiningOptions, work: Path, *, device: str, watch: Progress
) -> Search:
    """Return a search over the corpus, whose vectors are there afterwards."""

    def encoded(role: Role, sides: Any, what: str) -> Vectors:
        read = partial(sides_from, sides)
        return encode_into(work, role, read, model, role, total=len(sides), watch=partial(watch, what))

    queries = encoded("query", corpus.queries, "encoding queries")
    documents = encoded("document", corpus.documents, "encoding documents")
    return Search(
        corpus,
        queries,
        documents,
        count=options.to_rank,
        by_modality=options.wrong_modality > 0,
        device=device,
    )


@contextmanager
def _explained(work: Path) -> Iterator[None]:
    """Say of what the file system refuses what can be done about it.

    Raises:
        PlaitError: instead of an OSError.
    """
    try:
        yield
    except PlaitError:
        raise
    except OSError as error:
        raise PlaitError(
            f"{error.filename or work} could not be read or written ({error.strerror or error}): see that "
            "the disk has room, and that files may be read and written; the same command then goes on"
        ) from error


def _device(name: str) -> str:
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"device is {name!r}, expected auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device is cuda, but torch sees no GPU: give cpu, or auto")
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
