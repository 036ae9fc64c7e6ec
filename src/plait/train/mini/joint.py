"""Training the recurrent cell: words and an edited figure must find the unit they were taken from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from plait.encode.items import heading_of, texts_of
from plait.encode.mini_towers import Towers
from plait.encode.pictures import open_picture
from plait.model.mini.configuration_mini import JointHeadConfig, MiniConfig
from plait.model.mini.joint_mini import JointHead
from plait.model.mini.lite0 import EfficientNetLite0
from plait.schema import Unit
from plait.scoring.maxsim import maxsim
from plait.train.mini.edits import edit
from plait.train.mini.manuals import pictures_of
from plait.train.mini.queries import Question

_MOST_PIXELS = 50_000_000
_MOST_TOKENS = 96  # of a document's words, in training only: states are kept in memory


@dataclass(frozen=True, slots=True)
class JointRecipe:
    """How the cell is trained; `no_text`, `no_picture` are how often a query lacks that side."""

    steps: int = 250
    batch: int = 64
    learning_rate: float = 3e-4
    temperature: float = 0.1
    no_text: float = 0.2
    no_picture: float = 0.2
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Example:
    """One query and the unit it was taken from, as the towers see them.

    Attributes:
        words, unit_words: for each step (n, d) hidden states, float16.
        picture, figure: (cells, c) of the edited figure and of its original.
    """

    words: tuple[Tensor, ...]
    picture: Tensor
    unit_words: tuple[Tensor, ...]
    figure: Tensor


def examples(
    manual: Sequence[Unit], corpus: Sequence[Unit], questions: Sequence[Question], config: MiniConfig
) -> list[Example]:
    """Return one example for each question that has words and a figure: kinds "removed" and "kept"."""
    joint = config.joint or JointHeadConfig()
    towers, pictures = Towers(config, threads=1), pictures_of(manual)
    found = []
    for number, question in enumerate(questions):
        if question.kind not in ("removed", "kept"):
            continue
        original = open_picture(pictures[question.picture], max_pixels=_MOST_PIXELS)
        edited = edit(original, np.random.default_rng(number))
        picture, figure = towers.cells([towers.squeezed(edited), towers.squeezed(original)]).half()
        unit = corpus[question.row]
        text = f"{heading_of(unit)}\n{texts_of(unit)[0]}"
        found.append(
            Example(_words(towers, question.text, joint), picture, _words(towers, text, joint), figure)
        )
    return found


def train_joint(manuals: Sequence[Sequence[Example]], config: MiniConfig, recipe: JointRecipe) -> JointHead:
    """Return a cell trained on the examples of some manuals, each batch from one of them."""
    joint = config.joint or JointHeadConfig()
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    widths = [EfficientNetLite0.widths[stage] for stage in joint.stages]
    head = JointHead(joint, config.text.width, widths).train()
    optimiser = torch.optim.AdamW(head.parameters(), recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, recipe.steps))
    for _ in range(recipe.steps):
        manual = manuals[int(rng.integers(len(manuals)))]
        chosen = [manual[row] for row in rng.permutation(len(manual))[: recipe.batch]]
        sides = rng.random(len(chosen))
        with_words = sides >= recipe.no_text
        with_picture = (sides < 1 - recipe.no_picture) | ~with_words
        asked = run_cell(
            head, config, [e.words for e in chosen], [e.picture for e in chosen], with_words, with_picture
        )
        every = np.ones(len(chosen), bool)
        stored = run_cell(
            head, config, [e.unit_words for e in chosen], [e.figure for e in chosen], every, every
        )
        scores = maxsim(asked, stored) / asked.shape[1] / recipe.temperature
        loss = functional.cross_entropy(scores, torch.arange(len(chosen)))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return head.eval()


def run_cell(
    head: JointHead,
    config: MiniConfig,
    words: Sequence[tuple[Tensor, ...]],
    pictures: Sequence[Tensor],
    with_words: NDArray[np.bool_],
    with_picture: NDArray[np.bool_],
) -> Tensor:
    """Return (B, tokens, width); a row reads only the sides it is said to have."""
    joint = config.joint or JointHeadConfig()
    text_rows, vision_rows = np.flatnonzero(with_words).tolist(), np.flatnonzero(with_picture).tolist()
    text = text_mask = vision = vision_mask = None
    if len(text_rows):
        by_step = [_padded([words[row][step] for row in text_rows]) for step in range(len(joint.layers))]
        text, text_mask = [states for states, _ in by_step], by_step[0][1]
    if len(vision_rows):
        stages = config.vision.stages
        cells, vision_mask = _padded([pictures[row] for row in vision_rows])
        parts = torch.split(cells, [EfficientNetLite0.widths[stage] for stage in stages], dim=-1)
        vision = [parts[stages.index(stage)] for stage in joint.stages]
    return head(  # type: ignore[no-any-return]
        len(words), text, text_mask, torch.tensor(text_rows), vision, torch.tensor(vision_rows), vision_mask
    )


def _padded(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    """Return (P, n, c) float32 and (P, n) True where not padded, None where nothing is."""
    lengths = torch.tensor([len(row) for row in rows])
    padded = torch.nn.utils.rnn.pad_sequence([row.float() for row in rows], batch_first=True)
    mask = torch.arange(padded.shape[1])[None] < lengths[:, None]
    return padded, None if bool(mask.all()) else mask


def _words(towers: Towers, text: str, joint: JointHeadConfig) -> tuple[Tensor, ...]:
    states, _ = towers.states([text])
    return tuple(states[layer][0, :_MOST_TOKENS].half() for layer in joint.layers)
