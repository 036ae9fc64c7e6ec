"""The gated mixture: by hand on small lanes, and what must hold for all."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from plait.errors import InputError
from plait.scoring.mixture import MixtureParameters, mixture

SIMPLE = MixtureParameters(text=10.0, bm25=0.5, image_tokens=30.0, image=10.0, image_bias=-20.0)
FITTED = MixtureParameters()


def lane(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_words_alone_are_a_weighted_sum() -> None:
    scores = mixture({"text": lane(0.1, 0.5), "bm25": lane(4.0, 0.0)}, SIMPLE)
    assert scores.tolist() == pytest.approx([3.0, 5.0])


def test_a_picture_alone_is_the_softplus_of_its_evidence() -> None:
    scores = mixture({"image_tokens": lane(0.8, 0.2), "image": lane(0.6, 0.2)}, SIMPLE)
    # 30 * 0.8 + 10 * 0.6 - 20 = 10, and 30 * 0.2 + 10 * 0.2 - 20 = -12
    assert scores.tolist() == pytest.approx([math.log1p(math.exp(10.0)), math.log1p(math.exp(-12.0))])


def test_words_and_picture_add_up() -> None:
    words = {"text": lane(0.3, 0.1), "bm25": lane(1.0, 2.0)}
    picture = {"image_tokens": lane(0.8, 0.2), "image": lane(0.6, 0.2)}
    assert mixture(words | picture, SIMPLE) == pytest.approx(
        mixture(words, SIMPLE) + mixture(picture, SIMPLE)
    )


def test_a_picture_that_is_nowhere_leaves_the_order_to_the_words() -> None:
    words = {"text": lane(0.60, 0.58, 0.20)}
    elsewhere = {"image_tokens": lane(0.30, 0.40, 0.45), "image": lane(0.1, 0.2, 0.3)}
    alone, both = mixture(words, FITTED), mixture(words | elsewhere, FITTED)
    assert both == pytest.approx(alone, abs=1e-2)


def test_a_picture_that_is_there_outweighs_words_that_fit_everywhere() -> None:
    vague = {"text": lane(0.12, 0.18, 0.15), "bm25": lane(0.0, 0.9, 0.4)}
    there = {"image_tokens": lane(0.85, 0.40, np.nan), "image": lane(0.75, 0.2, np.nan)}
    assert mixture(vague | there, FITTED).argmax() == 0


def test_words_decide_between_two_units_that_both_show_the_picture() -> None:
    shown_twice = {"image_tokens": lane(0.85, 0.85, 0.3), "image": lane(0.7, 0.7, 0.1)}
    assert mixture(shown_twice | {"text": lane(0.2, 0.4, 0.3)}, FITTED).argmax() == 1


def test_a_unit_without_figures_is_scored_as_one_whose_figures_do_not_match() -> None:
    words = {"text": lane(0.4, 0.4)}
    scores = mixture(words | {"image_tokens": lane(-1.0, np.nan), "image": lane(-1.0, np.nan)}, FITTED)
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)


def test_a_unit_without_text_is_taken_as_average() -> None:
    scores = mixture({"text": lane(0.2, 0.6, np.nan), "image_tokens": lane(0.1, 0.1, 0.1)}, SIMPLE)
    assert scores[2] == pytest.approx((scores[0] + scores[1]) / 2)


def test_one_image_lane_stands_in_for_the_other() -> None:
    both = mixture({"image_tokens": lane(0.6), "image": lane(0.6)}, SIMPLE)
    assert mixture({"image": lane(0.6)}, SIMPLE) == pytest.approx(both)
    assert mixture({"image_tokens": lane(0.6)}, SIMPLE) == pytest.approx(both)


SHOWN = MixtureParameters(text=10.0, bm25=0.5, figure_words=40.0, figure_bias=-1.0)


def test_words_are_written_in_a_unit_or_shown_by_its_figure() -> None:
    scores = mixture({"text": lane(0.5, 0.1), "figure_words": lane(0.0, 0.2)}, SHOWN)
    # log(exp(5) + exp(-1)) and log(exp(1) + exp(7))
    assert scores.tolist() == pytest.approx([5.0025, 7.0025], abs=1e-3)


def test_where_words_are_written_a_figure_changes_nothing() -> None:
    written = {"text": lane(0.9, 0.8, 0.7)}
    figures = {"figure_words": lane(0.0, 0.06, np.nan)}
    assert mixture(written | figures, SHOWN) == pytest.approx(mixture(written, SHOWN), abs=1e-2)


def test_the_name_of_a_file_hardly_moves_a_picture_that_shows_what_is_asked_for() -> None:
    shown = {"figure_words": lane(0.2, 0.2)}
    first, second = mixture({"text": lane(-0.05, 0.1), **shown}, SHOWN)
    assert abs(first - second) < 0.01


def test_pictures_alone_are_ranked_by_what_they_show_and_units_without_come_last() -> None:
    scores = mixture({"figure_words": lane(0.1, 0.3, np.nan, 0.2)}, SHOWN)
    assert np.argsort(-scores).tolist() == [1, 3, 0, 2]


def test_parameters_from_before_there_was_that_lane_leave_it_out() -> None:
    lanes = {"text": lane(0.2, 0.4), "figure_words": lane(0.9, 0.0)}
    old = MixtureParameters.from_dict({"text": 10.0, "bm25": 0.5})
    assert mixture(lanes, old) == pytest.approx(mixture({"text": lanes["text"]}, old))


def test_the_recurrent_lane_moves_a_score_by_no_more_than_its_weight() -> None:
    words = {"text": lane(0.4, 0.4)}
    moved = mixture(words | {"ret": lane(1.0, -1.0)}, MixtureParameters(ret=0.3))
    still = mixture(words | {"ret": lane(1.0, -1.0)}, MixtureParameters(ret=0.0))
    assert np.abs(moved - still).max() == pytest.approx(0.3)


def test_one_unit_is_enough() -> None:
    lanes = {"text": lane(0.4), "bm25": lane(1.0), "image": lane(0.5), "image_tokens": lane(np.nan)}
    assert np.isfinite(mixture(lanes, FITTED)).all()


def test_no_unit_gives_no_score() -> None:
    assert mixture({"text": lane()}, FITTED).shape == (0,)


@pytest.mark.parametrize("lanes", [{}, {"colour": lane(1.0)}])
def test_lanes_it_does_not_know_are_refused(lanes: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError, match="expected one of the lanes"):
        mixture(lanes, FITTED)


_cosines = arrays(np.float32, 12, elements=st.floats(-1, 1, width=32) | st.just(math.nan))


@given(text=_cosines, image=_cosines, tokens=_cosines, inside=arrays(np.bool_, 12))
def test_units_outside_a_filter_are_nan_and_change_no_other_score_of_full_units(
    text: np.ndarray, image: np.ndarray, tokens: np.ndarray, inside: np.ndarray
) -> None:
    text = np.nan_to_num(text)
    lanes = {"text": text, "image": image, "image_tokens": tokens}
    filtered = {name: np.where(inside, values, np.nan).astype(np.float32) for name, values in lanes.items()}
    every, some = mixture(lanes, FITTED), mixture(filtered, FITTED)
    assert np.isnan(some[~inside]).all()
    assert some[inside] == pytest.approx(every[inside], abs=1e-5)


@given(image=arrays(np.float32, 8, elements=st.floats(-1, 1, width=32), unique=True))
def test_a_picture_alone_ranks_by_similarity(image: np.ndarray) -> None:
    scores = mixture({"image": image}, MixtureParameters(image_bias=0.0, image=5.0))
    assert (np.diff(scores[np.argsort(image)]) >= 0).all()


@given(st.builds(MixtureParameters, *[st.floats(-1e3, 1e3)] * 6))
def test_parameters_survive_json(parameters: MixtureParameters) -> None:
    assert MixtureParameters.from_dict(json.loads(json.dumps(parameters.to_dict()))) == parameters


@pytest.mark.parametrize("values", [{"txet": 1.0}, {"text": math.nan}, {"image": math.inf}])
def test_parameters_that_make_no_sense_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(InputError):
        MixtureParameters.from_dict(values)


def written_out(lanes: dict[str, np.ndarray], parameters: MixtureParameters) -> np.ndarray:
    """The module's formulas for all units at once, a logarithm for each."""
    exact = {name: scores.astype(np.float64) for name, scores in lanes.items()}
    words = [name for name in ("text", "bm25") if name in lanes]
    score = np.zeros(len(next(iter(exact.values()))))
    for name in words:
        mean = lanes[name][~np.isnan(lanes[name])].mean()
        score = score + getattr(parameters, name) * np.where(np.isnan(exact[name]), mean, exact[name])
    if "figure_words" in lanes:
        shown = parameters.figure_words * exact["figure_words"] + parameters.figure_bias
        lowest = np.where(np.isnan(shown), np.nanmin(shown, initial=0.0), shown)
        score = np.logaddexp(score, np.where(np.isnan(shown), -np.inf, shown)) if words else lowest
    if "image" in lanes:
        evidence = parameters.image_tokens * exact["image_tokens"] + parameters.image * exact["image"]
        evidence = np.where(np.isnan(evidence), -np.inf, evidence + parameters.image_bias)
        score = score + np.logaddexp(0.0, evidence)
    return np.where(np.all([np.isnan(there) for there in lanes.values()], axis=0), np.nan, score)


@pytest.mark.parametrize(
    "asked",
    [
        ("text", "bm25", "figure_words"),
        ("figure_words",),
        ("image", "image_tokens"),
        ("text", "figure_words"),
        ("text", "bm25", "figure_words", "image", "image_tokens"),
    ],
)
def test_logarithms_of_the_units_with_figures_alone_give_what_those_of_all_give(
    asked: tuple[str, ...],
) -> None:
    rng = np.random.default_rng(0)
    parameters = MixtureParameters(figure_words=40.0, figure_bias=-1.0)
    lanes = {name: rng.random(500).astype(np.float32) for name in asked}
    without_figures, nowhere = rng.random(500) < 0.7, rng.random(500) < 0.2
    for name, scores in lanes.items():
        scores[nowhere if name in ("text", "bm25") else without_figures | nowhere] = np.nan
    np.testing.assert_allclose(mixture(lanes, parameters), written_out(lanes, parameters), rtol=1e-6)
