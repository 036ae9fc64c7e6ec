"""Fitting the mixture: the answer to every self-made question should be the likeliest unit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from plait.scoring.mixture import MixtureParameters, mixture
from plait.train.mini.lanes import Asked
from plait.train.mini.queries import KINDS

_START = MixtureParameters()
# Trusting a picture that is not there costs most, and with the other kinds nearly solved they would
# otherwise outvote this one: x 8 gives +2.4 MRR here for -2.1 where the words are vague.
_WEIGHTS = {"removed": 8.0}
_LOST = -8.0  # log-likelihood below which an answer is beyond help and pulls no more


def fit_mixture(
    manuals: Sequence[Sequence[Asked]], *, steps: int = 60, pull: float = 1e-3
) -> MixtureParameters:
    """Return the parameters that make the answers likeliest, each manual counting the same.

    Args:
        manuals: the questions of each manual.
        steps: of L-BFGS.
        pull: towards the defaults, on the squared logarithm of each factor.
    """
    batches = [_Batch(asked) for questions in manuals for asked in _by_kind(questions)]
    shift = torch.zeros(5, requires_grad=True)
    optimiser = torch.optim.LBFGS([shift], max_iter=steps, history_size=20, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        total = sum((batch.weight * batch.loss(_numbers(shift)) for batch in batches), torch.zeros(())) / len(
            manuals
        )
        total = total + pull * shift.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    numbers = [float(number) for number in _numbers(shift.detach())]
    names = ("text", "bm25", "image_tokens", "image", "image_bias")
    return MixtureParameters(**{name: round(v, 3) for name, v in zip(names, numbers, strict=True)})


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


def _numbers(shift: Tensor) -> tuple[Tensor, ...]:
    """Return the five parameters: factors stay positive, the bias is free."""
    factors = torch.tensor([_START.text, _START.bm25, _START.image_tokens, _START.image]) * shift[:4].exp()
    return (*factors, _START.image_bias + 10 * shift[4])


def _by_kind(questions: Sequence[Asked]) -> list[list[Asked]]:
    return [found for kind in KINDS if (found := [asked for asked in questions if asked.kind == kind])]


class _Batch:
    """The questions of one kind about one manual, as tensors (Q, N)."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        self.weight = _WEIGHTS.get(asked[0].kind, 1.0)
        self.answers = torch.from_numpy(np.stack([one.answers for one in asked]))
        self.text, self.bm25 = _stacked(asked, "text"), _stacked(asked, "bm25")
        self.tokens, self.image = _stacked(asked, "image_tokens"), _stacked(asked, "image")

    def loss(self, numbers: tuple[Tensor, ...]) -> Tensor:
        """Return the mean negative log-likelihood of the answers, levelled off where they are lost."""
        text, bm25, tokens, image, bias = numbers
        score = torch.zeros(self.answers.shape)
        if self.text is not None and self.bm25 is not None:
            filled = torch.where(self.text.isnan(), self.text.nanmean(1, keepdim=True), self.text)
            score = score + text * filled + bm25 * self.bm25
        if self.tokens is not None and self.image is not None:
            evidence = tokens * self.tokens.nan_to_num(-1.0) + image * self.image.nan_to_num(-1.0) + bias
            score = score + functional.softplus(evidence)
        likely = score.log_softmax(1).masked_fill(~self.answers, -torch.inf).logsumexp(1)
        return -torch.logaddexp(likely, torch.tensor(_LOST)).mean()


def _stacked(asked: Sequence[Asked], lane: str) -> Tensor | None:
    if lane not in asked[0].lanes:
        return None
    return torch.from_numpy(np.stack([one.lanes[lane] for one in asked]))
