"""Fitting the mixture, on made-up questions."""

from dataclasses import replace

import numpy as np
import pytest

from plait.scoring.mixture import MixtureParameters, mixture
from plait.train.mini.gate import fit_mixture, reciprocal_rank, reciprocal_ranks
from plait.train.mini.lanes import Asked


def asked(kind: str, seed: int, units: int = 30) -> Asked:
    """A question whose picture, if it stands anywhere, scores .75, where others reach .55 at most."""
    rng = np.random.default_rng(seed)
    row = int(rng.integers(units))
    lanes: dict[str, np.ndarray] = {}
    if kind != "image":
        lanes["text"] = rng.uniform(0.1, 0.4, units).astype(np.float32)
        lanes["bm25"] = rng.uniform(0, 1, units).astype(np.float32)
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


def test_what_is_written_keeps_its_numbers() -> None:
    fitted = fit_mixture([questions(1), questions(2)], [[shown(seed) for seed in range(5)]])
    assert (fitted.text, fitted.bm25) == (14.6, 1.3)


def test_where_one_lane_is_always_right_no_number_grows_without_end() -> None:
    rng = np.random.default_rng(0)
    sure = []
    for row in range(8):
        lanes = {name: rng.uniform(0, 0.1, 8).astype(np.float32) for name in ("image", "image_tokens")}
        lanes["image_tokens"][row] = 0.9
        sure.append(Asked("image", lanes, np.arange(8) == row))
    fitted = fit_mixture([sure], pull=0).to_dict()
    assert all(np.isfinite(number) for number in fitted.values())
    assert max(map(abs, fitted.values())) < 150 * 45


def test_a_reciprocal_rank_counts_half_of_the_ties() -> None:
    scores = np.array([3.0, 2.0, 2.0, np.nan], np.float32)
    for row, rank in ((0, 1.0), (1, 2.5), (3, 4.0)):
        one = Asked("text", {}, np.arange(4) == row)
        assert reciprocal_rank(scores, one) == pytest.approx(1 / rank)


def test_ranks_are_kept_by_kind() -> None:
    ranks = reciprocal_ranks(questions(1), MixtureParameters())
    assert {kind: len(values) for kind, values in ranks.items()} == dict.fromkeys(ranks, 12)


# --- words to figures ---


def written(seed: int, misled: float = 0.0) -> Asked:
    """A question surely answered by what is written; figures of other units fit its words as told."""
    one = asked("text", seed)
    one.lanes["text"][one.answers] += 0.4
    shown = np.where(one.answers, 0.0, misled).astype(np.float32)
    return Asked("text", {**one.lanes, "figure_words": shown}, one.answers)


def shown(seed: int) -> Asked:
    """A question that nothing is written about, and whose answer's figure fits best."""
    rng = np.random.default_rng(seed)
    row = int(rng.integers(30))
    lanes = {name: rng.uniform(0.1, 0.2, 30).astype(np.float32) for name in ("text", "figure_words")}
    lanes["bm25"] = np.zeros(30, np.float32)
    lanes["figure_words"][row] = 0.5
    return Asked("text", lanes, np.arange(30) == row)


def test_archives_are_searched_and_manuals_not_harmed() -> None:
    manual, archive = [written(seed) for seed in range(20)], [shown(seed) for seed in range(20)]
    fitted = fit_mixture([manual], [archive])
    assert np.mean(reciprocal_ranks(archive, fitted)["text"]) == 1
    without = replace(fitted, figure_words=0.0)
    assert np.mean(reciprocal_ranks(archive, without)["text"]) < 0.5
    assert reciprocal_ranks(manual, fitted) == reciprocal_ranks(manual, without)


def test_where_figures_mislead_they_are_hardly_believed() -> None:
    plain, misled = ([written(seed, misled=how) for seed in range(20)] for how in (0.0, 0.4))
    archive = [shown(seed) for seed in range(20)]
    trusting, wary = fit_mixture([plain], [archive]), fit_mixture([misled], [archive])
    # what a misleading figure says
    said = [one.figure_words * 0.4 + one.figure_bias for one in (trusting, wary)]
    assert said[1] < said[0] - 2


def test_archives_count_as_one_kind_however_many_they_are() -> None:
    manual, archive = [written(seed, misled=0.3) for seed in range(9)], [shown(seed) for seed in range(9)]
    once, thrice = fit_mixture([manual], [archive]), fit_mixture([manual], [archive] * 3)
    assert once.to_dict() == pytest.approx(thrice.to_dict(), rel=0.05, abs=0.05)


def test_without_figures_of_words_their_numbers_stay_where_they_began() -> None:
    fitted = fit_mixture([questions(1)])
    assert (fitted.figure_words, fitted.figure_bias) == (40.0, -1.0)


def test_the_loss_is_of_the_scores_that_the_product_gives() -> None:
    """Among few steps from the start, the fit's own likelihood falls when computed by `mixture`."""
    manual, archive = [written(seed, misled=0.2) for seed in range(9)], [shown(seed) for seed in range(9)]

    def surprise(parameters: MixtureParameters) -> float:
        scores = [(mixture(one.lanes, parameters).astype(float), one.answers) for one in (*manual, *archive)]
        likely = [np.logaddexp.reduce(s[a]) - np.logaddexp.reduce(s) for s, a in scores]
        return -float(np.mean(np.logaddexp(likely, -8)))

    steps = [surprise(fit_mixture([manual], [archive], steps=number, pull=0)) for number in (1, 3, 60)]
    assert steps[0] > steps[1] > steps[2]
