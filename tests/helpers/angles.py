"""An encoder whose every rank is known: it sees an angle in words or in a picture's name, no more."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from plait.data.training.examples import Side
from plait.encode.side_vectors import NOTHING, WHOLE, Encoded
from plait.encode.sides import Role
from plait.evaluation.protocols.side_encoders import MODEL

_ANGLE = re.compile(r"at[ -](\d+)")


@dataclass
class Angles:
    """Implements `SideEncoder`: "at 30" in the words, or else "at-30" in the picture's name, is 30 degrees.

    What is nearer in angle scores higher. Angles that differ by less than three degrees may tie in float16.

    Attributes:
        seen: every side that was encoded, in order.
        fails_at: after so many sides the user interrupts.
    """

    fingerprint: str = "angles-1"
    instructed: bool = True
    fails_at: int | None = None
    widths: Mapping[str, int] = field(default_factory=lambda: {MODEL: 2})
    seen: list[tuple[Role, Side]] = field(default_factory=list)

    def encode(self, sides: Sequence[Side], role: Role) -> Mapping[str, Sequence[Encoded]]:
        if self.fails_at is not None and len(self.seen) >= self.fails_at:
            raise KeyboardInterrupt
        self.seen += [(role, side) for side in sides]
        return {MODEL: [_encoded(side) for side in sides]}


def _encoded(side: Side) -> Encoded:
    match = _ANGLE.search(side.text) or _ANGLE.search(side.image)
    if match is None:
        return Encoded(np.zeros((0, 2), np.float16), NOTHING, 0)
    angle = math.radians(int(match[1]))
    return Encoded(np.array([[math.cos(angle), math.sin(angle)]], np.float16), WHOLE, 0)
