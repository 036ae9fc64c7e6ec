"""Choices at random that are the same every time: each depends on the seed and on what it is for."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def generator(seed: int, *purpose: str) -> random.Random:
    """Return a generator of its own for a purpose, such as a row's place, whatever was drawn before."""
    return random.Random("\0".join((str(seed), *purpose)))


def drawn(options: Sequence[T], *, seed: int, purpose: str) -> T:
    """Return one of the options, each as likely as the others; they must not be empty."""
    return options[0] if len(options) == 1 else generator(seed, purpose).choice(options)
