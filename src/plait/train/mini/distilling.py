"""Distilling the mixture: one set of tokens a unit must rank as all lanes together do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from plait.errors import InputError, ShapeError
from plait.model.mini.configuration_mini import JointHeadConfig, MiniConfig
from plait.model.mini.joint_mini import JointHead
from plait.model.mini.lite0 import EfficientNetLite0
from plait.scoring.maxsim import maxsim
from plait.train.mini.joint import run_cell

_BATCH = 128  # readings at a time, where nothing is learned


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read together: words, a figure, or both.

    Attributes:
        words: (n, steps, d) hidden states, one a step of the cell; None without words.
        cells: (cells, c) of a figure, or of several side by side; None without.
    """

    words: Tensor | None
    cells: Tensor | None


@dataclass(frozen=True, slots=True)
class Lesson:
    """One manual: Q questions, N units, and what the teacher says of every pair.

    Attributes:
        questions: for each question, the ways it can be asked; one is drawn each time. The first is how
            it is asked in earnest.
        units: for each unit, what is read of it; its best reading scores.
        answers: (Q, N) True at the units that answer a question, at least one each.
        teacher: (Q, N) log-likelihoods up to a constant of the question, NaN where the teacher is silent,
            of some units or of a whole question.

    Raises:
        ShapeError: these do not fit each other.
        InputError: nothing is read of a question or a unit, or nothing answers a question.
    """

    questions: Sequence[Sequence[Reading]]
    units: Sequence[Sequence[Reading]]
    answers: NDArray[np.bool_]
    teacher: NDArray[np.float32]

    def __post_init__(self) -> None:
        shape = (len(self.questions), len(self.units))
        if self.answers.shape != shape or self.teacher.shape != shape:
            raise ShapeError(
                f"answers are {self.answers.shape} and the teacher's scores {self.teacher.shape}: "
                f"expected {shape}, one row a question, one column a unit"
            )
        unread = sum(not readings for readings in (*self.questions, *self.units))
        unanswered = int((~self.answers.any(1)).sum())
        if unread or unanswered:
            raise InputError(
                f"{unread} questions or units have no reading and {unanswered} questions no answer: "
                "leave them out"
            )


@dataclass(frozen=True, slots=True)
class DistilRecipe:
    """How a student is taught.

    Attributes:
        steps, questions, units: batches; questions in each, and units that they are scored on: answers,
            the teacher's favourites, and others, all of one manual.
        foreign: further units of each batch, from another manual: sure to be wrong.
        learning_rate, weight_decay: of AdamW, the rate falling to 0 along half a cosine.
        temperature: divides the student's scores at first; it is learned from there.
        teacher_temperature: divides the teacher's.
        contrastive, distillation: weights of the two losses; 0 leaves one out.
        readings: of a unit, read at most in training.
        words: of a reading, drawn anew each time in training: cheaper, and another text every time.
    """

    steps: int = 100
    questions: int = 24
    units: int = 40
    foreign: int = 0
    learning_rate: float = 3e-4
    weight_decay: float = 0.05
    temperature: float = 0.05
    teacher_temperature: float = 1.0
    contrastive: float = 0.0
    distillation: float = 1.0
    readings: int = 2
    words: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.contrastive, self.distillation) < 0 or self.contrastive + self.distillation <= 0:
            raise InputError(
                f"the losses weigh {self.contrastive} and {self.distillation}: expected weights of 0 or "
                "more, not both 0"
            )


_M = TypeVar("_M", bound=nn.Module)
Student = Callable[[Sequence[Reading]], Tensor]  # readings -> (B, tokens, width)


