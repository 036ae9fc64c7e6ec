"""plait-mini as an encoder: passages by MiniLM, figures by tokens, a pooled vector, and one for words."""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from plait.encode.batching import length_batches
from plait.encode.items import heading_of, query_parts, shares, texts_of
from plait.encode.mini_towers import Towers
from plait.encode.naming import telling_texts
from plait.encode.pictures import asked_images, open_picture
from plait.encode.threads import torch_threads
from plait.encode.token_sets import unit_length
from plait.encode.windows import TextLimit
from plait.errors import ModelError, QueryError
from plait.model.mini.byte_matrix import bytes_work
from plait.model.mini.configuration_mini import JointHeadConfig, MiniConfig
from plait.model.mini.joint_mini import JointHead
from plait.model.mini.lite0 import EfficientNetLite0
from plait.model.mini.modeling_mini import PictureHeads
from plait.model.mini.words_mini import FigureWords, is_compressed, uncompressed
from plait.schema import Query, Unit
from plait.scoring.calibration import Calibration
from plait.scoring.mixture import MixtureParameters
from plait.scoring.together import Together
from plait.scoring.vectors import QueryVectors, UnitVectors, VectorField, Vectors

logger = logging.getLogger(__name__)

NAME = "plait-mini"
_FORMAT = "mini-2"  # raise when this file changes what is encoded
_SHIPPED = Path(__file__).resolve().parent.parent / "model" / "mini" / "weights" / NAME
_PICTURE_BATCH = 4
_REMEMBERED = 4096  # pictures whose vectors are kept, 8 kB each: icons and logos recur in every manual
_SHORT = 2000  # characters of a query; encoding longer ones takes long, and others do not wait for it
_FEWEST_ROWS = 4
_JOINT, _WORDS = "joint.", "words."  # prefixes of the tensors of parts that may be switched off


class Seen(NamedTuple):
    """What is kept of a figure.

    Attributes:
        pooled: (pooled_width,).
        tokens: (cells, token_width).
        words: (width,) what words are compared with, None where that part is off.
        cells: (cells, c), what the recurrent cell reads, None where it is off.
    """

    pooled: Vectors
    tokens: Vectors
    words: Vectors | None
    cells: Tensor | None


