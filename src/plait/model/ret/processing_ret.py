"""Texts and pictures to the tensors that ReT and ReT-2 read."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import torch
import transformers
from PIL import Image as PillowImage
from torch import Tensor
from transformers import AutoTokenizer, CLIPConfig
from transformers.utils import PushToHubMixin

from plait.errors import InputError, ModelError
from plait.model import backbones
from plait.model.backbones.pretrained import source_folder
from plait.model.pictures import as_seen, broadened
from plait.model.ret.stored import stored

logger = logging.getLogger(__name__)

_OWN_FILE = "ret_processor.json"
_TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "tokenizer.model")
_IMAGE_FILES = ("preprocessor_config.json", "processor_config.json")
_ENDLESS = 10**6  # what tokenizers without a limit claim as their longest input is far above this


class RetProcessor(PushToHubMixin):  # type: ignore[misc]  # transformers is not typed
    """A tokenizer and an image processor, loaded and saved together.

    Args:
        tokenizer: a transformers tokenizer; given anything beyond ids and mask, it is dropped.
        image_processor: a transformers image processor that gives "pixel_values" of one size.
        max_tokens: longer texts are cut, and counted; None takes the tokenizer's own limit.
        pads_to_max: pad every text to `max_tokens` and let the backbone read the padding, as SigLIP's
            was trained; otherwise only to the longest of a batch, and unread.

    Attributes:
        truncated: texts so far that were cut.

    Raises:
        ModelError: no limit given, and the tokenizer has none.
    """

    def __init__(
        self,
        tokenizer: Any,
        image_processor: Any,
        *,
        max_tokens: int | None = None,
        pads_to_max: bool = False,
    ) -> None:
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.max_tokens = max_tokens or tokenizer.model_max_length
        self.pads_to_max = pads_to_max
        self.truncated = 0
        if self.max_tokens > _ENDLESS:
            raise ModelError("the tokenizer has no longest input: give max_tokens, 77 for CLIP")

    @classmethod
    def from_pretrained(
        cls,
        path: str | os.PathLike[str],
        *,
        max_tokens: int | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        **_: Any,  # what transformers' AutoProcessor passes on besides
    ) -> Self:
        """Return the processor stored beside a model.

        Args:
            path: as of `RetForRetrieval.from_pretrained`.
            max_tokens: another limit than the stored one.

        Raises:
            ModelError: tokenizer or image processor files are missing, or cannot be read.
        """
        folder = Path(path)  # which may hold no model
        if not folder.is_dir():
            folder = stored(path, local_files_only=local_files_only, revision=revision)
        own = _own(folder)
        return cls(
            _loaded(folder, "tokenizer", _tokenizer, _TOKENIZER_FILES),
            _loaded(folder, "image processor", _image_processor, _IMAGE_FILES),
            max_tokens=max_tokens or own.get("max_tokens"),
            pads_to_max=bool(own.get("pads_to_max", False)),
        )

    @classmethod
    def from_backbones(
        cls,
        text: str | os.PathLike[str],
        vision: str | os.PathLike[str],
        *,
        max_tokens: int | None = None,
    ) -> Self:
        """Return the processor of a model made of two pretrained backbones.

        Args:
            text, vision: as of `RetForRetrieval.from_backbones`.
            max_tokens: None takes the text backbone's own limit.

        Raises:
            ModelError: as `from_pretrained`.
        """
        words = backbones.source_config(text, "text")
        sees = backbones.source_config(vision, "vision")
        folder = source_folder(vision)
        known = any((folder / file).is_file() for file in _IMAGE_FILES)
        return cls(
            _loaded(source_folder(text), "tokenizer", _tokenizer, _TOKENIZER_FILES),
            _loaded(folder, "image processor", _image_processor, _IMAGE_FILES)
            if known or sees.model_type != "plait-efficientnet-lite"
            else _lite_image_processor(sees.image_size),
            max_tokens=max_tokens or backbones.max_tokens(words),
            pads_to_max=backbones.pads_to_max(words),
        )

    def save_pretrained(
        self, folder: str | os.PathLike[str], *, push_to_hub: bool = False, repo_id: str | None = None
    ) -> None:
        """Write both parts, and what is our own, into a folder; then, if asked, to the hub."""
        self.tokenizer.model_max_length = self.max_tokens
        self.tokenizer.save_pretrained(folder)
        self.image_processor.save_pretrained(folder)
        own = {"max_tokens": self.max_tokens, "pads_to_max": self.pads_to_max}
        (Path(folder) / _OWN_FILE).write_text(json.dumps(own, indent=2) + "\n", encoding="utf-8")
        if push_to_hub:
            self.push_to_hub(repo_id or Path(folder).name)

    def __call__(
        self,
        texts: Sequence[str | None] | None = None,
        images: Sequence[PillowImage.Image | None] | None = None,
    ) -> dict[str, Tensor]:
        """Return the inputs of `RetModel.forward` for B items, each a text, an image, or both.

        Args:
            texts, images: (B,) each, None where an item lacks one, which a text of white space only
                does too; None when all lack it. Images may be of any mode and size.

        Returns:
            "text_mask" and "image_mask", (B,) int64, always; "input_ids" and "attention_mask",
            (P, n), for only the items with text; "pixel_values", (P, 3, height, width), for only those
            with an image. A modality that no item has gives no tensors but its mask.

        Raises:
            InputError: no items, texts and images unequally many, an item with neither, or something
                that is no text or no image.
        """
        count = len(texts if texts is not None else images or ())
        words = [_spoken(text) for text in texts] if texts is not None else [None] * count
        pictures = list(images) if images is not None else [None] * count
        _check(words, pictures)
        inputs = {
            "text_mask": torch.tensor([int(text is not None) for text in words]),
            "image_mask": torch.tensor([int(picture is not None) for picture in pictures]),
        }
        said = [text for text in words if text is not None]
        shown = [picture for picture in pictures if picture is not None]
        return inputs | (self._tokens(said) if said else {}) | (self._pixels(shown) if shown else {})

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has, whole, with those that mark its ends."""
        return [len(ids) for ids in self.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]]

    def _tokens(self, texts: list[str]) -> dict[str, Tensor]:
        self._count_cut(texts)
        tokens = self.tokenizer(
            texts,
            padding="max_length" if self.pads_to_max else True,
            padding_side="right",  # ReT's towers count positions from the left
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
            return_attention_mask=True,
        )
        mask = tokens["attention_mask"]
        return {
            "input_ids": tokens["input_ids"],
            "attention_mask": torch.ones_like(mask) if self.pads_to_max else mask,
        }

    def _count_cut(self, texts: list[str]) -> None:
        # A token is at least one character, so only texts this long need to be counted.
        long = [text for text in texts if len(text) > self.max_tokens - 2]
        cut = sum(count > self.max_tokens for count in self.count_tokens(long)) if long else 0
        if cut and not self.truncated:
            logger.warning(
                "%d texts are longer than the %d tokens that the model reads, and are cut: split them "
                "(plait's encoders do), or watch `truncated`",
                cut,
                self.max_tokens,
            )
        self.truncated += cut

    def _pixels(self, images: list[PillowImage.Image]) -> dict[str, Tensor]:
        seen = [broadened(as_seen(image)) for image in images]
        return {"pixel_values": self.image_processor(images=seen, return_tensors="pt")["pixel_values"]}


