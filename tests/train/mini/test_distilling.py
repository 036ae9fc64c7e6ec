"""Distilling the mixture: the two losses by hand, and a cell that learns from a teacher it cannot see."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from plait.errors import InputError, ShapeError
from plait.model.mini.configuration_mini import JointHeadConfig, MiniConfig
from plait.train.mini.distilling import (
    CellStudent,
    DistilRecipe,
    Lesson,
    Reading,
    distil,
    divergence,
    likelihood_loss,
    scores,
)

JOINT = JointHeadConfig(layers=(1, 2), stages=(2, 3), width=16, heads=2, inner=32, tokens=2, token_width=8)
CONFIG = replace(MiniConfig(), joint=JOINT)
RECIPE = DistilRecipe(steps=60, questions=8, units=8, learning_rate=5e-3)


def student(seed: int = 0) -> CellStudent:
    torch.manual_seed(seed)
    return CellStudent(CONFIG)


def reading(base: torch.Tensor, generator: torch.Generator, *, words: bool, figure: bool) -> Reading:
    """Return a noisy view of one unit's 384 + 424 numbers."""
    said = base[:384] + 0.3 * torch.randn(5, 2, 384, generator=generator)
    seen = base[384:] + 0.3 * torch.randn(16, 424, generator=generator)
    return Reading(said if words else None, seen if figure else None)


def lesson(count: int = 8, *, silent: bool = False, several: int = 1) -> Lesson:
    """Return `count` units, each asked by words, by its figure, or by both; the teacher knows the answers."""
    generator = torch.Generator().manual_seed(1)
    bases = torch.randn(count, 808, generator=generator)
    sides = [(True, True), (True, False), (False, True)]
    asked = [
        [reading(base, generator, words=words, figure=figure)]
        for row, base in enumerate(bases)
        for words, figure in [sides[row % 3]]
    ]
    stored = [[reading(base, generator, words=True, figure=True) for _ in range(several)] for base in bases]
    answers = np.eye(count, dtype=bool)
    teacher = np.where(answers, 6.0, 0.0).astype(np.float32)
    return Lesson(asked, stored, answers, np.full_like(teacher, np.nan) if silent else teacher)


def found_first(cell: CellStudent, asked: Lesson) -> float:
    return float((scores(cell, asked).argmax(1) == asked.answers.argmax(1)).mean())


def test_a_student_that_agrees_with_the_teacher_has_nothing_to_learn() -> None:
    teacher = torch.tensor([[1.0, 2.0, torch.nan], [0.5, -torch.inf, 3.0]])
    shifted = torch.tensor([[4.0, 5.0, 9.0], [0.0, -1e9, 2.5]], requires_grad=True)
    loss = divergence(shifted, teacher)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert shifted.grad is not None
    assert shifted.grad.abs().max() < 1e-6


def test_the_divergence_of_two_units_by_hand() -> None:
    """KL((3/4, 1/4) || (1/2, 1/2)) = 3/4 log(3/2) + 1/4 log(1/2); its slope is student minus teacher."""
    student_scores = torch.zeros(1, 2, requires_grad=True)
    loss = divergence(student_scores, torch.tensor([[np.log(3.0), 0.0]]))
    loss.backward()
    assert loss.item() == pytest.approx(0.75 * np.log(1.5) + 0.25 * np.log(0.5))
    assert student_scores.grad is not None
    assert student_scores.grad.tolist() == [pytest.approx([-0.25, 0.25])]


def test_a_teacher_who_is_silent_or_knows_one_unit_teaches_nothing() -> None:
    teacher = torch.tensor([[torch.nan, torch.nan], [1.0, torch.nan]])
    student_scores = torch.randn(2, 2, requires_grad=True)
    loss = divergence(student_scores, teacher)
    loss.backward()
    assert loss.item() == 0
    assert student_scores.grad is not None
    assert student_scores.grad.abs().max() == 0


def test_several_answers_share_their_likelihood() -> None:
    """Two of four equal units answer: -log(1/2)."""
    answers = torch.tensor([[True, True, False, False]])
    assert likelihood_loss(torch.zeros(1, 4), answers).item() == pytest.approx(np.log(2))


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_a_cell_learns_eight_pairs_by_either_loss(weights: tuple[float, float]) -> None:
    recipe = replace(RECIPE, contrastive=weights[0], distillation=weights[1])
    assert found_first(student(), lesson()) < 0.9
    cell = student()
    distil([lesson()], cell, recipe)
    assert found_first(cell, lesson()) == 1


def test_answers_teach_where_the_teacher_is_silent() -> None:
    cell = student()
    distil([lesson(silent=True)], cell, replace(RECIPE, contrastive=1.0))
    assert found_first(cell, lesson()) == 1


def test_teaching_is_repeatable_and_foreign_units_change_it() -> None:
    recipe = replace(RECIPE, steps=2)
    lessons = [lesson(), lesson(6)]
    one, two, other = student(), student(), student()
    distil(lessons, one, recipe)
    distil(lessons, two, recipe)
    distil(lessons, other, replace(recipe, foreign=3))
    states = [cell.state_dict() for cell in (one, two, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_a_unit_scores_as_its_best_reading() -> None:
    cell, several = student().eval(), lesson(several=3)
    by_unit = scores(cell, several)
    each = [
        scores(cell, replace(several, units=[[readings[number]] for readings in several.units]))
        for number in range(3)
    ]
    np.testing.assert_allclose(by_unit, np.max(each, axis=0), atol=1e-5)


def test_figures_of_unlike_many_cells_are_read_as_if_alone() -> None:
    cell, asked = student().eval(), lesson()
    base = asked.units[0][0]
    assert base.cells is not None
    wide = replace(base, cells=torch.cat([base.cells, base.cells + 1]))
    with torch.inference_mode():
        together, alone = cell([base, wide]), cell([base])
    torch.testing.assert_close(together[:1], alone)
    assert not torch.allclose(together[0], together[1], atol=1e-3)


def test_what_does_not_fit_is_refused_with_both_shapes() -> None:
    whole = lesson()
    with pytest.raises(ShapeError, match=r"\(8, 7\).*expected \(8, 8\)"):
        Lesson(whole.questions, whole.units, whole.answers, whole.teacher[:, :7])
    with pytest.raises(InputError, match="1 questions or units have no reading and 8 questions no answer"):
        Lesson([[], *whole.questions[1:]], whole.units, np.zeros_like(whole.answers), whole.teacher)
    with pytest.raises(InputError, match="not both 0"):
        DistilRecipe(contrastive=0.0, distillation=0.0)