class CellStudent(nn.Module):
    """ReT's cell as a student.

    Args:
        config: with `joint` set; its stages are the cells' channels.
    """

    def __init__(self, config: MiniConfig) -> None:
        super().__init__()
        self.config = config
        joint = config.joint or JointHeadConfig()
        widths = [EfficientNetLite0.widths[stage] for stage in joint.stages]
        self.head = JointHead(joint, config.text.width, widths)

    def forward(self, readings: Sequence[Reading]) -> Tensor:
        """Return (B, tokens, token_width), unit length."""
        nothing = torch.zeros(0)
        return run_cell(
            self.head,
            self.config,
            [() if one.words is None else one.words.unbind(1) for one in readings],
            [nothing if one.cells is None else one.cells for one in readings],
            np.array([one.words is not None for one in readings], bool),
            np.array([one.cells is not None for one in readings], bool),
        )


def distil(lessons: Sequence[Lesson], student: _M, recipe: DistilRecipe) -> _M:
    """Return the student in eval mode, taught on some manuals, each batch from one of them.

    Training draws on `recipe.seed` alone; what the student starts from is the caller's.
    """
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    student.train()
    scale = nn.Parameter(torch.tensor(-np.log(recipe.temperature), dtype=torch.float32))
    groups: list[dict[str, Any]] = [
        {"params": list(student.parameters()), "weight_decay": recipe.weight_decay},
        {"params": [scale], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, recipe.steps))
    for _ in range(recipe.steps):
        loss = _loss(student, scale.exp(), _batch(lessons, recipe, rng), recipe)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return student.eval()


def scores(student: Student, lesson: Lesson) -> NDArray[np.float32]:
    """Return (Q, N) of a lesson's questions and units, in [-1, 1]: the mean over the query's tokens."""
    counts = [len(readings) for readings in lesson.units]
    with torch.inference_mode():
        asked = _tokens(student, [ways[0] for ways in lesson.questions])
        stored = _tokens(student, [reading for readings in lesson.units for reading in readings])
        return _by_unit(asked, stored, counts).numpy()


def divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean over questions of KL(teacher || student), both as softmax over the units.

    A question that the teacher scores on fewer than two units does not count; 0 if none does.

    Args:
        student: (B, M) scores, already divided by their temperature.
        teacher: (B, M), likewise; NaN where it is silent, and that unit is then left out of both.

    Source: Hinton et al., Distilling the Knowledge in a Neural Network (arXiv 1503.02531).
    """
    silent = teacher.isnan()
    heard = (~silent).sum(1) > 1
    if not bool(heard.any()):
        return student.sum() * 0.0
    student, teacher, silent = student[heard], teacher[heard], silent[heard]
    theirs = teacher.masked_fill(silent, -torch.inf).log_softmax(1)
    ours = student.masked_fill(silent, -torch.inf).log_softmax(1)
    differences = (theirs - ours).masked_fill(theirs == -torch.inf, 0.0)
    return (theirs.exp() * differences).sum(1).mean()


def likelihood_loss(student: Tensor, answers: Tensor) -> Tensor:
    """Return the mean over questions of -log of the probability that the answers have together.

    Args:
        student: (B, M) scores, already divided by their temperature.
        answers: (B, M) True at answers, at least one a question.
    """
    return -student.log_softmax(1).masked_fill(~answers, -torch.inf).logsumexp(1).mean()


@dataclass(frozen=True, slots=True)
class _Batch:
    questions: list[Reading]
    units: Sequence[Sequence[Reading]]
    answers: Tensor  # (B, M)
    teacher: Tensor  # (B, M)


def _loss(student: nn.Module, scale: Tensor, batch: _Batch, recipe: DistilRecipe) -> Tensor:
    asked = student(batch.questions)
    stored = student([reading for readings in batch.units for reading in readings])
    found = scale * _by_unit(asked, stored, [len(readings) for readings in batch.units])
    loss = found.new_zeros(())
    if recipe.distillation:
        loss = loss + recipe.distillation * divergence(found, batch.teacher / recipe.teacher_temperature)
    if recipe.contrastive:
        loss = loss + recipe.contrastive * likelihood_loss(found, batch.answers)
    return loss


def _batch(lessons: Sequence[Lesson], recipe: DistilRecipe, rng: np.random.Generator) -> _Batch:
    number = int(rng.integers(len(lessons)))
    lesson = lessons[number]
    rows = rng.permutation(len(lesson.questions))[: recipe.questions]
    chosen = _chosen_units(lesson, rows, recipe.units, rng)
    units = [_some(lesson.units[unit][: recipe.readings], recipe.words, rng) for unit in chosen]
    answers, teacher = lesson.answers[np.ix_(rows, chosen)], lesson.teacher[np.ix_(rows, chosen)]
    foreign = _foreign_units(lessons, number, recipe, rng)
    units += foreign
    teaches = ~np.isnan(teacher).all(1, keepdims=True)
    wrong = np.where(teaches, np.float32(-np.inf), np.float32(np.nan)).repeat(len(foreign), 1)
    return _Batch(
        [lesson.questions[row][int(rng.integers(len(lesson.questions[row])))] for row in rows],
        units,
        torch.from_numpy(np.concatenate([answers, np.zeros((len(rows), len(foreign)), bool)], 1)),
        torch.from_numpy(np.concatenate([teacher, wrong], 1)),
    )


def _chosen_units(
    lesson: Lesson, rows: NDArray[np.int64], most: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return which units a batch is scored on: an answer of each question, the hardest others, any others."""
    ranked = np.where(lesson.answers[rows], -np.inf, np.nan_to_num(lesson.teacher[rows], nan=-np.inf))
    hardest = np.argsort(-ranked, axis=1)[:, :2]
    order = np.concatenate(
        [lesson.answers[rows].argmax(1), hardest.T.ravel(), rng.permutation(len(lesson.units))]
    )
    first = np.sort(np.unique(order, return_index=True)[1])
    found: NDArray[np.int64] = order[first][: max(most, len(rows))]
    return found


