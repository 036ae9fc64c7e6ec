"""A batch of ReT taken apart by kind: with text, with an image, with both, with neither."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from plait.model.recurrence import LayerStates
from plait.model.ret.sides import Seen

Steps = list[LayerStates]


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows of a batch that have the same modalities.

    Attributes:
        rows: (P,) int64, which rows of the batch; None: all.
        count: P.
        text, vision: their states, a step each, of all P rows; None where they lack the modality.
    """

    rows: Tensor | None
    count: int
    text: Steps | None
    vision: Steps | None

    def parts(self, most: int | None) -> list[Kind]:
        """Return the same rows in order, at most so many a part; None: all in one."""
        if most is None or self.count <= most:
            return [self]
        return [self._part(slice(at, min(at + most, self.count))) for at in range(0, self.count, most)]

    def _part(self, rows: slice) -> Kind:
        return Kind(
            None if self.rows is None else self.rows[rows],
            rows.stop - rows.start,
            None if self.text is None else _taken(self.text, rows),
            None if self.vision is None else _taken(self.vision, rows),
        )


def kinds(batch: int, text: Seen | None, vision: Seen | None) -> list[Kind]:
    """Return the kinds of a batch, each row in one of them."""
    if (text is None or text.rows is None) and (vision is None or vision.rows is None):
        whole = [None if seen is None else seen.steps for seen in (text, vision)]
        return [Kind(None, batch, *whole)]
    device = next(seen.steps[0].values.device for seen in (text, vision) if seen is not None)
    has_text, has_image = _has(text, batch, device), _has(vision, batch, device)
    found = []
    for wants_text, wants_image in ((True, True), (True, False), (False, True), (False, False)):
        rows = ((has_text == wants_text) & (has_image == wants_image)).nonzero().squeeze(1)
        if len(rows):
            states = [
                _of(seen, rows) if wants else None
                for seen, wants in ((text, wants_text), (vision, wants_image))
            ]
            found.append(Kind(rows, len(rows), *states))
    return found


def _has(seen: Seen | None, batch: int, device: torch.device) -> Tensor:
    """Return (B,) whether each row has the modality."""
    has = torch.zeros(batch, dtype=torch.bool, device=device)
    if seen is None:
        return has
    return ~has if seen.rows is None else has.index_fill(0, seen.rows, True)


def _of(seen: Seen | None, rows: Tensor) -> Steps:
    """Return the states of some rows of the batch, all of which have the modality."""
    assert seen is not None
    at = rows if seen.rows is None else torch.searchsorted(seen.rows, rows)
    return _taken(seen.steps, at)


def _taken(steps: Steps, rows: Tensor | slice) -> Steps:
    return [LayerStates(step.values[rows], None if step.mask is None else step.mask[rows]) for step in steps]
