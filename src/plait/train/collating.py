"""Batches for sentence-transformers' trainers: pictures opened, both sides prepared, targets beside them."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import partial
from multiprocessing.context import get_spawning_popen
from multiprocessing.sharedctypes import SynchronizedArray
from random import Random
from typing import Any

import torch
from PIL import Image as PillowImage
from sentence_transformers.base.data_collator import BaseDataCollator
from torch import Tensor

from plait.data.training.drawing import generator
from plait.data.training.entities import content_entity, label_entity
from plait.data.training.examples import Side
from plait.encode.pictures import open_picture
from plait.encode.st.inputs import MAX_PIXELS
from plait.errors import InputError, QueryError

_LOGGED = 20  # damaged pictures that are named in the log
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Damage:
    """What was left out because pictures could not be opened, each time that it was met.

    Attributes:
        pictures: queries and documents that went on with their text alone, or not at all.
        documents: those left out, for they had no text.
        rows: those left out, for their query or last relevant document was.
    """

    pictures: int = 0
    documents: int = 0
    rows: int = 0

    def __str__(self) -> str:
        left = f"{self.documents:,} documents and {self.rows:,} rows left out"
        return f"{self.pictures:,} damaged pictures; {left}"


class SharedNumbers:
    """Whole numbers that are the same in all processes that a data loader starts, however they start.

    Args:
        numbers: what they are at first.

    Attributes:
        array: the numbers; lock it for more than one access.
    """

    def __init__(self, numbers: Sequence[int]) -> None:
        # A lock made for spawned processes is one that forked ones can use too, and not the other way round.
        self.array: SynchronizedArray[int] = multiprocessing.get_context("spawn").Array("q", list(numbers))

    def __getstate__(self) -> dict[str, Any]:
        """Return the shared numbers on the way to a process being started, else a copy's own."""
        return {"array": self.array if get_spawning_popen() is not None else self.array[:]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        array = state["array"]
        self.array = SharedNumbers(array).array if isinstance(array, list) else array


class DamageCounter:
    """Counts damage over all processes of a data loader."""

    def __init__(self) -> None:
        self._counts = SharedNumbers(astuple(Damage()))

    def add(self, damage: Damage) -> int:
        """Add some, and return how many pictures were damaged before."""
        counts = self._counts.array
        with counts.get_lock():
            before = counts[0]
            for k, count in enumerate(astuple(damage)):
                counts[k] += count
        return int(before)

    @property
    def total(self) -> Damage:
        """All that was counted."""
        return Damage(*self._counts.array[:])


@dataclass
class TrainingCollator(BaseDataCollator):  # type: ignore[misc]  # sentence-transformers is not typed
    """Makes batches of rows that `plait.train.data.to_dataset` gives.

        collator = TrainingCollator(model.preprocess, negatives_per_query=4)
        trainer = MultiVectorTrainer(model, args, dataset, data_collator=collator, loss=..., ...)

    `MultiVectorTrainer` is that of `plait.train.loop`, or any of sentence-transformers' that does not fill
    in the model card: theirs would read labels and ids as texts, and put rows on the card.

    A batch holds the features of B queries, "query_...", and of the N documents of all rows, in order,
    "document_..."; and "label", a dict of tensors of (N,):

        owner, int64      row of the batch whose document it is
        entity, int64     equal for documents about the same thing: from the label where the document is
                          relevant and its row has one, or where it is the same as such a one of the batch;
                          else from its own text and picture's path
        relevance, float32    grade for its owner, above 0 where it is relevant
        teacher, float32  a teacher's score for its owner, NaN where there is none

    A damaged picture does not end training: query or document go on with their text; a document
    without text is left out, and with its last relevant document, or its query, a row. A process so may
    have fewer rows than another. What was left out is counted in `damaged`, and logged at first.

    All pictures of a batch are decoded before they are scaled: 3 bytes a pixel, in each worker.

    Pickled, it takes `preprocess_fn` with it: of a bound method, the model. Data loaders that start
    processes by forking, the default on Linux before Python 3.14, do not pickle.

    Args:
        preprocess_fn: the model's `preprocess`.
        prompts: what goes before each text, by "query" and "document"; or one for both.
        max_length: see `MultiVectorEncoderTrainingArguments`.
        negatives_per_query: how many documents that are not relevant are taken of a row at most; the others
            are not opened. None: all.
        seed: of which are taken. The draw depends on it, the epoch (`set_epoch`) and the row's id alone: any
            number of workers and of processes draws the same.
        max_pixels: a larger picture counts as damaged.

    Raises:
        InputError: of a batch, that no row can be used; of rows, that they lack columns.
    """

    negatives_per_query: int | None = None
    seed: int = 0
    max_pixels: int = MAX_PIXELS
    counter: DamageCounter = field(default_factory=DamageCounter, repr=False)
    _epoch: SharedNumbers = field(default_factory=partial(SharedNumbers, (0,)), init=False, repr=False)

    def __post_init__(self) -> None:
        if self.negatives_per_query is not None and self.negatives_per_query < 0:
            raise InputError(
                f"negatives_per_query is {self.negatives_per_query}: expected 0 or more, or None"
            )

    @property
    def damaged(self) -> Damage:
        """What was left out so far, in all workers."""
        return self.counter.total

    @property
    def epoch(self) -> int:
        """Which epoch is drawn for."""
        return int(self._epoch.array[0])

    def set_epoch(self, epoch: int) -> None:
        """Draw for another epoch, also in the workers that a data loader has started already."""
        self._epoch.array[0] = epoch

    def __call__(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        if not features:
            return {}
        first = features[0]
        if missing := {"query", "documents", "label", "grades", "teacher", "id"} - first.keys():
            raise InputError(
                f"rows lack {', '.join(sorted(missing))}, they have {', '.join(first)}: make the data set "
                "with plait.train.data.to_dataset"
            )
        rows = [row for given in features if (row := self._row(given)) is not None]
        if not rows:
            raise InputError(
                f"none of the {len(features)} rows of a batch can be used ({self.damaged}): check the "
                "folder of pictures, and read the training data afresh"
            )
        batch: dict[str, Any] = {"dataset_name": first["dataset_name"]} if "dataset_name" in first else {}
        self._prepare(batch, "query", [row.query for row in rows])
        self._prepare(batch, "document", [one.input for row in rows for one in row.documents])
        batch["label"] = _targets(rows)
        return batch

    def _prepare(self, batch: dict[str, Any], column: str, inputs: list[dict[str, Any]]) -> None:
        """Add the features of one side to a batch, their names as trainers look for them."""
        prompts = self._resolve_prompts(batch)
        prompt = self._get_prompt_for_column(prompts, column) if prompts else None
        task = self._resolve_router_mapping(batch).get(column, column)
        length = self._get_max_length_for_task(task)
        options = {} if length is None else {"max_length": length}
        for name, value in self.preprocess_fn(inputs, prompt=prompt, task=task, **options).items():
            batch[f"{column}_{name}"] = value
        batch[f"{column}_task"] = task

    def _row(self, given: Mapping[str, Any]) -> _Row | None:
        """Return a row with its pictures opened, as far as they can be; None where nothing is left of it."""
        grades = given["grades"] or [1.0] + [0.0] * (len(given["documents"]) - 1)
        teacher = given["teacher"] or [float("nan")] * len(grades)
        broken: list[str] = []
        documents = []
        query = self._opened(given["query"], broken)
        draw = generator(self.seed, str(self.epoch), str(given["id"]))
        kept = _kept(grades, self.negatives_per_query, draw)
        for k in kept:
            side = Side(**given["documents"][k])
            if (found := self._opened(given["documents"][k], broken)) is not None:
                label = given["label"] if grades[k] > 0 else ""
                documents.append(_Document(found, content_entity(side), label, grades[k], teacher[k]))
        lost = query is None or not any(document.grade > 0 for document in documents)
        self._note(Damage(len(broken), len(kept) - len(documents), int(lost)), broken)
        return None if query is None or lost else _Row(query, documents)

    def _opened(self, side: Mapping[str, str], broken: list[str]) -> dict[str, Any] | None:
        """Return a side as models read it, None where nothing is left of it; note why a picture is not."""
        image: PillowImage.Image | None = None
        if side["image"]:
            try:
                image = open_picture(side["image"], max_pixels=self.max_pixels)
            except QueryError as error:
                broken.append(str(error))
        parts = {"text": side["text"] if side["text"].strip() else None, "image": image}
        return {name: part for name, part in parts.items() if part is not None} or None

    def _note(self, damage: Damage, reasons: Sequence[str]) -> None:
        if damage == Damage():
            return
        before = self.counter.add(damage)
        for reason in reasons[: max(0, _LOGGED - before)]:
            _log.warning("a picture of the training data is left out: %s", reason)


@dataclass(frozen=True, slots=True)
class _Document:
    """A document of a batch; `content` is its entity where no label gives it one."""

    input: dict[str, Any]
    content: int
    label: str
    grade: float
    teacher: float


@dataclass(frozen=True, slots=True)
class _Row:
    query: dict[str, Any]
    documents: list[_Document]


def _kept(grades: Sequence[float], negatives: int | None, draw: Random) -> list[int]:
    """Return which documents of a row are taken: the relevant ones, and a drawn number of the others."""
    others = [k for k, grade in enumerate(grades) if grade <= 0]
    if negatives is None or len(others) <= negatives:
        return list(range(len(grades)))
    taken = set(draw.sample(others, negatives))
    return [k for k, grade in enumerate(grades) if grade > 0 or k in taken]


def _targets(rows: Sequence[_Row]) -> dict[str, Tensor]:
    documents = [document for row in rows for document in row.documents]
    return {
        "owner": torch.tensor([k for k, row in enumerate(rows) for _ in row.documents], dtype=torch.int64),
        "entity": torch.tensor(list(_entities(documents)), dtype=torch.int64),
        "relevance": torch.tensor([document.grade for document in documents], dtype=torch.float32),
        "teacher": torch.tensor([document.teacher for document in documents], dtype=torch.float32),
    }


def _entities(documents: Sequence[_Document]) -> Iterator[int]:
    """Yield each document's entity: one row's hard negative may be the labelled document of another."""
    labelled = {one.content: label_entity(one.label) for one in documents if one.label}
    for one in documents:
        yield label_entity(one.label) if one.label else labelled.get(one.content, one.content)
