"""The gated mixture of text and image scores: a product of beliefs that knows when one side is mute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class MixtureParameters:
    """Learned numbers of the mixture (see the helper's plan)."""


def mixture(lanes: Mapping[str, NDArray[np.float32]], parameters: MixtureParameters) -> NDArray[np.float32]:
    """Return (N,) log-beliefs, higher is better, from the lanes' (N,) raw scores (NaN: unit has none)."""
    raise NotImplementedError
