"""One manual as every rival reads it: frozen features of its units and questions, and the lanes of words."""

from __future__ import annotations

import io
import logging
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from plait.encode.items import heading_of, texts_of
from plait.encode.mini import MiniEncoder
from plait.encode.mini_towers import Towers
from plait.encode.pictures import open_picture
from plait.index.surroundings import SurroundedBm25
from plait.model.mini.configuration_mini import MiniConfig
from plait.schema import Query, Unit
from plait.train.mini.edits import QUERY_STYLE, TRAINING_STYLE, EditStyle, edit
from plait.train.mini.features import Seen
from plait.train.mini.lanes import lanes_of
from plait.train.mini.manuals import pictures_of, read_manual
from plait.train.mini.queries import Question, ask
from plait.train.mini.sources import Source

logger = logging.getLogger(__name__)

LAYERS = (2, 4, 6)  # of MiniLM, whose states are kept
MOST_TOKENS = 96  # of a unit's words and of a question's
_MOST_QUESTIONS, _MOST_FIGURES = 110, 8
_TRAINING_EDITS = 2
_MOST_PIXELS = 50_000_000
_LONGEST_SIDE_PX = 1600
_SAME_PICTURE, _COPY_LEFT = 0.97, 0.9  # pooled cosines between unedited figures, as in `train.mini.lanes`


@dataclass(frozen=True, slots=True)
class Material:
    """One manual: N units, Q questions.

    Attributes:
        unit_words: for each unit, its states (n, layers, 384) float16, of the first 96 tokens.
        unit_figures: for each unit, the cells of its eight largest figures at most, (figures, 16, c) float16.
        questions: the questions; `rows` of them is where they come from.
        question_words: for each question, (n, layers, 384) float16; None where only a picture asks.
        question_cells: for each question, (views, 16, c) float16, first as it is asked, then other edits of
            the picture; None where only words ask.
        answers: (Q, N) True at what answers it.
        lanes: for each question, "text", "bm25" and "figure_words", (N,) each, where it has words.
        passages: texts that the text tower read, of all units.
    """

    name: str
    unit_words: list[Tensor]
    unit_figures: list[Tensor]
    questions: list[Question]
    question_words: list[Tensor | None]
    question_cells: list[Tensor | None]
    answers: NDArray[np.bool_]
    lanes: list[dict[str, NDArray[np.float32]]]
    passages: int

    def seen(self) -> Seen:
        """Return the pictures that are asked with, for `train_heads`: each with its edits."""
        found = {}
        for question, cells in zip(self.questions, self.question_cells, strict=True):
            if cells is not None and question.picture != "*":
                found[question.picture] = cells
        return Seen(
            tuple(found), torch.stack([cells[[-1, *range(len(cells) - 1)]] for cells in found.values()])
        )


def material(source: Source, packages: Path, work: Path, *, most_units: int) -> Material:
    """Return a manual's features, computed now or before."""
    kept = work / "material" / f"{source.package}.pkl"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        spool = work / "spool" / source.package
        spool.mkdir(parents=True, exist_ok=True)
        units = read_manual(packages / source.package / source.pages, spool, most_units=most_units)
        logger.info("%s: %d units", source.package, len(units))
        unrelated = unrelated_pictures(packages)
        kept.write_bytes(pickle.dumps(see_manual(source.package, units[:most_units], unrelated)))
        logger.info("%s: features written", source.package)
    found: Material = pickle.loads(kept.read_bytes())  # our own file, in our own working folder
    return found


def unrelated_pictures(packages: Path) -> list[Image.Image]:
    """Return pictures that no manual holds."""
    folder = packages / "openclipart-png" / "usr"
    paths = sorted(folder.rglob("*.png"))
    chosen = np.random.default_rng(0).permutation(len(paths))[:40]
    return [open_picture(str(paths[row]), max_pixels=_MOST_PIXELS) for row in chosen]


def see_manual(name: str, manual: Sequence[Unit], unrelated: Sequence[Image.Image]) -> Material:
    """Return the features of a manual and of its questions about itself."""
    corpus, asked = ask(manual, most=_MOST_QUESTIONS)
    reader = _Reader(manual, corpus, unrelated)
    seen = [found for number, one in enumerate(asked) if (found := reader.question(one, number)) is not None]
    questions, words, shown, answers, lanes = (list(part) for part in zip(*seen, strict=True))
    return Material(
        name,
        [_states(reader.towers, "\n".join([heading_of(unit), *texts_of(unit)])) for unit in corpus],
        reader.figures(),
        questions,
        words,
        shown,
        np.stack(answers),
        lanes,
        sum(len(unit.passages) for unit in corpus),
    )


