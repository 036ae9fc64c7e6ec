"""A source in another order, which is the same every time."""

from __future__ import annotations

from collections.abc import Iterator

from plait.data.training.drawing import generator
from plait.data.training.examples import BadRow, Example, TrainingSource
from plait.data.training.files import Fingerprinted, fingerprint
from plait.errors import InputError


class Shuffled:
    """The rows of a source, shuffled as well as a buffer of some of them allows.

    Each row comes out at random among the `buffer` rows that wait: neighbours are parted, but none comes
    more than `buffer` rows early.

    Args:
        buffer: how many rows are held in memory; as many as there are shuffle them wholly.

    Raises:
        InputError: a buffer of none.
    """

    def __init__(self, source: TrainingSource, *, seed: int = 0, buffer: int = 10_000) -> None:
        if buffer < 1:
            raise InputError(f"a buffer of {buffer} rows: expected 1 or more")
        self.source = source
        self.seed = seed
        self.buffer = buffer

    @property
    def name(self) -> str:
        """The source's."""
        return self.source.name

    def __iter__(self) -> Iterator[Example | BadRow]:
        draws = generator(self.seed, "order")
        waiting: list[Example | BadRow] = []
        for row in self.source:
            if len(waiting) < self.buffer:
                waiting.append(row)
                continue
            place = draws.randrange(self.buffer)
            waiting[place], row = row, waiting[place]
            yield row
        draws.shuffle(waiting)
        yield from waiting

    def fingerprint(self) -> str | None:
        """Return a hash of the source's and the settings; None where the source has none."""
        inner = self.source.fingerprint() if isinstance(self.source, Fingerprinted) else None
        return fingerprint("shuffled", inner, self.seed, self.buffer) if inner else None
