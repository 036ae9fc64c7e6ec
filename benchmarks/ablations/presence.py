"""Is the picture in the manual at all? Gates that look at more similarities than the shipped one does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from plait.scoring.mixture import MixtureParameters, mixture
from plait.train.mini.gate import reciprocal_rank
from plait.train.mini.lanes import Asked

SIGNS = ("gap", "entropy", "agreement")
VARIANTS: dict[str, tuple[str, ...]] = {
    "bias fitted again": (),
    "gap of the two best": ("gap",),
    "entropy": ("entropy",),
    "agreement with the words": ("agreement",),
    "all three": SIGNS,
}
_LOST = -8.0  # as in `train.mini.gate`
_IMAGE = ("image_tokens", "image")


@dataclass(frozen=True, slots=True)
class _Pictured:
    """One question with a picture: the words' evidence and the picture's, (N,) each, and its signs."""

    words: Tensor
    image: Tensor
    signs: Tensor
    answers: Tensor


def gated_ranks(
    asked: Mapping[str, Sequence[Asked]], held: str, parameters: MixtureParameters, chosen: Sequence[str]
) -> list[float]:
    """Return the reciprocal rank of every question about a manual, by a gate fitted on the others.

    The picture's evidence v(d) becomes v(d) + bias + weights . signs, the same for all units of a question.

    Args:
        asked: manual -> its questions.
        chosen: which signs the gate may look at.
    """
    columns = [SIGNS.index(name) for name in chosen]
    others = [one for name, questions in asked.items() if name != held for one in questions]
    read = [_pictured(one, parameters) for one in others if "image" in one.lanes]
    signs = torch.stack([one.signs[columns] for one in read])
    centre = signs.mean(0)
    spread = (signs - centre).square().mean(0).sqrt() + 1e-6
    weights = _fit(read, [(one.signs[columns] - centre) / spread for one in read])
    found = []
    for one in asked[held]:
        scores = mixture(one.lanes, parameters)
        if "image" in one.lanes:
            pictured = _pictured(one, parameters)
            with torch.inference_mode():
                scores = _score(pictured, (pictured.signs[columns] - centre) / spread, weights).numpy()
        found.append(reciprocal_rank(scores, one))
    return found


def _pictured(one: Asked, parameters: MixtureParameters) -> _Pictured:
    spoken = {name: lane for name, lane in one.lanes.items() if name not in _IMAGE}
    words = mixture(spoken, parameters) if spoken else np.zeros(len(one.answers), np.float32)
    words = np.where(np.isnan(words), np.nanmean(words), words)
    evidence = parameters.image_bias + sum(
        getattr(parameters, name) * np.nan_to_num(one.lanes[name], nan=-1.0) for name in _IMAGE
    )
    signs = torch.tensor(_signs(evidence, words))
    said, seen = (torch.from_numpy(np.asarray(part)).float() for part in (words, evidence))
    return _Pictured(said, seen, signs, torch.from_numpy(one.answers))


def _signs(evidence: NDArray[np.float32], words: NDArray[np.float32]) -> list[float]:
    """Return how far the best figure is ahead, how flat the profile is, how well the words fit its unit."""
    order = np.argsort(-evidence)
    likely = np.exp(evidence - np.logaddexp.reduce(evidence))
    entropy = -(likely * np.log(likely + 1e-30)).sum() / np.log(len(likely))
    agreement = (words[order[0]] - words.mean()) / (words.std() + 1e-6)
    return [float(evidence[order[0]] - evidence[order[1]]), float(entropy), float(agreement)]


def _fit(read: Sequence[_Pictured], signs: Sequence[Tensor]) -> Tensor:
    """Return (1 + signs,) bias and weights, by L-BFGS on the likelihood of the answers."""
    weights = torch.zeros(1 + len(signs[0]), requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=40, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        total = (
            torch.stack(
                [_surprise(_score(one, x, weights), one.answers) for one, x in zip(read, signs, strict=True)]
            ).mean()
            + 1e-3 * weights.square().sum()
        )
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach()


def _score(one: _Pictured, signs: Tensor, weights: Tensor) -> Tensor:
    return one.words + functional.softplus(one.image + weights[0] + weights[1:] @ signs)


def _surprise(scores: Tensor, answers: Tensor) -> Tensor:
    likely = scores.log_softmax(0)[answers].logsumexp(0)
    return -torch.logaddexp(likely, torch.tensor(_LOST))
