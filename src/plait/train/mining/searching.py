"""For each row, every document scored and the best ones kept: nothing is left to an index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from plait.data.whole_files import whole
from plait.encode.side_vectors import WHOLE, Vectors
from plait.evaluation.pool.best import Best
from plait.scoring.maxsim import maxsim
from plait.train.mining.corpus import Corpus

ROWS_AT_ONCE = 1024
_SIMILARITIES = 2**24  # held at a time, 64 MB
_BLOCK_TOKENS, _BLOCK_NUMBERS = 2**15, 2**23  # of documents, held at a time; 32 MB

_Block = tuple[int, int, Tensor, Tensor | None]  # documents from, to; (N, n, d); their mask


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for R rows. Documents that are known to answer a row are not among its candidates.

    Attributes:
        relevant: (R,) score of each row's most relevant document; NaN where it or the query is unreadable.
        rank: (R,) of that document, 1 the best, 0 where there is no score.
        places: (R, K) numbers of the best candidates, best first.
        scores: (R, K) theirs, higher is better; -inf where there are fewer than K.
        wrong_places, wrong_scores: (R, K) of the best candidates of another modality that score more than the
            relevant document; (R, 0) where modality is not looked at.
    """

    relevant: NDArray[np.float32]
    rank: NDArray[np.int64]
    places: NDArray[np.int64]
    scores: NDArray[np.float32]
    wrong_places: NDArray[np.int64]
    wrong_scores: NDArray[np.float32]

    def save(self, file: Path) -> None:
        """Write it, whole or not at all."""
        with whole(file) as part, part.open("wb") as stream:
            np.savez(stream, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, file: Path) -> Found:
        """Return what `save` wrote."""
        with np.load(file) as stored:
            return cls(**{field.name: stored[field.name] for field in fields(cls)})


