"""Queries and documents as a model's vectors, pictures opened while it computes."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import MultiVectorEncoder
from torch import Tensor

from plait.data.training.examples import Side
from plait.encode import checkpoint
from plait.encode.batching import length_batches
from plait.encode.embedder import failures_of
from plait.encode.pictures import open_picture
from plait.encode.side_vectors import (
    BOTH,
    CHUNK,
    IMAGE,
    NOTHING,
    TEXT,
    WHOLE,
    WITHOUT_PICTURE,
    Encoded,
    VectorFile,
    Vectors,
)
from plait.encode.st.inputs import MAX_PIXELS
from plait.encode.starting import started
from plait.errors import InputError, ModelError, QueryError
from plait.model import hub

Role = Literal["query", "document"]

_OPENING_THREADS = min(8, os.cpu_count() or 1)
_BATCHES_AHEAD = 2
_HALF_LIMIT = 65504.0


class SideModel:
    """A model that gives vectors of queries and of documents.

    Attributes:
        name: what the user calls it.
        width: of a vector.

    Args:
        name: a folder, a pip package, or a downloaded name on the hub.
        device: of torch.
        batch_size: sides encoded at a time.

    Raises:
        ModelError: there is none, or it cannot be loaded.
        MissingExtraError: sentence-transformers is not installed.
    """

    def __init__(self, name: str, *, device: str, batch_size: int) -> None:
        self.name, self._batch_size = name, batch_size
        self._encoder: Any = started(name, device).eval()
        self._several = isinstance(self._encoder, MultiVectorEncoder)
        self.width = self._tensors([{"text": "a"}], "query")[0].shape[1]

    def check_reads(self, kinds: NDArray[np.uint8], role: str) -> None:
        """Check that the model reads all kinds of sides.

        Raises:
            InputError: it does not.
        """
        able = {TEXT: "text", IMAGE: "image", BOTH: ("image", "text")}
        named = {TEXT: "words", IMAGE: "a picture", BOTH: "words and a picture"}
        for kind, modality in able.items():
            count = int(np.count_nonzero(kinds == kind))
            if count and not self._encoder.supports(modality):
                raise InputError(
                    f"{count:,} {role} are of {named[kind]}, which {self.name} does not read in one input: "
                    "use a model that does, such as ReT"
                )

    def encode(self, sides: Sequence[Side], role: Role) -> list[Encoded]:
        """Return what the model makes of each side, in order.

        Raises:
            ModelError: it fails, or gives vectors that half precision cannot hold.
        """
        kinds = [bool(side.image) for side in sides]
        batches = length_batches([len(side.text) for side in sides], kinds=kinds, batch_size=self._batch_size)
        found: dict[int, Encoded] = {}
        for rows, opened in zip(batches, _opened_ahead(sides, batches), strict=True):
            found |= zip(rows, self._encoded(opened, role), strict=True)
        return [found[row] for row in range(len(sides))]

    def _encoded(self, opened: Sequence[_Opened], role: Role) -> list[Encoded]:
        """Return what the model makes of a batch; sides of one kind go in together."""
        vectors: list[Any] = [np.zeros((0, self.width), np.float16)] * len(opened)
        for kind in dict.fromkeys(tuple(side.input) for side in opened if side.input):
            rows = [row for row, side in enumerate(opened) if tuple(side.input) == kind]
            for row, one in zip(rows, self._tensors([opened[row].input for row in rows], role), strict=True):
                vectors[row] = self._halved(one, role)
        return [
            Encoded(one, side.state if len(one) else NOTHING, side.content)
            for one, side in zip(vectors, opened, strict=True)
        ]

    def _tensors(self, inputs: Sequence[dict[str, Any]], role: Role) -> list[Tensor]:
        """Return (n, d) for each input."""
        encode = self._encoder.encode_query if role == "query" else self._encoder.encode_document
        with failures_of(self.name, f"a {role}"), fitting(f"{len(inputs)} inputs", lower="batch_size"):
            given = encode(
                list(inputs), batch_size=len(inputs), convert_to_numpy=False, show_progress_bar=False
            )
        return [one.float() if self._several else one.float()[None] for one in given]

    def _halved(self, vectors: Tensor, role: Role) -> Any:
        if not bool((vectors.abs() <= _HALF_LIMIT).all()):  # and not where one is no number
            raise ModelError(
                f"{self.name} gives vectors for a {role} that hold NaN or numbers above {_HALF_LIMIT:,.0f}: "
                "its weights are damaged, or it needs a normalising module; use another model"
            )
        return vectors.cpu().numpy().astype(np.float16)


@contextmanager
def fitting(what: str, *, lower: str) -> Iterator[None]:
    """Say what to do where a GPU's memory does not suffice meanwhile.

    Args:
        what: is computed at once.
        lower: the option that makes it less.

    Raises:
        ModelError: it does not.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ModelError(f"{what} do not fit the GPU's memory: lower {lower}") from error


