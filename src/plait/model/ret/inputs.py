"""A batch of inputs to ReT, any of which may lack text or image."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from plait.errors import ShapeError


@dataclass(frozen=True, slots=True)
class RetInputs:
    """A batch of B inputs, each with text, an image, both or neither.

    Attributes:
        input_ids, attention_mask: (B, n), or (P, n) for only the P rows that have text; right-padded.
        pixel_values: (B, 3, height, width), or (P, 3, height, width) for only the rows with an image.
        text_mask, image_mask: (B,), nonzero where the row has the modality; None: every row does,
            or none when its tensors are not given.
    """

    input_ids: Tensor | None = None
    attention_mask: Tensor | None = None
    pixel_values: Tensor | None = None
    text_mask: Tensor | None = None
    image_mask: Tensor | None = None

    @property
    def batch(self) -> int:
        """B.

        Raises:
            ShapeError: nothing given, or masks of different lengths.
        """
        text = self.input_ids if self.text_mask is None else self.text_mask
        image = self.pixel_values if self.image_mask is None else self.image_mask
        rows = [len(modality) for modality in (text, image) if modality is not None]
        if not rows:
            raise ShapeError("nothing to encode: give input_ids, pixel_values, or a mask of zeros")
        if len(set(rows)) > 1:
            raise ShapeError(f"texts and images disagree about the batch: {rows[0]} and {rows[1]} rows")
        return rows[0]


def present_rows(mask: Tensor | None) -> Tensor | None:
    """Return the rows a mask marks, (P,); None when it marks all or there is none."""
    if mask is None or bool((mask != 0).all()):
        return None
    return mask.nonzero().squeeze(1)


def take(values: Tensor, mask: Tensor | None, rows: Tensor | None) -> Tensor:
    """Return the marked rows of `values`, which may already hold only those.

    Raises:
        ShapeError: it holds neither all rows nor only those.
    """
    given, batch = len(values), len(values) if mask is None else len(mask)
    present = batch if rows is None else len(rows)
    if given == batch and rows is not None:
        return values[rows]
    if given != present:
        raise ShapeError(
            f"got {given} rows of inputs, expected {batch}, or only the {present} that the mask marks"
        )
    return values


def expect_none(rows: Tensor | None, mask: Tensor | None, name: str) -> None:
    """Check that nothing is marked of a modality whose tensors were not given.

    Raises:
        ShapeError: the mask marks rows.
    """
    if mask is not None and (rows is None or len(rows)):
        raise ShapeError(f"the {name} mask marks rows with {name}, but no {name} tensors were given")