class Search:
    """Scores rows' queries against all documents, by MaxSim; of one vector a side, that is the inner product.

    Memory holds the vectors of `ROWS_AT_ONCE` queries and of a block of documents, 64 MB of similarities, and
    what is found: it does not grow with the corpus.

    Attributes:
        name: of what it looks for.
        queries, documents: as given.

    Args:
        queries, documents: of the corpus.
        count: K.
        by_modality: whether candidates of another modality than the relevant document are kept apart.
        device: of torch.
    """

    def __init__(
        self,
        corpus: Corpus,
        queries: Vectors,
        documents: Vectors,
        *,
        count: int,
        by_modality: bool,
        device: str,
    ) -> None:
        self.name = f"{count}-{'by-modality' if by_modality else 'all'}"
        self.queries, self.documents = queries, documents
        self._corpus = corpus
        self._count, self._by_modality, self._device = count, by_modality, device
        self._unusable = torch.from_numpy(documents.states != WHOLE).to(device)
        self._kinds = torch.from_numpy(corpus.kinds).to(device)

    def found(self, start: int, stop: int) -> Found:
        """Return what is found for the rows from `start` to `stop`."""
        asked, best = self._corpus.query[start:stop], self._corpus.best[start:stop]
        queries = self._stacked(self.queries, asked)[0]
        relevant = self._pairs(queries, best)
        damaged = (self.queries.states[asked] != WHOLE) | (self.documents.states[best] != WHOLE)
        relevant[torch.from_numpy(damaged)] = torch.nan
        state = _State(relevant, self._kinds[torch.from_numpy(best).to(self._device)], self._count)
        row, answer = self._known(start, stop)
        for first, last, block, mask in self._blocks():
            at, until = np.searchsorted(answer, [first, last])
            columns = answer[at:until] - first
            self._scan(state, queries, block, mask, first, last, (row[at:until], columns))
        return state.found(self._by_modality)

    def pair_scores(self, query: int, documents: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return (N,) scores of some documents for one query."""
        asked = self._stacked(self.queries, np.array([query]))[0]
        return self._pairs(asked.expand(len(documents), -1, -1), documents).cpu().numpy()

    def _pairs(self, queries: Tensor, documents: NDArray[np.int64]) -> Tensor:
        """Return (Q,) scores of each query for its own document; NaN where that gives no vector."""
        scores = torch.full((len(queries),), torch.nan, device=self._device)
        at_once = 64
        for start in range(0, len(queries), at_once):
            vectors, mask = self._stacked(self.documents, documents[start : start + at_once])
            similar = queries[start : start + at_once] @ vectors.transpose(1, 2)  # (Q, q, n)
            if mask is not None:
                similar = similar.masked_fill(~mask[:, None, :], -torch.inf)
            scores[start : start + at_once] = similar.amax(2).sum(1)
        return scores.masked_fill(scores == -torch.inf, torch.nan)

    def _known(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (P,) rows, counted from `start`, and (P,) documents known to answer them, which go up."""
        answers = [self._corpus.answers(row) for row in range(start, stop)]
        row = np.repeat(np.arange(stop - start), [len(one) for one in answers])
        answer = np.concatenate(answers)
        order = np.argsort(answer, kind="stable")
        return row[order], answer[order]

    def _blocks(self) -> Iterator[_Block]:
        """Yield all documents, a block at a time."""
        starts, width = self.documents.starts, self.documents.numbers.shape[1]
        tokens = min(_BLOCK_TOKENS, _BLOCK_NUMBERS // width)
        first = 0
        while first < len(self.documents):
            last = max(first + 1, int(np.searchsorted(starts, starts[first] + tokens, side="right")) - 1)
            last = min(last, len(self.documents))
            vectors, mask = self._stacked(self.documents, np.arange(first, last))
            yield first, last, vectors, mask
            first = last

    def _scan(
        self,
        state: _State,
        queries: Tensor,
        block: Tensor,
        mask: Tensor | None,
        first: int,
        last: int,
        known: tuple[NDArray[np.int64], NDArray[np.int64]],
    ) -> None:
        """Score all queries against a block, and keep the best."""
        at_once = max(1, _SIMILARITIES // (queries.shape[1] * block.shape[0] * block.shape[1]))
        kinds, unusable = self._kinds[first:last], self._unusable[first:last]
        rows, columns = known
        for start in range(0, len(queries), at_once):
            part = slice(start, start + at_once)
            scores: Tensor = maxsim(queries[part], block, mask)
            scores[:, unusable] = -torch.inf
            ours = (rows >= start) & (rows < start + at_once)
            scores[torch.from_numpy(rows[ours] - start), torch.from_numpy(columns[ours])] = -torch.inf
            state.keep(part, scores, first, kinds if self._by_modality else None)

    def _stacked(self, vectors: Vectors, sides: NDArray[np.int64]) -> tuple[Tensor, Tensor | None]:
        """Return (N, n, d) of some sides, zeros at padding, n at least 1; and (N, n) their mask, if any."""
        counts = (vectors.starts[sides + 1] - vectors.starts[sides]).astype(np.int64)
        longest, shortest = max(1, int(counts.max())), int(counts.min())
        consecutive = bool((np.diff(sides) == 1).all())
        if shortest == longest and consecutive:
            numbers: Any = vectors.numbers[vectors.starts[sides[0]] : vectors.starts[sides[-1] + 1]]
            padded = np.array(numbers).reshape(len(sides), longest, -1)
        else:
            padded = np.zeros((len(sides), longest, vectors.numbers.shape[1]), dtype=np.float16)
            for row, side in enumerate(sides.tolist()):
                padded[row, : counts[row]] = vectors.of(side)
        found = torch.from_numpy(padded).to(self._device).float()
        if shortest == longest:
            return found, None
        mask = torch.from_numpy(np.arange(longest)[None, :] < counts[:, None])
        return found, mask.to(self._device)


class _State:
    """The best so far of R rows.

    Args:
        relevant: (R,) scores of the relevant documents.
        wished: (R,) their kinds.
        count: K.
    """

    def __init__(self, relevant: Tensor, wished: Tensor, count: int) -> None:
        self._relevant, self._wished = relevant, wished
        self._ahead = torch.zeros(len(relevant), dtype=torch.int64, device=relevant.device)
        self._right, self._wrong = (Best(len(relevant), count) for _ in range(2))

    def keep(self, part: slice, scores: Tensor, first: int, kinds: Tensor | None) -> None:
        """Take in (Q, N) scores of some rows for the documents from `first` on, of some kinds."""
        ahead = scores > self._relevant[part, None]
        self._ahead[part] += ahead.sum(1)
        if kinds is None:
            self._right.keep(scores, first, part)
            return
        right = kinds[None, :] == self._wished[part, None]
        self._right.keep(scores.masked_fill(~right, -torch.inf), first, part)
        self._wrong.keep(scores.masked_fill(right | ~ahead, -torch.inf), first, part)

    def found(self, by_modality: bool) -> Found:
        """Return the best."""
        scored = ~torch.isnan(self._relevant)
        places, scores = self._right.sorted()
        wrong_places, wrong_scores = self._wrong.sorted()
        width = None if by_modality else 0
        return Found(
            relevant=self._relevant.cpu().numpy(),
            rank=torch.where(scored, self._ahead + 1, 0).cpu().numpy(),
            places=places,
            scores=scores,
            wrong_places=wrong_places[:, :width],
            wrong_scores=wrong_scores[:, :width],
        )