def folder_of(name: str) -> Path:
    """Return where a model lies that gives vectors of one kind.

    Raises:
        ModelError: there is none, or it is plait-mini.
    """
    folder = hub.resolve(name)
    if checkpoint.kind_of(folder) == "plait-mini":
        raise ModelError(
            "plait-mini scores by several lanes, no vectors of one kind: use a ReT, ReT-2 or "
            "sentence-transformers model"
        )
    return folder


def encode_into(
    folder: Path,
    name: str,
    read: Callable[[int], Iterator[Side]],
    model: SideModel,
    role: Role,
    *,
    total: int,
    watch: Callable[[int, int], None],
) -> Vectors:
    """Return the vectors of all sides; those that were stored before are not computed again.

    Memory holds `CHUNK` sides: their words, and of two batches and the one at work their pictures.

    Args:
        folder: there already.
        name: what the files are called.
        read: yields the sides from a place on.
        total: how many sides there are.
        watch: called with how many are done, and how many there are.

    Raises:
        ModelError: as of `SideModel.encode`.
        OSError: the files cannot be read or written.
    """
    file = VectorFile(folder, name, width=model.width, total=total)
    sides = read(len(file))
    for start in range(len(file), total, CHUNK):
        watch(start, total)
        file.append(model.encode(list(islice(sides, CHUNK)), role))
    watch(total, total)
    return file.read()


@dataclass(frozen=True, slots=True)
class _Opened:
    """A side ready to be encoded; `input` is empty where nothing is left of it."""

    input: dict[str, Any]
    state: int
    content: int


def _opened_ahead(sides: Sequence[Side], batches: Sequence[Sequence[int]]) -> Iterator[list[_Opened]]:
    """Yield each batch with its pictures opened, the next ones being opened meanwhile."""
    with ThreadPoolExecutor(_OPENING_THREADS) as pool:
        ahead: deque[Iterator[_Opened]] = deque()
        for rows in batches:
            ahead.append(pool.map(_opened, [sides[row] for row in rows]))
            if len(ahead) > _BATCHES_AHEAD:
                yield list(ahead.popleft())
        while ahead:
            yield list(ahead.popleft())


def _opened(side: Side) -> _Opened:
    words = {"text": side.text} if side.text.strip() else {}
    told = hashlib.blake2b(side.text.strip().encode() + b"\0", digest_size=8)
    state = WHOLE
    shown = {}
    if side.image:
        try:
            data = Path(side.image).read_bytes()
            shown = {"image": open_picture(data, max_pixels=MAX_PIXELS)}
            told.update(hashlib.blake2b(data).digest())
        except (OSError, QueryError):
            state = WITHOUT_PICTURE if words else NOTHING
            told.update(side.image.encode())
    return _Opened(words | shown, state, int.from_bytes(told.digest(), "big"))