_Question = tuple[Question, Tensor | None, Tensor | None, NDArray[np.bool_], dict[str, NDArray[np.float32]]]


class _Reader:
    """Both towers, and a manual that is read by the shipped encoder.

    Args:
        manual: its units as they were.
        corpus: the units with what is asked for taken out.
    """

    def __init__(
        self, manual: Sequence[Unit], corpus: Sequence[Unit], unrelated: Sequence[Image.Image]
    ) -> None:
        self.towers = Towers(MiniConfig(), threads=1)
        self._corpus = corpus
        self._unrelated = unrelated
        self._pictures = pictures_of(manual)
        self._encoder = MiniEncoder.load(threads=1)
        self._vectors = self._encoder.encode_units(corpus)
        self._bm25 = SurroundedBm25.of(corpus)

    def question(self, question: Question, number: int) -> _Question | None:
        """Return a question, what is read of it, its answers, and its lanes; None if it is no fair one."""
        original = _picture(question, self._pictures, self._unrelated, number)
        answers = self._answers(question, original)
        if answers is None:
            return None
        words = _states(self.towers, question.text) if question.text else None
        shown = None if original is None else _views(self.towers, original, number)
        return question, words, shown, answers, self._lanes(question.text)

    def _answers(self, question: Question, original: Image.Image | None) -> NDArray[np.bool_] | None:
        """Return (N,) True at answers; None where the figure that was removed still stands elsewhere."""
        right: NDArray[np.bool_] = np.arange(len(self._corpus)) == question.row
        if original is None or question.picture == "*":
            return right
        copies = lanes_of(self._encoder, Query((), (_png(original),)), self._vectors)["image"]
        copies = np.nan_to_num(copies, nan=-1.0)
        if question.kind == "removed" and copies.max() > _COPY_LEFT:
            return None
        if question.kind in ("image", "vague"):
            right |= copies > _SAME_PICTURE
        return right

    def _lanes(self, text: str) -> dict[str, NDArray[np.float32]]:
        if not text:
            return {}
        lanes = lanes_of(self._encoder, Query((text,)), self._vectors)
        return {**lanes, "bm25": self._bm25.scores([text])}

    def figures(self) -> list[Tensor]:
        """Return the cells of each unit's figures."""
        cells = _cells_of_files(self.towers, pictures_of(self._corpus))
        return [_figures(unit, cells) for unit in self._corpus]


def _picture(
    question: Question, pictures: dict[str, str], unrelated: Sequence[Image.Image], number: int
) -> Image.Image | None:
    if question.picture == "*":
        return unrelated[number % len(unrelated)]
    if not question.picture:
        return None
    picture = open_picture(pictures[question.picture], max_pixels=_MOST_PIXELS)
    picture.thumbnail((_LONGEST_SIDE_PX, _LONGEST_SIDE_PX))
    return picture


def _views(towers: Towers, original: Image.Image, number: int) -> Tensor:
    """Return (views, 16, c) float16: as asked, other edits, and last the original itself."""
    rng = np.random.default_rng(number)
    styles: list[EditStyle] = [QUERY_STYLE, *[TRAINING_STYLE] * _TRAINING_EDITS]
    views = [*(edit(original, rng, style) for style in styles), original]
    return towers.cells([towers.squeezed(view) for view in views]).half()


def _states(towers: Towers, text: str) -> Tensor:
    """Return (n, layers, 384) float16."""
    states, _ = towers.states([text])
    return torch.stack([states[layer][0, :MOST_TOKENS] for layer in LAYERS], 1).half()


def _cells_of_files(towers: Towers, paths: dict[str, str]) -> dict[str, Tensor]:
    return {
        sha256: towers.cells([towers.squeezed(open_picture(path, max_pixels=_MOST_PIXELS))])[0].half()
        for sha256, path in paths.items()
    }


def _figures(unit: Unit, cells: dict[str, Tensor]) -> Tensor:
    pictures = [figure.picture for figure in unit.figures if figure.picture]
    largest = sorted(pictures, key=lambda picture: -picture.width_px * picture.height_px)
    found = [cells[picture.sha256] for picture in largest[:_MOST_FIGURES]]
    return torch.stack(found) if found else torch.zeros(0, 16, 424, dtype=torch.float16)


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
