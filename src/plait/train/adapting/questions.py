"""The questions that a library asks of itself, scored by one model after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from plait.encode.mini_towers import Towers
from plait.errors import InputError
from plait.model.mini.modeling_mini import PictureHeads
from plait.schema import Unit
from plait.train.adapting.model import Model
from plait.train.adapting.observed import answerable, image_lanes, observe, text_lane
from plait.train.adapting.parts import Part
from plait.train.adapting.report import MEAN_OF
from plait.train.mini.lanes import Asked
from plait.train.mini.queries import ask

Lanes = dict[str, NDArray[np.float32]]

_MOST_QUESTIONS = 200  # of each kind


class Questions:
    """What a library asks of itself; each part of its documents holds some of the questions.

    Args:
        parts: document id -> part.
        model: whose heads tell which figures are the same; models that are scored share its text tower.

    Raises:
        InputError: a part that is needed asks nothing.
    """

    def __init__(self, units: Sequence[Unit], parts: Mapping[str, Part], model: Model, *, seed: int) -> None:
        corpus, questions = ask(units, most=_MOST_QUESTIONS, seed=seed)
        if not questions:
            raise InputError("the documents ask nothing: adapting needs sections of some lines of text")
        self._observed = observe(units, corpus, questions, Towers(model.config, threads=1))
        self._answers = answerable(self._observed, model.heads)
        self._parts = [parts[units[question.row].document_id] for question in self._observed.questions]
        self._text = text_lane(self._observed, model.config.text.heading_weight)
        self._images: dict[PictureHeads, list[Lanes]] = {}
        for part in ("choose", "judge"):
            if not any(one.kind in MEAN_OF for one in self.scored(model, part)):
                raise InputError(f"the documents drawn to {part} by ask nothing: add more documents")

    def __len__(self) -> int:
        return len(self._parts)

    def scored(self, model: Model, *parts: Part) -> list[Asked]:
        """Return the questions of some parts with what a model's lanes say of every unit."""
        observed = self._observed
        if model.heads not in self._images:
            self._images[model.heads] = image_lanes(observed, model.heads)
        images = self._images[model.heads]
        found = []
        for row, (question, answers) in enumerate(zip(observed.questions, self._answers, strict=True)):
            if answers is None or self._parts[row] not in parts:
                continue
            lanes: Lanes = {"text": self._text[row], "bm25": observed.bm25[row]} if question.text else {}
            if question.picture:
                lanes = {**lanes, **images[observed.asked_of[row]]}
            found.append(Asked(question.kind, lanes, answers))
        return found
