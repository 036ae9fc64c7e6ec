"""Modality dropout: rows with text and image lose one of them, so that models learn to do without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from plait.errors import InputError, ShapeError

Features = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModalityDropout:
    """How often a row that has both loses its text, or its image; never both.

    Attributes:
        text, image: probabilities, whose sum is 1 at most.

    Raises:
        InputError: they are no such probabilities.
    """

    text: float = 0.0
    image: float = 0.0

    def __post_init__(self) -> None:
        if not (self.text >= 0 and self.image >= 0 and self.text + self.image <= 1):
            raise InputError(
                f"modality dropout of text is {self.text}, of images {self.image}: expected probabilities "
                "whose sum is 1 at most, for a row loses one of them and keeps the other"
            )

    def __bool__(self) -> bool:
        """Whether anything is ever dropped."""
        return bool(self.text or self.image)

    def __call__(self, features: Mapping[str, Any]) -> Features:
        """Return features of which some rows have lost a modality: no backbone runs for it.

        Draws as many numbers of torch's CPU generator as there are rows, or none if nothing is ever
        dropped: so a run that restores the generator's state drops the same.

        Args:
            features: as from `RetModule.preprocess`.

        Raises:
            InputError: features of a model that does not say which rows have text and which an image.
            ShapeError: pixels of other rows than those that have an image.
        """
        if not self:
            return dict(features)
        if "text_mask" not in features or "image_mask" not in features:
            raise InputError(
                f"the model's features are {', '.join(features)}, without text_mask and image_mask: modality "
                "dropout needs a ReT or ReT-2 encoder; set it to (0, 0) for others"
            )
        text, image = features["text_mask"] != 0, features["image_mask"] != 0
        drawn = torch.rand(len(text)).to(text.device)
        both = text & image
        no_text = both & (drawn < self.text)
        no_image = both & (drawn >= self.text) & (drawn < self.text + self.image)
        return _without_image(_without_text(dict(features), no_text), no_image)


def _without_text(features: Features, rows: Tensor) -> Features:
    """Return the features with all padding for the text of some rows; of no text, no tensors at all."""
    if not rows.any():
        return features
    features["text_mask"] = features["text_mask"].masked_fill(rows, 0)
    for name in ("input_ids", "attention_mask"):
        given = features.pop(name)
        if features["text_mask"].any():
            features[name] = given.masked_fill(rows[:, None], 0)
    return features


def _without_image(features: Features, rows: Tensor) -> Features:
    """Return the features without the pixels of some rows."""
    if not rows.any():
        return features
    had = features["image_mask"] != 0
    pixels = features.pop("pixel_values")
    if len(pixels) != int(had.sum()):
        raise ShapeError(f"pixels are of {len(pixels)} images, but {int(had.sum())} rows have one")
    features["image_mask"] = features["image_mask"].masked_fill(rows, 0)
    features["num_images_per_sample"] = features["image_mask"]
    if features["image_mask"].any():
        features["pixel_values"] = pixels[~rows[had]]
    return features
