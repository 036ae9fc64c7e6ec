"""A batch of ReT taken apart: into parts of few rows, and by kind: text, image, both, neither."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from plait.model.recurrence import LayerStates
from plait.model.ret.inputs import RetInputs, present_rows, take
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
    return [LayerStates(step.values[at], None if step.mask is None else step.mask[at]) for step in seen.steps]


Part = tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None, Tensor | None]


def in_parts(inputs: RetInputs, most: int) -> list[Part]:
    """Return the fields of the same inputs for at most so many rows of the batch at a time, in order.

    Raises:
        ShapeError: tensors that do not fit the masks.
    """
    batch = inputs.batch
    if batch <= most:
        return [_fields(inputs)]
    text, image = inputs.text_mask, inputs.image_mask
    words, shown, picture = (
        None if values is None else take(values, mask, present_rows(mask))
        for values, mask in (
            (inputs.input_ids, text),
            (inputs.attention_mask, text),
            (inputs.pixel_values, image),
        )
    )
    return [
        (
            _rows(words, text, at, at + most),
            _rows(shown, text, at, at + most),
            _rows(picture, image, at, at + most),
            None if text is None else text[at : at + most],
            None if image is None else image[at : at + most],
        )
        for at in range(0, batch, most)
    ]


def _rows(values: Tensor | None, mask: Tensor | None, start: int, stop: int) -> Tensor | None:
    """Return what some rows of the batch have of a modality; `values` holds only the rows that have it."""
    if values is None or mask is None:
        return None if values is None else values[start:stop]
    before, inside = int((mask[:start] != 0).sum()), int((mask[start:stop] != 0).sum())
    return values[before : before + inside]


def _fields(inputs: RetInputs) -> Part:
    return (
        inputs.input_ids,
        inputs.attention_mask,
        inputs.pixel_values,
        inputs.text_mask,
        inputs.image_mask,
    )
