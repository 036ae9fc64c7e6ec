"""Which rows make a batch: an order that follows from seed and epoch alone, so that it can be resumed."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from sentence_transformers.base.sampler import DefaultBatchSampler
from torch.utils.data import Sampler


class ShuffledBatches(DefaultBatchSampler):  # type: ignore[misc]  # sentence-transformers is not typed
    """Batches of an epoch: all rows in an order of the seed and the epoch, but the few left over.

    The samplers of sentence-transformers go on from where their generator stands, so that a resumed run
    would see later epochs in another order.

    Args:
        rows: how many rows there are.
        batch_size: of one process; process p of P gets batches p, p + P, ...
        seed: of the order.
    """

    def __init__(self, rows: int, *, batch_size: int, seed: int) -> None:
        super().__init__(_Rows(rows), batch_size=batch_size, drop_last=True, seed=seed)
        self.rows = rows

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(self.rows, generator=generator).tolist()
        for start in range(0, self.rows - self.batch_size + 1, self.batch_size):
            yield order[start : start + self.batch_size]


class _Rows(Sampler[int]):
    """Row numbers in order: what a batch sampler is asked for its length."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.rows))

    def __len__(self) -> int:
        return self.rows
