"""Fitting the head for words: what it learns from captioned pictures, and what it must ignore."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from plait.model.mini.lite0_top import Lite0Top
from plait.model.mini.words_mini import FigureWords
from plait.scoring.vectors import Vectors
from plait.train.mini.words import Captions, WordsRecipe, fit_words

RECIPE = WordsRecipe(class_width=8, look_width=8)
NAMES = [[f"class {row}"] for row in range(12)]
_WORDS, _LOOKS = np.random.default_rng(7).normal(size=(2, 400, 16)).astype(np.float32)


def encode(texts: Sequence[str]) -> Vectors:
    """Return a fixed vector for the number in each text, so that prompts change nothing."""
    rows = [int("".join(filter(str.isdigit, text))) for text in texts]
    vectors = _WORDS[rows]
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def captions(source: str, rows: range, *, shift: Vectors | float = 0.0) -> Captions:
    """Return pictures whose features are a fixed linear map of their words, with some noise."""
    mixing = _LOOKS[:16]
    noise = np.random.default_rng(rows.start).normal(size=(len(rows), 16))
    seen = encode([str(row) for row in rows]) @ mixing + 0.05 * noise + shift
    return Captions(source, tuple(f"thing {row}" for row in rows), seen[:, None].astype(np.float32))


@pytest.fixture
def top() -> Lite0Top:
    torch.manual_seed(0)
    small = Lite0Top()
    small.classify = torch.nn.Linear(16, len(NAMES))
    return small.requires_grad_(False)


def fitted(top: Lite0Top, *sources: Captions, recipe: WordsRecipe = RECIPE) -> FigureWords:
    return fit_words(sources, NAMES, encode, top, recipe)


def found_first(words: FigureWords, top: Lite0Top, asked: Captions) -> float:
    features = torch.from_numpy(asked.features[:, 0])
    with torch.inference_mode():
        figures = words.figures(features, top.classify(features))
        questions = words.questions(torch.from_numpy(encode(asked.titles)))
    best = (questions @ figures.T).argmax(1)
    return float((best == torch.arange(len(best))).float().mean())


def test_pictures_never_seen_are_found_by_their_words(top: Lite0Top) -> None:
    words = fitted(top, captions("a", range(20, 150)), captions("b", range(150, 300)))
    assert (
        found_first(words, top, captions("c", range(300, 400))) > 0.4
    )  # by chance 0.01; the half by class is noise here


def test_the_style_of_a_source_teaches_nothing(top: Lite0Top) -> None:
    """Style here is a shift of all features of a source, such that the classifier does not see it."""
    unseen = np.linalg.svd(top.classify.weight.numpy())[2][-1]
    plain = fitted(top, captions("a", range(20, 150)), captions("b", range(150, 300)))
    shifted = fitted(top, captions("a", range(20, 150), shift=3.0 * unseen), captions("b", range(150, 300)))
    for name in ("expect.weight", "expect.bias"):
        assert plain.state_dict()[name] == pytest.approx(shifted.state_dict()[name], abs=1e-3)


def test_a_strong_ridge_leaves_only_what_pictures_have_in_common(top: Lite0Top) -> None:
    sources = captions("a", range(20, 150)), captions("b", range(150, 300))
    gentle, strong = fitted(top, *sources), fitted(top, *sources, recipe=replace(RECIPE, ridge=1e6))
    assert strong.expect.weight.norm() < 1e-3 * gentle.expect.weight.norm()


def test_fitting_is_repeatable(top: Lite0Top) -> None:
    first, second = (fitted(top, captions("a", range(20, 300))) for _ in range(2))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])


def test_what_is_remembered_of_captions_changes_nothing_else(top: Lite0Top) -> None:
    source = captions("a", range(20, 300))
    without, remembering = (fitted(top, source, recipe=replace(RECIPE, captions=n)) for n in (0, 4096))
    assert without.captions is None
    for name, value in without.state_dict().items():
        assert torch.equal(value, remembering.state_dict()[name])


def test_each_caption_is_remembered_with_the_mean_look_of_its_pictures(top: Lite0Top) -> None:
    first, second = captions("a", range(20, 150)), captions("b", range(20, 150))
    words = fitted(top, first, second)
    assert words.captions is not None
    assert words.captions.words.shape == (130, 16)
    assert words.captions.log_weights.tolist() == pytest.approx([math.log(2) / 2] * 130)
    look = words.state_dict()["look.weight"].numpy()
    looks = [(s.features[:, 0] - s.features[:, 0].mean(0)) @ look.T for s in (first, second)]
    mean = sum(look / np.linalg.norm(look, axis=1, keepdims=True) for look in looks)
    found = words.captions(torch.from_numpy(unit_of(encode(first.titles) - words.centre.numpy())))
    assert (unit_of(mean) * found.numpy()).sum(1).mean() > 0.9


def test_captions_may_be_fewer_groups_than_there_are_titles(top: Lite0Top) -> None:
    words = fitted(top, captions("a", range(20, 300)), recipe=replace(RECIPE, captions=16))
    assert words.captions is not None
    assert 1 < len(words.captions.words) <= 16
    assert words.config.captions == len(words.captions.words)


def unit_of(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
