"""Fitting the mixture: the answer to every self-made question should be the likeliest unit.

What is written has the numbers that nine other manuals gave. The evidence of figures is fitted, all of it
together: how far words are looked for in them depends on how far pictures are believed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from plait.scoring.mixture import MixtureParameters, mixture
from plait.train.mini.lanes import Asked
from plait.train.mini.queries import KINDS

# Text and BM25 stay the means of nine manuals' fits. Fitted freely on six they become 16.9 and 0.8: words
# lose 0.35 [-0.5, 1.1] MRR x 100 where each of the six is left out, 1.5 on one that neither set has (xarray).
_START = MixtureParameters(text=14.6, bm25=1.3, figure_words=40.0, figure_bias=-1.0)
_NAMES = ("image_tokens", "image", "image_bias", "figure_words", "figure_bias")
# Trusting a picture that is not there costs most, and with the other kinds nearly solved they would
# otherwise outvote this one: x 8 gives +2.4 MRR here for -2.1 where the words are vague.
_WEIGHTS = {"removed": 8.0}
_FARTHEST = 5.0  # in units of the shift: an answer that is always sure would move its factor for ever
_LOST = -8.0  # log-likelihood below which an answer is beyond help and pulls no more


def fit_mixture(
    manuals: Sequence[Sequence[Asked]],
    archives: Sequence[Sequence[Asked]] = (),
    *,
    steps: int = 60,
    pull: float = 1e-3,
) -> MixtureParameters:
    """Return the parameters that make the answers likeliest, each manual counting the same.

    Args:
        manuals: the questions of each manual.
        archives: questions to manuals and archives of pictures together, as of `archives.ask_beside`; in
            all, they count as one kind of a manual's questions does.
        steps: of L-BFGS.
        pull: towards the start, on the squared logarithm of each factor.
    """
    batches = [(_Batch(asked), len(manuals)) for questions in manuals for asked in _by_kind(questions)]
    batches += [(_Batch(questions), len(archives)) for questions in archives]
    shift = torch.zeros(len(_NAMES), requires_grad=True)
    optimiser = torch.optim.LBFGS([shift], max_iter=steps, history_size=20, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        losses = [batch.weight * batch.loss(_numbers(shift)) / share for batch, share in batches]
        total = torch.stack(losses).sum() + pull * shift.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    fitted = _numbers(shift.detach())
    return MixtureParameters(**{name: round(float(number), 3) for name, number in fitted.items()})


def reciprocal_ranks(asked: Sequence[Asked], parameters: MixtureParameters) -> dict[str, list[float]]:
    """Return kind -> reciprocal rank of the best answer to each question; ties count half."""
    found: dict[str, list[float]] = defaultdict(list)
    for one in asked:
        found[one.kind].append(reciprocal_rank(mixture(one.lanes, parameters), one))
    return dict(found)


def reciprocal_rank(scores: np.ndarray[tuple[int], np.dtype[np.float32]], asked: Asked) -> float:
    """Return 1 / rank of the best answer; a unit without a score comes last."""
    scores = np.nan_to_num(scores, nan=-np.inf)
    best, others = scores[asked.answers].max(), scores[~asked.answers]
    return float(1 / (1 + (others > best).sum() + (others == best).sum() / 2))


def _numbers(shift: Tensor) -> dict[str, Tensor]:
    """Return the parameters by name: factors at most e^5 times or a part of the start, biases 50 from it."""
    start = _START.to_dict()
    bounded = _FARTHEST * torch.tanh(shift / _FARTHEST)
    return {name: torch.tensor(start[name]) for name in ("text", "bm25")} | {
        name: start[name] + 10 * by if name.endswith("bias") else start[name] * by.exp()
        for name, by in zip(_NAMES, bounded, strict=True)
    }


def _by_kind(questions: Sequence[Asked]) -> list[list[Asked]]:
    return [found for kind in KINDS if (found := [asked for asked in questions if asked.kind == kind])]


class _Batch:
    """The questions of one kind about one manual, as tensors (Q, N)."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        self.weight = _WEIGHTS.get(asked[0].kind, 1.0)
        self.answers = torch.from_numpy(np.stack([one.answers for one in asked]))
        text, self.bm25 = _stacked(asked, "text"), _stacked(asked, "bm25")
        self.text = None if text is None else torch.where(text.isnan(), text.nanmean(1, keepdim=True), text)
        self.tokens, self.image = _or_least(asked, "image_tokens"), _or_least(asked, "image")
        self.figures = _or_least(asked, "figure_words")

    def loss(self, numbers: Mapping[str, Tensor]) -> Tensor:
        """Return the mean negative log-likelihood of the answers, levelled off where they are lost."""
        score = torch.zeros(self.answers.shape)
        if self.text is not None and self.bm25 is not None:
            score = numbers["text"] * self.text + numbers["bm25"] * self.bm25
        if self.figures is not None:
            score = torch.logaddexp(score, numbers["figure_words"] * self.figures + numbers["figure_bias"])
        if self.tokens is not None and self.image is not None:
            evidence = numbers["image_tokens"] * self.tokens + numbers["image"] * self.image
            score = score + functional.softplus(evidence + numbers["image_bias"])
        likely = score.log_softmax(1).masked_fill(~self.answers, -torch.inf).logsumexp(1)
        return -torch.logaddexp(likely, torch.tensor(_LOST)).mean()


def _or_least(asked: Sequence[Asked], lane: str) -> Tensor | None:
    """Return a lane of cosines, (Q, N), the least there can be for a unit without figures."""
    stacked = _stacked(asked, lane)
    return None if stacked is None else stacked.nan_to_num(-1.0)


def _stacked(asked: Sequence[Asked], lane: str) -> Tensor | None:
    if lane not in asked[0].lanes:
        return None
    return torch.from_numpy(np.stack([one.lanes[lane] for one in asked]))
