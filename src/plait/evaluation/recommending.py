"""Which way of combining lanes serves queries best: chosen on half of their groups, confirmed on the rest.

Candidates are a coarse grid: each method with every lane at weight 1, then with one lane at 0, 0.5 or 2; then
the best of them with one more lane changed, as long as that helps, twice at most. The best by mean reciprocal
rank, kinds counting alike, or a simpler one that is not clearly worse, is compared with what is there on the
half of the groups that had no say. It is recommended if the 95 % interval of its gain there lies above 0.
Kinds of few queries have no say.

Groups are what queries have in common, their documents: they are drawn into halves, and resampled, whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from plait.evaluation.intervals import Interval, bootstrap
from plait.index.base import Scores
from plait.scoring.mixture import MixtureParameters
from plait.search.comparing import evident
from plait.search.fusion import Method, Weights, check_method, check_weights, fuse

FEWEST_GROUPS = 20  # fewer do not tell chance from gain when half of them confirm
FEWEST_QUERIES = 40
FEWEST_OF_A_KIND = 20  # a kind of fewer would count as much as the others, and say little
DEPTH = 100  # a relevant unit below this rank is not found
_STEPS = (0.0, 0.5, 2.0)
_MORE_LANES = 2  # changed after the first

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Scored:
    """A query with what every lane says.

    Attributes:
        group: what it shares with others, such as its document.
        lanes: lane -> (N,) raw scores of those the query asks.
        relevant: rows of the units that answer it.
    """

    kind: str
    group: str
    lanes: Mapping[str, Scores]
    relevant: Rows


@dataclass(frozen=True, slots=True)
class Fusion:
    """One way to combine lanes.

    Attributes:
        weights: lanes that do not count 1.

    Raises:
        InputError: an unknown method, or a weight below 0.
    """

    method: Method = "gated"
    weights: Weights = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_method(self.method)
        check_weights(self.weights)

    def __str__(self) -> str:
        """Return it in words: "gated, bm25 x 2, image left out"."""
        said = (
            f"{lane} x {times:g}" if times else f"{lane} left out" for lane, times in self.weights.items()
        )
        return ", ".join((self.method, *said))

    @property
    def settings(self) -> str:
        """The lines of settings.toml that make it a library's own."""
        weights = ", ".join(f"{lane}={times:g}" for lane, times in self.weights.items())
        return f'method = "{self.method}"\nlane_weights = "{weights}"'

    def scores(self, lanes: Mapping[str, Scores], mixture: MixtureParameters | None) -> Scores | None:
        """Return (N,) scores, NaN where no lane speaks; None if every lane that is asked is left out."""
        heard = {name: scores for name, scores in lanes.items() if self.weights.get(name, 1.0)}
        if not heard:
            return None
        fused = fuse(heard, method=self.method, parameters=mixture, weights=self.weights or None)
        fused[~evident(heard)] = np.nan
        return fused


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do, and how sure that is.

    Attributes:
        best: the fusion to use; None to keep what is there.
        candidate: the best of the choosing half, whether it was confirmed or not; None if nothing was tried.
        kinds: of queries that had a say.
        tried: fusions that were compared.
        chosen_on, confirmed_on: queries of each half.
        gain: of the candidate's mean reciprocal rank over what is there, on the confirming half.
        reason: why, in a sentence.
    """

    best: Fusion | None
    candidate: Fusion | None
    kinds: tuple[str, ...]
    tried: int
    chosen_on: int
    confirmed_on: int
    gain: Interval | None
    reason: str


def recommend(
    queries: Sequence[Scored],
    *,
    ids: Sequence[str],
    lanes: Sequence[str],
    mixture: MixtureParameters | None,
    current: Fusion | None = None,
    seed: int = 0,
) -> Recommendation:
    """Return which fusion of lanes to use.

    Args:
        ids: (N,) of the units; equal scores are ranked by them, as `measures.ranking` does.
        lanes: every lane there is.
        mixture: of the encoder.
        current: what candidates are compared with; None means plait's default.
        seed: of the halves and of the interval.
    """
    current = current or Fusion()
    counts = Counter(query.kind for query in queries)
    kinds = tuple(kind for kind, count in counts.items() if count >= FEWEST_OF_A_KIND)
    queries = [query for query in queries if query.kind in kinds]
    groups = Counter(query.group for query in queries)
    if len(groups) < FEWEST_GROUPS or len(queries) < FEWEST_QUERIES:
        return _keep(
            f"there are {len(queries)} queries from {len(groups)} documents to choose and confirm by; "
            f"expected {FEWEST_QUERIES} from {FEWEST_GROUPS} or more, of kinds with {FEWEST_OF_A_KIND} each"
        )
    chosen = half_of(groups, np.random.default_rng(seed))
    choosing = [query for query in queries if query.group in chosen]
    confirming = [query for query in queries if query.group not in chosen]
    search = _Search(choosing, precedence_of(ids), lanes, mixture)
    candidate = search.simplest(current, seed=seed)
    tried = len(search.tried)
    if candidate == current:
        reason = f"none of {tried} ways to combine lanes did better on half of the documents"
        return _keep(reason, kinds, candidate, tried, len(choosing), len(confirming))
    gain = gain_of(confirming, precedence_of(ids), mixture, current, candidate, seed=seed)
    best = candidate if gain.low > 0 else None
    reason = (
        "its gain was confirmed on documents that it was not chosen on"
        if best
        else "its gain was not confirmed on documents that it was not chosen on"
    )
    return Recommendation(best, candidate, kinds, tried, len(choosing), len(confirming), gain, reason)


def half_of(groups: Mapping[str, int], rng: np.random.Generator) -> set[str]:
    """Return groups drawn at random that hold about half of the queries."""
    names = sorted(groups)
    drawn = [names[place] for place in rng.permutation(len(names))]
    halves: tuple[list[str], list[str]] = ([], [])
    for name in sorted(drawn, key=lambda one: -groups[one]):  # the large first, so that the small fill up
        min(halves, key=lambda half: sum(groups[one] for one in half)).append(name)
    return set(halves[0])


def reciprocal_rank(scores: Scores | None, relevant: Rows, precedence: NDArray[np.int64]) -> float:
    """Return 1 / rank of the first relevant unit, 0 if 100 others are before it.

    Args:
        scores: (N,) fused, NaN where nothing was found; None if nothing was asked.
        precedence: (N,) of equal scores, the one with more of it comes first.
    """
    if scores is None:
        return 0.0
    found = relevant[~np.isnan(scores[relevant])]
    if not len(found):
        return 0.0
    first = max(found, key=lambda row: (scores[row], precedence[row]))
    before = (scores > scores[first]) | ((scores == scores[first]) & (precedence > precedence[first]))
    rank = 1 + int(np.count_nonzero(before))
    return 1 / rank if rank <= DEPTH else 0.0


class _Search:
    """A coarse search of the grid, remembering the mean of each candidate."""

    def __init__(
        self,
        queries: Sequence[Scored],
        precedence: NDArray[np.int64],
        lanes: Sequence[str],
        mixture: MixtureParameters | None,
    ) -> None:
        self._queries = queries
        self._precedence = precedence
        self._lanes = lanes
        self._mixture = mixture
        self.tried: dict[str, Fusion] = {}
        self.means: dict[str, float] = {}

    def simplest(self, current: Fusion, *, seed: int) -> Fusion:
        """Return the best, or one of fewer weights that is better than `current` and not clearly worse."""
        best = self.best(current)
        for weights in range(len(best.weights)):
            simpler = [one for one in self.tried.values() if len(one.weights) == weights and one != current]
            candidate = self._best(simpler) if simpler else current
            if self._mean(candidate) > self._mean(current):
                more = gain_of(self._queries, self._precedence, self._mixture, candidate, best, seed=seed)
                if more.low <= 0:
                    return candidate
        return best

    def best(self, current: Fusion) -> Fusion:
        """Return the best candidate; `current` where none is better."""
        plain = [current, *(Fusion(method) for method in get_args(Method))]
        best = self._best([*plain, *(one for each in plain for one in self._beside(each))])
        for _ in range(_MORE_LANES):
            better = self._best([best, *self._beside(best)])
            if better == best:
                break
            best = better
        return best

    def _beside(self, fusion: Fusion) -> Iterator[Fusion]:
        """Yield fusions in which one lane more is changed."""
        for lane in self._lanes:
            if lane not in fusion.weights:
                for times in _STEPS:
                    yield Fusion(fusion.method, {**fusion.weights, lane: times})

    def _best(self, candidates: Sequence[Fusion]) -> Fusion:
        """Return the candidate of the highest mean, the first of equals."""
        return max(candidates, key=self._mean)

    def _mean(self, fusion: Fusion) -> float:
        if str(fusion) not in self.means:
            values = _values(self._queries, self._precedence, self._mixture, fusion)
            self.tried[str(fusion)] = fusion
            self.means[str(fusion)] = float(np.dot(_shares(self._queries), values))
        return self.means[str(fusion)]


def _values(
    queries: Sequence[Scored],
    precedence: NDArray[np.int64],
    mixture: MixtureParameters | None,
    fusion: Fusion,
) -> NDArray[np.float64]:
    """Return (queries,) reciprocal ranks."""
    ranks = (
        reciprocal_rank(fusion.scores(query.lanes, mixture), query.relevant, precedence) for query in queries
    )
    return np.fromiter(ranks, np.float64, len(queries))


def _shares(queries: Sequence[Scored]) -> NDArray[np.float64]:
    """Return (queries,) what each counts in a mean to which all kinds add alike; they sum to 1."""
    counts = Counter(query.kind for query in queries)
    return np.array([1 / len(counts) / counts[query.kind] for query in queries])


def gain_of(
    queries: Sequence[Scored],
    precedence: NDArray[np.int64],
    mixture: MixtureParameters | None,
    before: Fusion,
    after: Fusion,
    *,
    seed: int,
) -> Interval:
    """Return the difference of the means with an interval over groups: queries of one are alike."""
    values = [_values(queries, precedence, mixture, fusion) for fusion in (before, after)]
    parts = _shares(queries) * (values[1] - values[0])
    of_group: Counter[str] = Counter()
    for query, part in zip(queries, parts, strict=True):
        of_group[query.group] += part
    return bootstrap([len(of_group) * part for part in of_group.values()], seed=seed)


def precedence_of(ids: Sequence[str]) -> NDArray[np.int64]:
    """Return (N,) the place of each id in ascending order: of equal scores the greater id comes first."""
    precedence = np.empty(len(ids), np.int64)
    precedence[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids))
    return precedence


def _keep(
    reason: str,
    kinds: tuple[str, ...] = (),
    candidate: Fusion | None = None,
    tried: int = 0,
    chosen_on: int = 0,
    confirmed_on: int = 0,
) -> Recommendation:
    return Recommendation(None, candidate, kinds, tried, chosen_on, confirmed_on, None, reason)