def _loaded(folder: Path, part: str, loader: Callable[[Path], Any], files: Sequence[str]) -> Any:
    if not any((folder / file).is_file() for file in files):
        raise ModelError(
            f"{folder} holds no {part} ({' or '.join(files)}): copy its files from the backbone that "
            "the model was trained with"
        )
    try:
        return loader(folder)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"{folder}: its {part} cannot be loaded: {error}") from error


def _tokenizer(folder: Path) -> Any:
    # Without a configuration the loader looks in the folder for a model type that it knows.
    return AutoTokenizer.from_pretrained(folder, config=CLIPConfig(), local_files_only=True)


def _image_processor(folder: Path) -> Any:
    # Always through Pillow: with torchvision present, transformers' own choice would resample pictures
    # otherwise, and one machine's vectors would differ from another's.
    name = _image_processor_type(folder).removesuffix("Fast").removesuffix("Pil") + "Pil"
    kind = getattr(transformers, name, None)
    if kind is None:
        raise ModelError(f"{folder}: this transformers has no image processor {name!r} that works on Pillow")
    return kind.from_pretrained(folder, local_files_only=True)


def _lite_image_processor(side_px: int) -> Any:
    """Return how EfficientNet-Lite was trained to see, which its packages do not say: (byte - 127) / 128."""
    return transformers.ViTImageProcessorPil(
        size={"height": side_px, "width": side_px},
        resample=PillowImage.Resampling.BILINEAR,
        image_mean=[127 / 255] * 3,
        image_std=[128 / 255] * 3,
    )


def _image_processor_type(folder: Path) -> str:
    """Return the class that a folder names for its image processor; CLIP's when it names none."""
    for file in _IMAGE_FILES:
        if (folder / file).is_file():
            values = json.loads((folder / file).read_text(encoding="utf-8"))
            values = values.get("image_processor", values)
            found = values.get("image_processor_type") or values.get("feature_extractor_type")
            if found:
                return str(found).replace("FeatureExtractor", "ImageProcessor")
    return "CLIPImageProcessor"


def _own(folder: Path) -> dict[str, Any]:
    """Return what the processor itself stored in a folder; nothing for the official release's."""
    file = folder / _OWN_FILE
    try:
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{file} cannot be read ({error}): copy it again from the model's source") from error


def _spoken(text: str | None) -> str | None:
    """Return a text, or None where it says nothing."""
    if text is not None and not isinstance(text, str):
        raise InputError(f"expected a text, got {type(text).__name__}: give str, or None for no text")
    return text if text and text.strip() else None


def _check(texts: Sequence[str | None], images: Sequence[PillowImage.Image | None]) -> None:
    if len(texts) != len(images):
        raise InputError(f"{len(texts)} texts but {len(images)} images: give one of each for every item")
    if not texts:
        raise InputError("nothing to process: give texts, images, or both")
    for k, (text, image) in enumerate(zip(texts, images, strict=True)):
        if text is None and image is None:
            raise InputError(
                f"item {k} has neither text (empty, or only white space) nor image: leave it out, or give one"
            )
