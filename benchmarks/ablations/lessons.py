"""What students are taught and rivals are asked: readings of units and questions, the mixture's scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.ablations.material import LAYERS, Material
from plait.model.mini.configuration_mini import PictureHeadsConfig
from plait.model.mini.modeling_mini import PictureHeads
from plait.scoring.maxsim import maxsim
from plait.scoring.mixture import MixtureParameters, mixture
from plait.train.mini.distilling import Lesson, Reading
from plait.train.mini.heads import HeadsRecipe, train_heads
from plait.train.mini.lanes import Asked


def heads_without(held: str, materials: Sequence[Material], recipe: HeadsRecipe) -> PictureHeads:
    """Return picture heads trained on the pictures of every manual but one."""
    return train_heads([one.seen() for one in materials if one.name != held], PictureHeadsConfig(), recipe)


def asked_of(material: Material, heads: PictureHeads) -> list[Asked]:
    """Return every question with the shipped lanes, the picture's by the heads given."""
    counts = [len(figures) for figures in material.unit_figures]
    with torch.inference_mode():
        tokens, pooled = heads(torch.cat(material.unit_figures).float())
    found = []
    for row, question in enumerate(material.questions):
        lanes = dict(material.lanes[row])
        cells = material.question_cells[row]
        if cells is not None:
            with torch.inference_mode():
                asked, asked_pooled = heads(cells[:1].float())
                by_token = maxsim(asked, tokens)[0] / asked.shape[1]
            lanes["image_tokens"] = _best(by_token, counts)
            lanes["image"] = _best(pooled @ asked_pooled[0], counts)
        found.append(Asked(question.kind, lanes, material.answers[row]))
    return found


def _best(scores: Tensor, counts: Sequence[int]) -> NDArray[np.float32]:
    best = np.full(len(counts), -np.inf, np.float32)
    np.maximum.at(best, np.repeat(np.arange(len(counts)), counts), scores.numpy())
    return np.where(np.isneginf(best), np.nan, best).astype(np.float32)


def lesson_of(
    material: Material,
    asked: Sequence[Asked],
    parameters: MixtureParameters,
    *,
    layers: Sequence[int] = LAYERS,
    fused: bool = False,
) -> Lesson:
    """Return what a student reads of a manual.

    A unit on which the mixture is silent, one without figures where only a picture asks, is taken to be as
    unlikely as the least likely of the others: the mixture ranks it last.

    Args:
        asked: as of `asked_of`, in the order of the manual's questions.
        layers: of MiniLM, that are read.
        fused: all figures of a unit are one reading; otherwise each is one, with the same words.
    """
    steps = [LAYERS.index(layer) for layer in layers]
    teacher = [mixture(one.lanes, parameters) for one in asked]
    return Lesson(
        [
            _ways(words, cells, steps)
            for words, cells in zip(material.question_words, material.question_cells, strict=True)
        ],
        [
            _readings(words[:, steps], figures, fused)
            for words, figures in zip(material.unit_words, material.unit_figures, strict=True)
        ],
        material.answers,
        np.stack([np.where(np.isnan(row), np.nanmin(row), row) for row in teacher]).astype(np.float32),
    )


def _ways(words: Tensor | None, cells: Tensor | None, steps: Sequence[int]) -> list[Reading]:
    read = None if words is None else words[:, steps]
    if cells is None:
        return [Reading(read, None)]
    return [Reading(read, view) for view in cells[:-1]]


def _readings(words: Tensor, figures: Tensor, fused: bool) -> list[Reading]:
    if not len(figures):
        return [Reading(words, None)]
    if fused:
        return [Reading(words, figures.flatten(0, 1))]
    return [Reading(words, figure) for figure in figures]
