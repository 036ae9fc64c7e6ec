"""Rough shingles: no text that is nearly the same is missed, and most others are told apart."""

from __future__ import annotations

import random

import pytest

from plait.search.sketches import Sketches

SIGNS = [" ", ", ", ".\n", "; ", " - "]


def shingles(words: list[str]) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + 3]) for at in range(len(words) - 2)}


def written(words: list[str], draw: random.Random) -> str:
    """Return the words in letters of either size, with signs between them."""
    return "".join(draw.choice([word, word.upper()]) + draw.choice(SIGNS) for word in words)


def test_the_share_is_that_of_the_threes_of_words_however_they_are_written() -> None:
    draw = random.Random(4)
    vocabulary = [f"word{n}" for n in range(500)]
    one = draw.choices(vocabulary, k=80)
    others = [list(one) for _ in range(60)]
    for other in others:
        for _ in range(draw.randrange(40)):
            other[draw.randrange(80)] = draw.choice(vocabulary)
    sketches = Sketches()
    sketches.add([written(one, draw)])
    sketches.add([written(other, draw) for other in others])
    shares = [len(shingles(one) & shingles(other)) / len(shingles(one) | shingles(other)) for other in others]
    may = sketches.may_share(0, range(1, 61), 0.5)
    assert all(may[at] == (share > 0.5) for at, share in enumerate(shares) if abs(share - 0.5) > 0.03)
    assert 5 < sum(may) < 55


def test_a_text_has_one_sketch_whatever_stands_before_it() -> None:
    text, long = "Close the safety valve before you open the boiler", "word " * 20_000
    sketches = Sketches()
    sketches.add([text])
    sketches.add([long, text, "Nothing of it at all is here"])  # longer than the powers that are kept
    assert sketches.may_share(0, [1, 2, 3], 1.0) == [False, True, False]


@pytest.mark.parametrize("text", ["", "Two words", "世界中の人々 hello world again", "Закройте клапан"])
def test_of_texts_without_a_sketch_nothing_is_said(text: str) -> None:
    sketches = Sketches()
    sketches.add(["Close the safety valve before", text, "and drain all of the water"])
    assert sketches.may_share(0, [1, 2], 0.5) == [True, False]
    assert sketches.may_share(1, [0, 2], 0.5) == [True, True]
