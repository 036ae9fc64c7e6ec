"""A random ReT checkpoint of a few kilobytes, with its own tokenizer and image processor."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import CLIPImageProcessorPil, PreTrainedTokenizerFast

from plait.model.ret.configuration_ret import RetConfig, RetRetrievalConfig
from plait.model.ret.modeling_ret import RetForRetrieval
from plait.model.ret.processing_ret import RetProcessor

WORDS = [
    "a",
    "the",
    "red",
    "blue",
    "green",
    "square",
    "circle",
    "of",
    "with",
    "grey",
    "paper",
    "turn",
    "left",
]
MAX_TOKENS = 12


def tiny_processor() -> RetProcessor:
    """Return a processor that knows WORDS, cuts at MAX_TOKENS, and makes pictures 16 x 16."""
    vocabulary = {"<pad>": 0} | {word: k for k, word in enumerate(WORDS, 1)}
    vocabulary |= {"<unk>": 61, "<s>": 62, "</s>": 63}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("<s>", 62), ("</s>", 63)]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )
    images = CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    return RetProcessor(wrapped, images, max_tokens=MAX_TOKENS)


def tiny_model(*, seed: int = 0, pooled: bool = False) -> RetForRetrieval:
    """Return a random model: 3 tokens of width 8 a side, over CLIP-like towers of 3 layers."""
    torch.manual_seed(seed)
    tower = {"intermediate_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
    ids = {"vocab_size": 64, "pad_token_id": 0, "bos_token_id": 62, "eos_token_id": 63}
    side = RetConfig(
        text_config={"hidden_size": 8, "max_position_embeddings": MAX_TOKENS, **tower, **ids},
        vision_config={"hidden_size": 12, "image_size": 16, "patch_size": 8, **tower},
        text_layers=[0, 2],
        vision_layers=[1, 2],
        hidden_size=16,
        num_queries=3,
        num_attention_heads=2,
        late_proj_output_size=8,
        output="pooled" if pooled else "tokens",
    )
    return RetForRetrieval(RetRetrievalConfig(query_config=side, late_interaction=not pooled)).eval()


def save_tiny_checkpoint(folder: Path, *, seed: int = 0, pooled: bool = False) -> Path:
    """Write model, tokenizer and image processor into a folder; return it."""
    tiny_model(seed=seed, pooled=pooled).save_pretrained(folder)
    tiny_processor().save_pretrained(folder)
    return folder