class MiniEncoder:
    """Implements `encode.base.Encoder`; use `MiniEncoder.load`. Towers are read on first use."""

    def __init__(
        self, folder: Path, config: MiniConfig, *, name: str, threads: int = 0, max_pixels: int = 50_000_000
    ) -> None:
        self._folder = folder
        self._config = config
        self._name = name
        self._max_pixels = max_pixels
        self._towers = Towers(config, threads=threads)
        self._seen: OrderedDict[str, Seen] = OrderedDict()
        self._together: Together[Sequence[str], dict[str, Vectors]] = Together()

    @classmethod
    def load(cls, name: str = NAME, *, threads: int = 0, max_pixels: int = 50_000_000) -> MiniEncoder:
        """Return the encoder; nothing is fetched.

        Args:
            name: "plait-mini" for the shipped heads, or a folder with config.json and model.safetensors.
            threads: batches encoded at a time, each by one torch thread; 0 means one a core.
            max_pixels: larger pictures are refused before they are decoded.

        Raises:
            ModelError: no such folder, or a configuration that cannot be read.
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

    @property
    def folder(self) -> Path:
        """Where its configuration and weights lie."""
        return self._folder

    @property
    def windows(self) -> int:
        """Windows so far that texts longer than the text tower reads were cut into, of queries too."""
        return self._towers.windows

    @property
    def truncated(self) -> int:
        """Texts so far that were cut in spite of windows."""
        return self._towers.truncated

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the heads, their configuration, and the sizes and ends of both backbones' files."""
        digest = hashlib.sha256(_FORMAT.encode())
        digest.update(repr(self._config.encoding).encode())
        digest.update((self._folder / "model.safetensors").read_bytes())
        for path in self._towers.files:
            digest.update(_ends(path))
        return digest.hexdigest()

    @property
    def fields(self) -> tuple[VectorField, ...]:
        """Passages as one vector each, figures as tokens and as one vector, and those of what is switched on.

        That is "figure_words", figures as words find them, and "ret", of the recurrent cell.
        """
        heads, joint, words = self._config.heads, self._config.joint, self._config.words
        fields: tuple[VectorField, ...] = (
            VectorField("text", self._config.text.width, 1, items="passage", asks="text"),
            VectorField("image", heads.pooled_width, 1, items="figure", asks="image"),
            VectorField("image_tokens", heads.token_width, heads.grid**2, items="figure", asks="image"),
        )
        if words is not None:
            fields = (*fields, VectorField("figure_words", words.width, 1, items="figure", asks="text"))
        if joint is None:
            return fields
        return (*fields, VectorField("ret", joint.token_width, joint.tokens, items="unit", asks="joint"))

    @property
    def mixture(self) -> MixtureParameters:
        """How the lanes are combined, as fitted on the training manuals."""
        return self._config.mixture

    @property
    def calibration(self) -> Calibration | None:
        """How likely hits are good, as fitted on other manuals; None for models from before it."""
        return self._config.calibration

    def encode_units(self, units: Sequence[Unit]) -> list[UnitVectors]:
        """Return the vectors of each unit, in order.

        One item a passage and one a figure; a unit without passages has one text item, its captions, or
        none where it has no words but a file name that says nothing. A figure whose file cannot be opened
        is logged; where its unit has others, `_stand_in` keeps its place, so that item k is figure k.
        """
        if not units:
            return []
        pictures = [[figure.picture for figure in unit.figures] for unit in units]
        paths = {p.sha256: p.path for of_unit in pictures for p in of_unit if p is not None}
        known = self._encode_files(paths)
        figures = [[known.get(p.sha256) if p else None for p in of_unit] for of_unit in pictures]
        found = [
            {"text": texts, **self._stacked(of_unit)}
            for texts, of_unit in zip(self._encode_passages(units), figures, strict=True)
        ]
        if self._config.joint is not None:
            for fields, unit, of_unit in zip(found, units, figures, strict=True):
                cells = [seen.cells for seen in of_unit if seen is not None]
                fields["ret"] = self._encode_joint(_pairs(unit, cells, self._towers.limit))
        return [UnitVectors(fields) for fields in found]

    def encode_query(self, query: Query) -> QueryVectors:
        """Return the vectors of a query: one part a text in "text", one a picture in the image fields.

        "figure_words" has one part a text too. In "ret", the parts are those of `query_parts`.

        Raises:
            QueryError: an image that is missing, is not an image, or holds too many pixels.
        """
        texts = query.texts
        if not texts:
            return self._encoded(query, {})
        is_short = sum(map(len, texts)) <= _SHORT
        asked = self._together(self._asked, texts) if is_short else self._asked([texts])[0]
        return self._encoded(query, asked)

    def encode_queries(self, queries: Sequence[Query]) -> list[QueryVectors]:
        """Return what `encode_query` returns for each of some short queries, their texts read together.

        Raises:
            QueryError: as there.
        """
        texts = [query.texts for query in queries if query.texts]
        asked = iter(self._together.each(self._asked, texts))
        return [self._encoded(query, next(asked) if query.texts else {}) for query in queries]

    def _encoded(self, query: Query, asked: Mapping[str, Vectors]) -> QueryVectors:
        """Return the vectors of a query.

        Args:
            asked: what its texts ask, of `_asked`.
        """
        fields = dict(asked)
        weights: dict[str, Vectors] = dict.fromkeys(asked, shares(query.text_weights)) if asked else {}
        images = asked_images(query, max_pixels=self._max_pixels)
        opened = [open_picture(image, max_pixels=self._max_pixels) for image in images]
        cells = self._towers.cells([self._towers.squeezed(picture) for picture in opened]) if opened else None
        if cells is not None:
            pooled, tokens = self._read(cells)
            fields |= {"image": pooled[:, None], "image_tokens": tokens}
            weights |= dict.fromkeys(("image", "image_tokens"), shares(query.image_weights))
        if self._config.joint is not None:
            shown = [] if cells is None else list(cells)
            parts, weights["ret"] = query_parts(query, shown, self._towers.limit)
            fields["ret"] = self._encode_joint(parts)
        return QueryVectors(fields, weights)

    # --- text ---

    def _asked(self, queries: Sequence[Sequence[str]]) -> list[dict[str, Vectors]]:
        """Return what the texts of each query ask of "text" and, where there is that part, "figure_words"."""
        fields = {"text": self._towers.asked([text for texts in queries for text in texts])[:, None]}
        if self._config.words is not None:
            fields["figure_words"] = self._questions(fields["text"])
        edges = np.cumsum([len(texts) for texts in queries])[:-1]
        of_queries = [np.split(vectors, edges) for vectors in fields.values()]
        return [dict(zip(fields, vectors, strict=True)) for vectors in zip(*of_queries, strict=True)]

    def _encode_passages(self, units: Sequence[Unit]) -> list[Vectors]:
        """Return each unit's (items, 1, d): a passage under its headings, drawn towards them a little."""
        headings = [heading_of(unit) for unit in units]
        read = [telling_texts(unit) for unit in units]
        texts = [f"{head}\n{text}" for head, of_unit in zip(headings, read, strict=True) for text in of_unit]
        vectors = self._towers.vectors([*texts, *headings])
        counts = [len(of_unit) for of_unit in read]
        own = np.repeat(vectors[len(texts) :], counts, axis=0)
        mixed = vectors[: len(texts)] + self._config.text.heading_weight * own
        mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
        return np.split(mixed[:, None], np.cumsum(counts)[:-1])

    # --- figures ---

    def _encode_files(self, paths: dict[str, str]) -> dict[str, Seen]:
        """Return sha256 -> its vectors, from memory where the picture came before."""
        known = {sha256: self._seen[sha256] for sha256 in paths if sha256 in self._seen}
        missing = [(sha256, path) for sha256, path in paths.items() if sha256 not in known]
        batches = [missing[at : at + _PICTURE_BATCH] for at in range(0, len(missing), _PICTURE_BATCH)]
        if batches:
            self._towers.warm()
            if self._config.words is not None:
                _ = self._words
        for seen in self._towers.batches.each(self._encode_batch, batches):
            known |= seen
        self._remember(known)
        return known

    def _encode_batch(self, paths: Sequence[tuple[str, str]]) -> dict[str, Seen]:
        opened = [(sha256, pixels) for sha256, path in paths if (pixels := self._opened(path)) is not None]
        if not opened:
            return {}
        squeezed = [pixels for _, pixels in opened]
        words: Sequence[Vectors | None] = [None] * len(opened)
        if self._config.words is None:
            cells = self._towers.cells(squeezed)
        else:
            cells, features, odds = self._towers.cells_and_top(squeezed)
            with torch.inference_mode():
                words = list(self._words.figures(features, odds).numpy())
        pooled, tokens = self._read(cells)
        kept = cells if self._config.joint is not None else [None] * len(opened)
        return {
            sha256: Seen(*parts)
            for (sha256, _), *parts in zip(opened, pooled, tokens, words, kept, strict=True)
        }

    def _opened(self, path: str) -> Tensor | None:
        """Return the squeezed picture; None, and a warning, where it cannot be opened."""
        try:
            return self._towers.squeezed(open_picture(path, max_pixels=self._max_pixels))
        except QueryError as error:
            logger.warning("a figure is left out of the index: %s", error)
            return None

    def _remember(self, known: dict[str, Seen]) -> None:
        for sha256, vectors in known.items():
            self._seen[sha256] = vectors
            self._seen.move_to_end(sha256)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def _read(self, cells: Tensor) -> tuple[Vectors, Vectors]:
        """Return (B, pooled) and (B, cells, width), unit length."""
        with torch.inference_mode():
            tokens, pooled = self._heads(cells)
        return pooled.numpy(), tokens.numpy()

    def _questions(self, texts: Vectors) -> Vectors:
        """Return (texts, 1, width) of the text tower's vectors, (texts, 1, d).

        A product in float32 of a few rows is computed by other means than one of more, so zeros are added:
        what a text gets is then the same whatever texts come with it. In bytes it is so anyway.
        """
        head = self._words_asked
        fewest = 1 if head.is_in_bytes else _FEWEST_ROWS
        rows = np.zeros((max(fewest, len(texts)), texts.shape[2]), np.float32)
        rows[: len(texts)] = texts[:, 0]
        with torch.inference_mode(), torch_threads(1):
            asked: Vectors = head.questions(torch.from_numpy(rows)).numpy()
        return asked[: len(texts), None]

    def _stacked(self, figures: Sequence[Seen | None]) -> dict[str, Vectors]:
        opened = [seen for seen in figures if seen is not None]
        if not opened:
            of_figures = [field for field in self.fields if field.items == "figure"]
            return {f.name: np.zeros((0, f.tokens, f.width), np.float32) for f in of_figures}
        kept = [seen or _stand_in(opened) for seen in figures]
        stacked = {
            "image": np.stack([seen.pooled for seen in kept])[:, None],
            "image_tokens": np.stack([seen.tokens for seen in kept]),
        }
        words = [seen.words for seen in kept if seen.words is not None]
        return {**stacked, "figure_words": np.stack(words)[:, None]} if words else stacked

    # --- the recurrent cell ---

    def _encode_joint(self, pairs: Sequence[tuple[str, Tensor | None]]) -> Vectors:
        """Return (pairs, tokens, width), unit length: words and a figure's cells, read together."""
        head, joint = self._joint, self._config.joint
        assert joint is not None
        encoded = [np.zeros((0, joint.tokens, joint.token_width), np.float32)]
        for text, cells in pairs:
            words, mask = self._towers.states([text]) if text else ([], None)
            chosen = [words[layer] for layer in joint.layers] if words else None
            seen = self._by_stage(cells[None], joint) if cells is not None else None
            with torch.inference_mode():
                encoded.append(head(1, text=chosen, text_mask=mask, vision=seen).numpy())
        return np.concatenate(encoded)

    def _by_stage(self, cells: Tensor, joint: JointHeadConfig) -> list[Tensor]:
        """Return (B, cells, channels) for each stage that the cell reads."""
        stages = self._config.vision.stages
        widths = [EfficientNetLite0.widths[stage] for stage in stages]
        parts = dict(zip(stages, torch.split(cells, widths, dim=-1), strict=True))
        return [parts[stage] for stage in joint.stages]

    # --- what an explanation asks ---

    def token_states(self, texts: Sequence[str]) -> list[Vectors]:
        """Return (n, d) for each text: its tokens' states after the last layer, unit length.

        Special tokens are left out; a text longer than the tower reads is read in windows.
        """
        every = [(row, part) for row, text in enumerate(texts) for part in self._towers.limit.windows(text)]
        found: list[list[Vectors]] = [[np.zeros((0, self._config.text.width), np.float32)] for _ in texts]
        read: dict[int, Vectors] = {}
        for some in length_batches([len(part) for _, part in every], batch_size=16):
            states, mask = self._towers.states([every[at][1] for at in some])
            for at, of_text, there in zip(some, states[-1], mask, strict=True):
                read[at] = unit_length(of_text[there][1:-1].numpy())
        for at, (row, _) in enumerate(every):
            found[row].append(read[at])
        return [np.concatenate(of_text) for of_text in found]

    def word_products(self, asked: QueryVectors, unit: Unit, passage: str) -> list[tuple[int, int, float]]:
        """Return what each token of a passage adds to its cosine with the query's words, in order.

        A passage's vector is the mean of its tokens' states, so its cosine is their sum, and without a
        token it falls by about what the token's state adds beyond its share of the vector's length. Tokens
        beyond what the tower reads at once, and a query without words, give none.

        Returns:
            (start, end, what it adds), in characters of the passage.
        """
        if "text" not in asked.fields:
            return []
        head = f"{heading_of(unit)}\n"
        states, _ = self._towers.states([head + passage])
        every = states[-1][0].numpy()  # (n, d), special tokens at both ends
        query = asked.weights["text"] @ asked.fields["text"][:, 0]
        length = np.linalg.norm(every.sum(0))
        mean = every.sum(0) / length
        added = (every @ query - (mean @ query) * (every @ mean)) / length
        tokens = zip(self._towers.limit.offsets(head + passage), added[1:-1].tolist(), strict=False)
        return [
            (start - len(head), end - len(head), one)
            for (start, end), one in tokens
            if end > start >= len(head)
        ]

    def token_grid(self, field: str) -> tuple[int, int] | None:
        """Return the rows and columns of cells that a figure's tokens stand for; None for other fields."""
        grid = self._config.heads.grid
        return (grid, grid) if field == "image_tokens" else None

    # --- what is read on first use ---

    @cached_property
    def _tensors(self) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = load_file(self._folder / "model.safetensors")
        return tensors

    @cached_property
    def _heads(self) -> PictureHeads:
        channels = sum(EfficientNetLite0.widths[stage] for stage in self._config.vision.stages)
        heads = PictureHeads(self._config.heads, channels)
        heads.load_state_dict({k: v for k, v in self._tensors.items() if not k.startswith((_JOINT, _WORDS))})
        return heads.eval().requires_grad_(False)

    @cached_property
    def _words(self) -> FigureWords:
        config = self._config.words
        assert config is not None
        head = FigureWords(config, text_width=self._config.text.width)
        head.load_state_dict(uncompressed(self._words_stored))
        return head.eval().requires_grad_(False)

    @cached_property
    def _words_asked(self) -> FigureWords:
        """`_words`, asked in bytes where the processor multiplies those."""
        if bytes_work() and is_compressed(self._words_stored):
            self._words.ask_in_bytes(self._words_stored)
        return self._words

    @property
    def _words_stored(self) -> dict[str, Tensor]:
        return {k.removeprefix(_WORDS): v for k, v in self._tensors.items() if k.startswith(_WORDS)}

    @cached_property
    def _joint(self) -> JointHead:
        joint = self._config.joint
        assert joint is not None
        widths = [EfficientNetLite0.widths[stage] for stage in joint.stages]
        head = JointHead(joint, self._config.text.width, widths)
        found = {k.removeprefix(_JOINT): v for k, v in self._tensors.items() if k.startswith(_JOINT)}
        head.load_state_dict(found)
        return head.eval().requires_grad_(False)


