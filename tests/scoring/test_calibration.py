"""Chances from numbers, and their JSON form."""

import math

import pytest

from plait.errors import InputError
from plait.scoring.calibration import Calibration, Logistic, SideCalibration


def calibration() -> Calibration:
    side = SideCalibration(
        Logistic(-1.0, {"text": 2.0}), Logistic(0.5, {}), Logistic(0.0, {"answerable": 1.0}), 0.3, 0.1
    )
    return Calibration(side, side, side, shown=Logistic(-4.0, {"figure_words": 9.0}))


def test_a_chance_is_the_logistic_of_the_weighted_sum() -> None:
    model = Logistic(-1.0, {"text": 2.0, "known": 1.0})
    assert model.chance({"text": 0.5, "known": 0.0, "other": 9.0}) == 0.5
    assert model.chance({"text": 0.5, "known": math.log(3)}) == pytest.approx(0.75)


def test_a_confidence_is_made_of_the_odds_of_query_and_place() -> None:
    """Odds of 3 that there is an answer and of 1/2 that it is this one make odds of 3/2 here."""
    side = SideCalibration(
        Logistic(0.0, {"text": 1.0}),
        Logistic(0.0, {"behind": 1.0}),
        Logistic(0.0, {"answerable": 1.0, "right": 1.0}),
        least=0.0,
        distant=0.0,
    )
    assert side.confidence({"text": math.log(3)}, {"behind": -math.log(2)}) == pytest.approx(0.6)


def test_no_number_is_too_large_for_a_chance() -> None:
    model = Logistic(0.0, {"bm25": 1.0})
    assert model.chance({"bm25": 1e9}) == 1.0
    assert model.chance({"bm25": -1e9}) == pytest.approx(0.0, abs=1e-30)


def test_what_was_written_is_read_again() -> None:
    assert Calibration.from_dict(calibration().to_dict()) == calibration()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"text": {}}, "answerable"),
        ({"text": {**calibration().to_dict()["text"], "least": "far"}}, "far"),
        ({"text": {**calibration().to_dict()["text"], "distant": math.nan}}, "finite"),
        ({"nearly": 1}, "nearly"),
        ({"shown": {"bias": 0, "weights": [1]}}, "calibration"),
        ({"shown": None}, "calibration"),
    ],
)
def test_what_is_no_calibration_is_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Calibration.from_dict({**calibration().to_dict(), **change})
