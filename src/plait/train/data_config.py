"""Where training rows come from: settings for each kind of source, and the source that they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from plait.data.training.examples import TrainingSource
from plait.data.training.hugging_face import Columns, HuggingFaceSource, named, saved
from plait.data.training.jsonl import JsonlSource
from plait.data.training.m2kr import M2krSource
from plait.data.training.mbeir import MBeirSource
from plait.data.training.mixture import Mixture, Part
from plait.data.training.ret_m2kr import RetM2krSource
from plait.errors import InputError

PathOrPaths = Path | tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """What all kinds have.

    Attributes:
        name: for reports; null: after its files.
        repeats: how many times it is taken.
        rows: instead, exactly how many rows are; fewer than there are: a sample, more: some again.
        seed: of what is drawn in it.
        check_headers: also look into each picture's header; else only at its size, which is much faster.
        licence, made_by: for the model card.
    """

    name: str | None = None
    repeats: int = 1
    rows: int | None = None
    seed: int = 0
    check_headers: bool = False
    licence: str | None = None
    made_by: str | None = None

    def __post_init__(self) -> None:
        if self.repeats < 1 or (self.rows is not None and self.rows < 1):
            raise InputError(f"repeats {self.repeats}, rows {self.rows}: expected 1 or more")
        if self.repeats > 1 and self.rows is not None:
            raise InputError("give repeats or rows, not both")


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonlData(_Source):
    """`plait.data.training.jsonl`, whose docstring says what a line holds.

    Attributes:
        paths: files, or patterns.
        images: the folder that pictures' paths start from; null: the first file's own.
    """

    format: Literal["jsonl"]
    paths: PathOrPaths
    images: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetM2krData(_Source):
    """`plait.data.training.ret_m2kr`: ReT-M2KR's own training files.

    Attributes:
        paths: files of rows, or patterns.
        images: the folder the pictures were unpacked in.
        passages: files of passages, for rows that do not hold them.
    """

    format: Literal["ret_m2kr"]
    paths: PathOrPaths
    images: Path
    passages: PathOrPaths | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class M2krData(_Source):
    """`plait.data.training.m2kr`: one data set of M2KR, as published in Parquet.

    Attributes:
        paths, passages: files of its {name}_data and {name}_passages, or patterns.
        images: the folder the pictures were unpacked in.
        instructions_as: the data set whose published instructions are drawn from; null: each row's own.
    """

    format: Literal["m2kr"]
    paths: PathOrPaths
    images: Path
    passages: PathOrPaths | None = None
    instructions_as: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MBeirData(_Source):
    """`plait.data.training.mbeir`: M-BEIR's training files.

    Attributes:
        paths, pool: files of queries and of their candidates, or patterns.
        root: folder of M-BEIR, which pictures' paths start from.
        instructions: the file of instructions; null: none.
        hard_negatives: so many are drawn of each row's own.
    """

    format: Literal["mbeir"]
    paths: PathOrPaths
    pool: PathOrPaths
    root: Path
    instructions: Path | None = None
    hard_negatives: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFaceData(_Source):
    """`plait.data.training.hugging_face`: a data set of the `datasets` library.

    Attributes:
        columns: which columns hold what.
        folder: where `save_to_disk` wrote it.
        dataset: instead, its name on the hub; taken from the cache where it is there.
        config, split, revision: of it.
        streaming: read it as it comes from the hub, shard by shard, instead of downloading it first.
        images: the folder that pictures' paths start from, where it holds paths.
    """

    format: Literal["hugging_face"]
    columns: Columns
    folder: Path | None = None
    dataset: str | None = None
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    streaming: bool = False
    images: Path | None = None

    def __post_init__(self) -> None:
        _Source.__post_init__(self)
        if (self.folder is None) == (self.dataset is None):
            raise InputError("give either folder, where it was saved, or dataset, its name on the hub")


DataSource = JsonlData | RetM2krData | M2krData | MBeirData | HuggingFaceData


def sources_of(data: Sequence[DataSource], *, seed: int, store: Path) -> list[TrainingSource]:
    """Return the sources to read one after another: a mixture, where some are repeated or sampled.

    Args:
        seed: of the rows drawn where fewer are wanted than there are.
        store: the folder for pictures that come as bytes.

    Raises:
        MissingPathError, InputError: as the sources.
    """
    sources = [source_of(one, store=store) for one in data]
    if all(one.repeats == 1 and one.rows is None for one in data):
        return sources
    parts = [
        Part(source, repeats=one.repeats, rows=one.rows) for source, one in zip(sources, data, strict=True)
    ]
    return [Mixture(parts, seed=seed)]


def source_of(data: DataSource, *, store: Path) -> TrainingSource:
    """Return the source that settings mean.

    Args:
        store: the folder for pictures that come as bytes.

    Raises:
        MissingPathError, InputError: as the source.
    """
    match data:
        case JsonlData():
            return JsonlSource(
                _several(data.paths), images=data.images, name=data.name, check_headers=data.check_headers
            )
        case RetM2krData():
            return RetM2krSource(
                _several(data.paths),
                images=data.images,
                passages=_several_or_none(data.passages),
                name=data.name,
                seed=data.seed,
                check_headers=data.check_headers,
            )
        case M2krData():
            return M2krSource(
                _several(data.paths),
                images=data.images,
                passages=_several_or_none(data.passages),
                instructions_as=data.instructions_as,
                name=data.name,
                seed=data.seed,
                check_headers=data.check_headers,
            )
        case MBeirData():
            return MBeirSource(
                _several(data.paths),
                pool=_several(data.pool),
                root=data.root,
                instructions=data.instructions,
                hard_negatives=data.hard_negatives,
                name=data.name,
                seed=data.seed,
                check_headers=data.check_headers,
            )
        case HuggingFaceData():
            return HuggingFaceSource(
                _dataset(data),
                data.columns,
                store=store,
                images=data.images,
                name=data.name or _named(data),
            )


def _named(data: HuggingFaceData) -> str:
    return data.dataset or (data.folder.name if data.folder is not None else "")


def _dataset(data: HuggingFaceData) -> Any:
    if data.folder is not None:
        return saved(data.folder, split=data.split)
    assert data.dataset is not None, "one of both was given"
    return named(
        data.dataset,
        split=data.split,
        config=data.config,
        streaming=data.streaming,
        revision=data.revision,
    )


def _several(paths: PathOrPaths) -> list[Path]:
    return [paths] if isinstance(paths, Path) else list(paths)


def _several_or_none(paths: PathOrPaths | None) -> list[Path] | None:
    return None if paths is None else _several(paths)
