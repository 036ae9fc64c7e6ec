"""Several sources as one: repeated or sampled to exact numbers of rows, and mixed evenly."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from plait.data.training.drawing import generator
from plait.data.training.examples import BadRow, Example, TrainingSource
from plait.data.training.files import Fingerprinted, check_names, fingerprint
from plait.errors import InputError


@dataclass(frozen=True, slots=True)
class Part:
    """A source and how much of it goes into a mixture.

    Attributes:
        repeats: how many times it is taken.
        rows: instead, exactly how many rows: as many whole repetitions as fit, and of one more as many
            as lack, drawn without replacement. None: as `repeats` says.

    Raises:
        InputError: fewer than one of either, or both.
    """

    source: TrainingSource
    repeats: int = 1
    rows: int | None = None

    def __post_init__(self) -> None:
        if self.repeats < 1 or (self.rows is not None and self.rows < 1):
            raise InputError(
                f"{self.source.name}: repeats {self.repeats}, rows {self.rows}: expected 1 or more; leave a "
                "source out that you do not want"
            )
        if self.repeats > 1 and self.rows is not None:
            raise InputError(f"{self.source.name}: give repeats or rows, not both")


class Mixture:
    """The rows of several sources, each in its own order, mixed so that any stretch holds all in proportion.

    Sources are read twice, first to count their rows. The ids of repeated rows get "#2", "#3", ...; bad
    rows come once. Repetitions are alike: to draw other positives each time, list a source several
    times, with other seeds and names.

    Args:
        parts: their sources' names are what the examples carry.
        seed: of which rows are drawn, and of the order in which sources take turns.

    Raises:
        InputError: no parts, or sources of one name; when read, rows wanted of a source that has none.
    """

    def __init__(self, parts: Sequence[Part], *, name: str = "mixture", seed: int = 0) -> None:
        if not parts:
            raise InputError(f"the mixture {name!r} has no parts: give at least one source")
        check_names([part.source for part in parts])
        self.parts = tuple(parts)
        self.name = name
        self.seed = seed

    def __iter__(self) -> Iterator[Example | BadRow]:
        turns = generator(self.seed, self.name)
        streams = [
            _stream(part, size, generator(self.seed, f"part {number}"))
            for number, (part, size) in enumerate(zip(self.parts, self.sizes, strict=True))
        ]
        left = [part.rows or part.repeats * size for part, size in zip(self.parts, self.sizes, strict=True)]
        while any(left):
            (chosen,) = turns.choices(range(len(left)), left)
            left[chosen] -= 1
            yield from _up_to_next_example(streams[chosen])
        for stream in streams:
            yield from stream  # the bad rows at its end

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many examples each part's source has; counted once.

        Raises:
            InputError: a part wants rows of a source that has none.
        """
        sizes = tuple(sum(isinstance(row, Example) for row in part.source) for part in self.parts)
        for part, size in zip(self.parts, sizes, strict=True):
            if part.rows and not size:
                raise InputError(f"{part.source.name}: {part.rows:,} rows wanted, but none can be used")
        return sizes

    def fingerprint(self) -> str | None:
        """Return a hash of the parts and the settings; None where a source cannot tell its own."""
        prints = [part.source.fingerprint() for part in self.parts if isinstance(part.source, Fingerprinted)]
        if len(prints) < len(self.parts) or None in prints:
            return None
        amounts = [(part.source.name, part.repeats, part.rows) for part in self.parts]
        return fingerprint("mixture", self.name, self.seed, prints, amounts)


def weighted(
    sources: Sequence[tuple[TrainingSource, float]], *, rows: int, name: str = "mixture", seed: int = 0
) -> Mixture:
    """Return a mixture of so many rows in all, shared out by weight to within one row.

    Args:
        sources: each with its weight, above 0.

    Raises:
        InputError: a weight of 0 or less, or too few rows for each source to have one.
    """
    total = sum(weight for _, weight in sources)
    if not sources or min(weight for _, weight in sources) <= 0:
        raise InputError(f"weights {[weight for _, weight in sources]}: expected numbers above 0")
    shares = [rows * weight / total for _, weight in sources]
    counts = [int(share) for share in shares]
    by_rest = sorted(range(len(shares)), key=lambda k: counts[k] - shares[k])
    for k in by_rest[: rows - sum(counts)]:
        counts[k] += 1
    if min(counts) < 1:
        raise InputError(f"{rows:,} rows give some of the {len(sources)} sources none: ask for more")
    parts = [Part(source, rows=count) for (source, _), count in zip(sources, counts, strict=True)]
    return Mixture(parts, name=name, seed=seed)


def _stream(part: Part, size: int, draws: random.Random) -> Iterator[Example | BadRow]:
    """Yield the rows of a part: whole repetitions, then the sample."""
    if not size:
        yield from (_named(row, part, 0) for row in part.source)
        return
    whole, rest = divmod(part.rows or part.repeats * size, size)
    for repetition in range(whole + bool(rest)):
        rows = iter(part.source)
        for row in rows if repetition < whole else _sampled(rows, rest, size, draws):
            if isinstance(row, Example) or repetition == 0:
                yield _named(row, part, repetition)


def _sampled(
    rows: Iterator[Example | BadRow], wanted: int, size: int, draws: random.Random
) -> Iterator[Example | BadRow]:
    """Yield all bad rows and exactly `wanted` of `size` examples, each set of them as likely, in order.

    Source: selection sampling, Knuth, The Art of Computer Programming, volume 2, 3.4.2, algorithm S.
    """
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        if draws.random() * size < wanted:
            wanted -= 1
            yield row
        size -= 1


def _up_to_next_example(stream: Iterator[Example | BadRow]) -> Iterator[Example | BadRow]:
    for row in stream:
        yield row
        if isinstance(row, Example):
            return


def _named(row: Example | BadRow, part: Part, repetition: int) -> Example | BadRow:
    source = row.source or part.source.name
    if isinstance(row, BadRow):
        return replace(row, source=source)
    return replace(row, source=source, id=f"{row.id}#{repetition + 1}" if repetition else row.id)
