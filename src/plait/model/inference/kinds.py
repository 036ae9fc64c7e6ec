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


def kinds(batch: int, text: Seen | None, vision: Seen | None) -> list[Kind]:
    """Return the kinds of a batch, each row in one of them."""
    if (text is None or text.rows is None) and (vision is None or vision.rows is None):
        whole = [None if seen is None else seen.steps for seen in (text, vision)]
        return [Kind(None, batch, *whole)]
    has_text, has_image = _has(text, batch), _has(vision, batch)
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


def _has(seen: Seen | None, batch: int) -> Tensor:
    """Return (B,) whether each row has the modality."""
    if seen is None:
        return torch.zeros(batch, dtype=torch.bool)
    has = torch.ones(batch, dtype=torch.bool, device=seen.steps[0].values.device)
    return has if seen.rows is None else torch.zeros_like(has).index_fill(0, seen.rows, True)


def _of(seen: Seen | None, rows: Tensor) -> Steps:
    """Return the states of some rows of the batch, all of which have the modality."""
    assert seen is not None
    at = rows if seen.rows is None else torch.searchsorted(seen.rows, rows)
    return [LayerStates(step.values[at], None if step.mask is None else step.mask[at]) for step in seen.steps]
