"""Texts and pictures to the tensors that ReT reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from PIL import Image as PillowImage
from torch import Tensor
from transformers import AutoTokenizer, CLIPConfig, CLIPImageProcessorPil

from plait.errors import InputError, ModelError


def _tokenizer(folder: str | os.PathLike[str]) -> Any:
    # Without a configuration the loader looks in the folder for a model type that it knows.
    return AutoTokenizer.from_pretrained(folder, config=CLIPConfig(), local_files_only=True)


def _image_processor(folder: str | os.PathLike[str]) -> Any:
    # Always through Pillow: with torchvision present, transformers' own choice would resample pictures
    # otherwise, and one machine's vectors would differ from another's.
    return CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True)


_PARTS = (
    ("tokenizer", _tokenizer, ("tokenizer.json", "vocab.json")),
    ("image processor", _image_processor, ("preprocessor_config.json", "processor_config.json")),
)
_ENDLESS = 10**6  # what tokenizers without a limit claim as their longest input is far above this


class RetProcessor:
    """A tokenizer and an image processor, loaded and saved together.

    Args:
        tokenizer: a transformers tokenizer; given anything beyond ids and mask, it is dropped.
        image_processor: a transformers image processor.
        max_tokens: longer texts are cut; None takes the tokenizer's own limit.

    Raises:
        ModelError: no limit given, and the tokenizer has none.
    """

    def __init__(self, tokenizer: Any, image_processor: Any, *, max_tokens: int | None = None) -> None:
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.max_tokens = max_tokens or tokenizer.model_max_length
        if self.max_tokens > _ENDLESS:
            raise ModelError("the tokenizer has no longest input: give max_tokens, 77 for CLIP")

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str], *, max_tokens: int | None = None) -> Self:
        """Return the processor stored in a folder beside a model.

        Raises:
            ModelError: the folder lacks tokenizer or image processor files, or they cannot be read.
        """
        loaded = []
        for part, loader, files in _PARTS:
            if not any((Path(folder) / file).is_file() for file in files):
                raise ModelError(
                    f"{folder} holds no {part} ({' or '.join(files)}): copy its files from the backbone that "
                    "the model was trained with"
                )
            try:
                loaded.append(loader(folder))
            except (OSError, ValueError, TypeError, KeyError) as error:
                raise ModelError(f"{folder}: its {part} cannot be loaded: {error}") from error
        return cls(*loaded, max_tokens=max_tokens)

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write both parts into a folder; the limit of tokens belongs to the tokenizer and goes with it."""
        self.tokenizer.model_max_length = self.max_tokens
        self.tokenizer.save_pretrained(folder)
        self.image_processor.save_pretrained(folder)

    def __call__(
        self,
        texts: Sequence[str | None] | None = None,
        images: Sequence[PillowImage.Image | None] | None = None,
    ) -> dict[str, Tensor]:
        """Return the inputs of `RetModel.forward` for B items, each a text, an image, or both.

        Args:
            texts, images: (B,) each, None (or "") where an item lacks one; None when all lack it.

        Returns:
            "text_mask" and "image_mask", (B,) int64, always; "input_ids" and "attention_mask",
            (P, n), for only the items with text; "pixel_values", (P, 3, height, width), for only those
            with an image. A modality that no item has gives no tensors but its mask.

        Raises:
            InputError: no items, texts and images unequally many, or an item with neither.
        """
        count = len(texts if texts is not None else images or ())
        texts = list(texts) if texts is not None else [None] * count
        images = list(images) if images is not None else [None] * count
        _check(texts, images)
        inputs = {
            "text_mask": torch.tensor([int(bool(text)) for text in texts]),
            "image_mask": torch.tensor([int(image is not None) for image in images]),
        }
        words = [text for text in texts if text]
        pictures = [image.convert("RGB") for image in images if image is not None]
        return inputs | (self._tokens(words) if words else {}) | (self._pixels(pictures) if pictures else {})

    def _tokens(self, texts: list[str]) -> dict[str, Tensor]:
        tokens = self.tokenizer(
            texts,
            padding=True,
            padding_side="right",  # ReT's towers count positions from the left
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
        )
        return {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}

    def _pixels(self, images: list[PillowImage.Image]) -> dict[str, Tensor]:
        return {"pixel_values": self.image_processor(images=images, return_tensors="pt")["pixel_values"]}


def _check(texts: Sequence[str | None], images: Sequence[PillowImage.Image | None]) -> None:
    if len(texts) != len(images):
        raise InputError(f"{len(texts)} texts but {len(images)} images: give one of each for every item")
    if not texts:
        raise InputError("nothing to process: give texts, images, or both")
    for k, (text, image) in enumerate(zip(texts, images, strict=True)):
        if not text and image is None:
            raise InputError(f"item {k} has neither text nor image")