def _stand_in(opened: Sequence[Seen]) -> Seen:
    """Return vectors for a figure that could not be opened, never nearer to a query than all the others.

    A mean's product with a query is the mean of the products, so it is at most the best of them. Zeros
    would beat every figure that a query is far from. Means are shorter than unit length.
    """
    pooled: Vectors = np.stack([seen.pooled for seen in opened]).mean(0)
    words = [seen.words for seen in opened if seen.words is not None]
    tokens = opened[0].tokens
    return Seen(
        pooled,
        np.broadcast_to(tokens.mean(0), tokens.shape),
        np.stack(words).mean(0) if words else None,
        None,
    )


def _pairs(unit: Unit, figures: Sequence[Tensor | None], limit: TextLimit) -> list[tuple[str, Tensor | None]]:
    """Return what the cell reads of a unit: each figure with the first words, or else each passage.

    Further windows of words that are too long are read without a figure.
    """
    windows = [limit.windows(f"{heading_of(unit)}\n{text}") for text in texts_of(unit)]
    if not figures:
        return [(window, None) for of_text in windows for window in of_text]
    first, *others = windows[0] or [""]
    return [*((first, cells) for cells in figures), *((window, None) for window in others)]


def _ends(path: Path, count: int = 1 << 20) -> bytes:
    """Return a file's size, its first and its last bytes: enough to tell checkpoints apart, and quick."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - count))
        last = stream.read(count)
        stream.seek(0)
        return size.to_bytes(8, "little") + stream.read(count) + last
