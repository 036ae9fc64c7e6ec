"""Training the recurrent cell: on made-up states it must learn what only both sides together say."""

from dataclasses import replace

import numpy as np
import torch

from plait.model.mini.configuration_mini import JointHeadConfig, MiniConfig
from plait.scoring.maxsim import maxsim
from plait.train.mini.joint import Example, JointRecipe, run_cell, train_joint

JOINT = JointHeadConfig(layers=(1, 2), stages=(2, 3), width=16, heads=2, inner=32, tokens=2, token_width=8)
CONFIG = replace(MiniConfig(), joint=JOINT)


def made_up(seed: int, count: int = 24) -> list[Example]:
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(count):
        words, cells = torch.randn(1, 384, generator=generator), torch.randn(1, 424, generator=generator)
        noisy = [words + 0.3 * torch.randn(5, 384, generator=generator) for _ in range(4)]
        seen = [cells + 0.3 * torch.randn(16, 424, generator=generator) for _ in range(2)]
        found.append(Example((noisy[0], noisy[1]), seen[0], (noisy[2], noisy[3]), seen[1]))
    return found


def found_first(head, examples: list[Example], words: bool, picture: bool) -> float:
    sides = [np.full(len(examples), side) for side in (words, picture)]
    both = np.ones(len(examples), bool)
    with torch.inference_mode():
        asked = run_cell(head, CONFIG, [e.words for e in examples], [e.picture for e in examples], *sides)
        stored = run_cell(
            head, CONFIG, [e.unit_words for e in examples], [e.figure for e in examples], both, both
        )
        return float((maxsim(asked, stored).argmax(1) == torch.arange(len(examples))).float().mean())


def test_the_cell_learns_to_match_by_either_side_and_both() -> None:
    head = train_joint([made_up(1)], CONFIG, JointRecipe(steps=60, batch=24, learning_rate=3e-3))
    assert found_first(head, made_up(1), True, True) > 0.8
    assert found_first(head, made_up(1), True, False) > 0.4
    assert found_first(head, made_up(1), False, True) > 0.4


def test_training_is_repeatable() -> None:
    recipe = JointRecipe(steps=2, batch=8)
    one, two = (train_joint([made_up(1)], CONFIG, recipe).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_row_without_a_side_is_not_moved_by_it() -> None:
    head = train_joint([made_up(1)], CONFIG, JointRecipe(steps=0))
    first, second = made_up(1, 3), made_up(2, 3)
    words, neither = [e.words for e in first], np.zeros(3, bool)
    with torch.inference_mode():
        one, two = (
            run_cell(head, CONFIG, words, [e.picture for e in pictures], ~neither, neither)
            for pictures in (first, second)
        )
    assert torch.equal(one, two)
