"""Fitting the calibration, on made-up queries."""

import numpy as np
import pytest

from plait.errors import TrainError
from plait.scoring.calibration import SIDES, Side
from plait.train.mini.calibrating import Example, balanced, fit_calibration, fit_logistic


def example(rng: np.random.Generator, manual: str, side: Side, good: bool) -> Example:
    """A query whose lanes all say more where it is good; its first hit is right four times of five."""
    names = ("text", "bm25", "known", "image_tokens", "image")
    values = {name: float(rng.normal(0.6 if good else 0.2, 0.1)) for name in names}
    values |= {"words": float(rng.uniform(0, 3)), "units": 5.0}
    first = bool(rng.random() < 0.8)
    hits = [
        {"posterior": -1.0 - hit, "behind": -1.0 * hit, "bm25": 0.5, "image_tokens": 0.5 - 0.1 * hit}
        for hit in range(3)
    ]
    return Example(manual, side, values, good, tuple(hits), (first, not first, False))


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    examples = [
        example(rng, manual, side, good)
        for manual in ("a", "b", "c")
        for side in SIDES
        for good in (True, False)
        for _ in range(60)
    ]
    shown = [({"figure_words": float(n) / 100, "units": 6.0}, n % 40 > 20) for n in range(100)]
    return fit_calibration(examples, shown), examples


def test_good_queries_pass_and_bad_ones_do_not(fitted) -> None:
    calibration, examples = fitted
    for good in (True, False):
        passed = [
            calibration.of(one.side).answerable.chance(one.values) >= calibration.of(one.side).least
            for one in examples
            if one.good == good
        ]
        assert (np.mean(passed) > 0.95) == good


def test_more_of_a_similarity_is_never_worse(fitted) -> None:
    calibration, _ = fitted
    for side in SIDES:
        for model in (calibration.of(side).answerable, calibration.of(side).right):
            assert all(w >= 0 for name, w in model.weights.items() if name not in ("words", "units"))


def test_few_answers_are_distant(fitted) -> None:
    calibration, examples = fitted
    kept = []
    for one in examples:
        side = calibration.of(one.side)
        sure = [side.confidence(one.values, place) for place in one.places]
        if one.good and any(one.right):
            kept.append(max(sure[one.right.index(True) :]) >= side.distant * max(sure))
    assert np.mean(kept) >= 0.97


def test_odds_of_two_numbers_are_found_again() -> None:
    """Three of four are true at 1, one of four at 0: the bias is ln(1/3), the weight ln 9."""
    values = [{"text": float(n // 400)} for n in range(800)]
    labels = [n % 4 < (3 if n >= 400 else 1) for n in range(800)]
    model = fit_logistic(values, labels, ("text",))
    assert model.bias == pytest.approx(np.log(1 / 3), abs=0.02)
    assert model.weights["text"] == pytest.approx(np.log(9), abs=0.03)


def test_balanced_labels_have_even_odds() -> None:
    values = [{"text": 0.0}] * 90 + [{"text": 0.0}] * 10
    labels = [False] * 90 + [True] * 10
    assert fit_logistic(values, labels, ("text",), counts=balanced(labels)).chance(
        {"text": 0.0}
    ) == pytest.approx(0.5)
    assert fit_logistic(values, labels, ("text",)).chance({"text": 0.0}) == pytest.approx(0.1, abs=1e-3)


def test_a_number_that_speaks_the_wrong_way_is_left_out() -> None:
    values = [{"text": float(n % 2), "units": float(n % 2)} for n in range(40)]
    labels = [n % 2 == 0 for n in range(40)]
    assert "text" not in fit_logistic(values, labels, ("text",)).weights
    assert fit_logistic(values, labels, ("units",)).weights["units"] < 0


def test_one_manual_is_not_enough() -> None:
    rng = np.random.default_rng(1)
    examples = [example(rng, "a", side, good) for side in SIDES for good in (True, False) for _ in range(5)]
    with pytest.raises(TrainError, match="two manuals"):
        fit_calibration(examples, [])