def _foreign_units(
    lessons: Sequence[Lesson], number: int, recipe: DistilRecipe, rng: np.random.Generator
) -> list[list[Reading]]:
    """Return units of another manual."""
    others = [lesson for row, lesson in enumerate(lessons) if row != number]
    if not others or not recipe.foreign:
        return []
    other = others[int(rng.integers(len(others)))]
    rows = rng.permutation(len(other.units))[: recipe.foreign]
    return [_some(other.units[row][: recipe.readings], recipe.words, rng) for row in rows]


def _some(readings: Sequence[Reading], most: int, rng: np.random.Generator) -> list[Reading]:
    """Return readings of which at most so many words are left, in their order."""
    return [
        one
        if one.words is None or len(one.words) <= most
        else replace(one, words=one.words[np.sort(rng.permutation(len(one.words))[:most])])
        for one in readings
    ]


def _by_unit(asked: Tensor, stored: Tensor, counts: Sequence[int]) -> Tensor:
    """Return (Q, N), the best reading of each unit, from the tokens of questions and of readings."""
    by_reading = maxsim(asked, stored) / asked.shape[1]  # (Q, readings)
    owners = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)).expand(len(asked), -1)
    best = by_reading.new_full((len(asked), len(counts)), -torch.inf)
    found: Tensor = best.scatter_reduce(1, owners, by_reading, "amax")
    return found


def _tokens(student: Student, readings: Sequence[Reading]) -> Tensor:
    """Return (readings, tokens, width), read in batches, the short ones together."""
    lengths = [0 if one.words is None else len(one.words) for one in readings]
    order = sorted(range(len(readings)), key=lengths.__getitem__)
    found = torch.cat([student([readings[row] for row in rows]) for rows in _runs(order)])
    return found[torch.tensor(order).argsort()]


def _runs(order: Sequence[int]) -> Iterator[Sequence[int]]:
    for at in range(0, len(order), _BATCH):
        yield order[at : at + _BATCH]
