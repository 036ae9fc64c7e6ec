"""Fitting the mixture, on made-up questions."""

import numpy as np
import pytest

from plait.scoring.mixture import MixtureParameters
from plait.train.mini.gate import fit_mixture, reciprocal_rank, reciprocal_ranks
from plait.train.mini.lanes import Asked


def asked(kind: str, seed: int, units: int = 30) -> Asked:
    """A question whose picture, if it stands anywhere, scores .75, where others reach .55 at most."""
    rng = np.random.default_rng(seed)
    row = int(rng.integers(units))
    lanes: dict[str, np.ndarray] = {}
    if kind != "image":
        lanes["text"] = rng.uniform(0.1, 0.4, units).astype(np.float32)
        lanes["bm25"] = rng.uniform(0, 8, units).astype(np.float32)
        if kind != "vague":
            lanes["text"][row] += 0.25
    if kind != "text":
        lanes["image_tokens"] = rng.uniform(0.1, 0.55, units).astype(np.float32)
        if kind in ("image", "vague", "kept"):
            lanes["image_tokens"][row] = 0.75
        lanes["image"] = lanes["image_tokens"] - 0.1
    return Asked(kind, lanes, np.arange(units) == row)


def questions(seed: int) -> list[Asked]:
    kinds = ("text", "image", "removed", "kept", "vague", "unrelated")
    return [asked(kind, 100 * seed + number) for kind in kinds for number in range(12)]


def test_the_fit_learns_when_to_believe_which_side() -> None:
    fitted = fit_mixture([questions(1), questions(2)])
    ranks = {kind: np.mean(values) for kind, values in reciprocal_ranks(questions(3), fitted).items()}
    assert min(ranks["image"], ranks["kept"], ranks["vague"]) > 0.95
    # a picture that is nowhere must not disturb the words
    assert min(ranks["removed"], ranks["unrelated"]) > ranks["text"] - 0.1
    assert ranks["text"] > 0.5


def test_fitted_numbers_are_of_the_right_sign() -> None:
    fitted = fit_mixture([questions(1)])
    assert min(fitted.text, fitted.bm25, fitted.image_tokens, fitted.image) > 0 > fitted.image_bias


def test_a_reciprocal_rank_counts_half_of_the_ties() -> None:
    scores = np.array([3.0, 2.0, 2.0, np.nan], np.float32)
    for row, rank in ((0, 1.0), (1, 2.5), (3, 4.0)):
        one = Asked("text", {}, np.arange(4) == row)
        assert reciprocal_rank(scores, one) == pytest.approx(1 / rank)


def test_ranks_are_kept_by_kind() -> None:
    ranks = reciprocal_ranks(questions(1), MixtureParameters())
    assert {kind: len(values) for kind, values in ranks.items()} == dict.fromkeys(ranks, 12)
