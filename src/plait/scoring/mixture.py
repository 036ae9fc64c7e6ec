"""The gated mixture of text and image scores: a product of beliefs that knows when one side is mute.

What the words say of unit d is a likelihood, up to a constant,

    t(d) = text * cosine(d) + bm25 * BM25(d),

and what the picture says is how much likelier its similarity is if d shows that picture than if not:

    v(d) = image_tokens * MaxSim(d) + image * cosine(d) + image_bias.

The picture may be of something the corpus does not show, so its evidence enters as a mixture of "here
it is" and "it is nowhere", weighed for each unit alone:

    score(d) = t(d) + log(1 + exp(v(d))).

Where no figure resembles the picture, v is far below 0 everywhere and the words decide alone; a figure
that is surely the one asked for has v far above 0 and outweighs vague words. A likelihood ratio of one
unit does not depend on how many others there are, so the numbers fitted on a thousand units hold for
ten and for a million; and as scores are not normalised over the corpus, a filter changes no score.

Words may also be about what a figure shows, in a unit that says nothing of it. So the words' likelihood
is itself a mixture, of "it is written" and "it is shown", with

    s(d) = figure_words * cosine(d) + figure_bias,  t(d) replaced by log(exp(t(d)) + exp(s(d))).

Where the words are written, t is the larger by far and the figure changes nothing; a picture that nothing
is written about is ranked by s alone, whatever its file happens to be called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from plait.errors import InputError

Lanes = Mapping[str, NDArray[np.float32]]
_TEXT = ("text", "bm25")
_IMAGE = ("image_tokens", "image")


@dataclass(frozen=True, slots=True)
class MixtureParameters:
    """The learned numbers; the defaults are round ones, where a fit starts. An encoder brings its own.

    Attributes:
        text: nats a unit of text cosine.
        bm25: nats a point of BM25.
        image_tokens, image: nats a unit of MaxSim (mean over the query's tokens) and of the pooled cosine.
        image_bias: v(d) of a figure with no similarity at all; how sure a match must be to count.
        figure_words: nats a unit of the cosine between the words and what a figure shows; 0 leaves it out.
        figure_bias: s(d) of a figure with no such similarity.
        ret: nats a unit of the recurrent cell's score, in [-1, 1], so at most this much; 0 leaves it out.
    """

    text: float = 15.0
    bm25: float = 1.3
    image_tokens: float = 45.0
    image: float = 8.0
    image_bias: float = -28.0
    ret: float = 0.0
    figure_words: float = 0.0
    figure_bias: float = 0.0

    def to_dict(self) -> dict[str, float]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> MixtureParameters:
        """Return the parameters that `to_dict` wrote.

        Raises:
            InputError: an unknown name, or a value that is not a finite number.
        """
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise InputError(f"unknown mixture parameter: {', '.join(sorted(unknown))}")
        numbers = {name: float(value) for name, value in values.items()}
        if not all(np.isfinite(value) for value in numbers.values()):
            raise InputError(f"mixture parameters must be finite numbers, got {dict(values)}")
        return cls(**numbers)


def mixture(lanes: Lanes, parameters: MixtureParameters) -> NDArray[np.float32]:
    """Return (N,) log-likelihoods, higher is better, up to a constant of the query.

    Args:
        lanes: lane name -> (N,) raw scores, NaN where a unit has none: "text" and "image" cosines,
            "image_tokens" MaxSim divided by the query's tokens, "bm25" sums, "figure_words" cosines,
            "ret". Lanes may be absent, other names are ignored. A unit outside a filter is NaN in every lane.
        parameters: as fitted.

    Returns:
        (N,) scores, NaN for a unit that is NaN in every lane. A unit that has no text is taken to match
        the words as well as the mean of those that do; one that has no figure shows the picture nowhere.
    """
    known = [lanes[name] for name in ("bm25", "text", *_IMAGE, "figure_words", "ret") if name in lanes]
    if not known:
        raise InputError(
            "expected one of the lanes text, bm25, image_tokens, image, figure_words, ret; "
            f"got {sorted(lanes)}"
        )
    silent = nowhere(known)
    score = _words_evidence(lanes, parameters, len(known[0]))
    if any(name in lanes for name in _IMAGE):
        _add_image_evidence(score, lanes, parameters)
    if "ret" in lanes and parameters.ret:
        score += _or_mean(lanes["ret"], parameters.ret)
    if silent is not None:
        score[silent] = np.nan
    return score.astype(np.float32)


def nowhere(lanes: Sequence[NDArray[np.float32]]) -> NDArray[np.bool_] | None:
    """Return (N,) True for a unit that is NaN in every lane; None if there is none such.

    Args:
        lanes: (N,) scores each, of one lane or more; the first few that are NaN nowhere end the search.
    """
    silent = np.isnan(lanes[0])
    for lane in lanes[1:]:
        if not silent.any():
            return None
        silent &= np.isnan(lane)
    return silent


def _words_evidence(lanes: Lanes, parameters: MixtureParameters, units: int) -> NDArray[np.float64]:
    """Return (N,) what the words say: they are written in a unit, or one of its figures shows it."""
    written = [name for name in _TEXT if name in lanes]
    score = np.zeros(units)
    for name in written:
        score += _or_mean(lanes[name], getattr(parameters, name))
    if "figure_words" not in lanes or not parameters.figure_words:
        return score
    lane = lanes["figure_words"]
    there = np.flatnonzero(~np.isnan(lane))  # logarithms of the few units with figures, not of all
    shown = parameters.figure_words * lane[there].astype(np.float64) + parameters.figure_bias
    if written:
        score[there] = np.logaddexp(score[there], shown)
    else:
        score[:] = shown.min(initial=0.0)
        score[there] = shown
    return score


def _add_image_evidence(score: NDArray[np.float64], lanes: Lanes, parameters: MixtureParameters) -> None:
    """Add log(1 + exp(v(d))) to the scores of units that have figures; v of the others is -inf.

    With one of the two image lanes absent, the other stands in for it.
    """
    present = [name for name in _IMAGE if name in lanes]
    total = sum(getattr(parameters, name) for name in _IMAGE)
    share = sum(getattr(parameters, name) for name in present) or 1.0
    there = np.flatnonzero(~np.any([np.isnan(lanes[name]) for name in present], axis=0))
    evidence = np.full(len(there), parameters.image_bias, np.float64)
    for name in present:
        evidence += getattr(parameters, name) * total / share * lanes[name][there].astype(np.float64)
    score[there] += np.logaddexp(0.0, evidence)


def _or_mean(lane: NDArray[np.float32], times: float) -> NDArray[np.float64]:
    """Return the lane so many times, with the mean of those there are in place of each NaN."""
    missing = np.isnan(lane)
    filled = np.multiply(lane, times, dtype=np.float64)
    if missing.any():
        mean = lane[~missing].mean() if not missing.all() else 0.0
        filled[missing] = times * float(mean)
    return filled
