"""How much text a sentence-transformers model reads at once, found by asking it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal

from tokenizers import Tokenizer

from plait.encode.windows import TextLimit
from plait.errors import ModelError

Side = Literal["query", "document"]
Offsets = Callable[[str], Sequence[tuple[int, int]]]

_WORD = "a"
_LONG = " ".join([_WORD] * 40_000)  # more than any model reads of a passage


def text_limit(model: Any, side: Side, *, as_input: Callable[[str], Any]) -> TextLimit:
    """Return what one side of a model reads of a text, its prompt and special tokens left out.

    Limits hide in many places (tokenizer, configuration, query and document lengths, chat templates), so
    the model is given a word and a very long text, and what it keeps of each is counted.

    Args:
        model: a SentenceTransformer or MultiVectorEncoder.
        as_input: gives a text as the model takes it.

    Raises:
        ModelError: the prompt leaves no room for a text.
    """
    module = _input_module(model, side)
    offsets = _offsets(getattr(module, "tokenizer", None))
    word, text = _kept(model, side, as_input(_WORD)), longest_text(model, side, as_input=as_input)
    if word is None or text is None:
        return TextLimit(offsets, sys.maxsize)
    around = word - len(offsets(_WORD))
    limit = text - around if text - around < len(offsets(_LONG)) else _positions(module) - around
    if limit < 2:  # one where the word was cut off too
        raise ModelError(
            f"the model reads {text} tokens of a {side}, and its prompt takes them all: "
            f"give it a shorter prompt than {model.prompts.get(side)!r}"
        )
    return TextLimit(offsets, limit)


def longest_text(model: Any, side: Side, *, as_input: Callable[[str], Any]) -> int | None:
    """Return how many tokens a model makes of a very long text, what it adds included; None if unknown."""
    return _kept(model, side, as_input(_LONG))


def _kept(model: Any, side: Side, given: Any) -> int | None:
    """Return how many tokens a model makes of an input, those of query expansion left out."""
    features = model.preprocess([given], prompt=model.prompts.get(side), task=side)
    ids, mask = features.get("input_ids"), features.get("attention_mask")
    if ids is None:
        return None
    if mask is None:
        return int(ids.numel())
    added = features.get("query_expansion_positions")
    return int((mask.bool() if added is None else mask.bool() & ~added).sum())


def _input_module(model: Any, side: Side) -> Any:
    """Return the module that reads the inputs of a side."""
    routes = getattr(model[0], "sub_modules", {})
    return routes[side][0] if side in routes else model[0]


def _positions(module: Any) -> int:
    """Return how many positions a module's own configuration names: the limit where nothing cuts."""
    config: Any = getattr(module, "config", None)
    text_config = config.get_text_config() if hasattr(config, "get_text_config") else None
    positions = getattr(text_config, "max_position_embeddings", None)
    return positions if positions and positions > 0 else sys.maxsize


def _offsets(tokenizer: Any) -> Offsets:
    if isinstance(tokenizer, Tokenizer):
        return lambda text: list(tokenizer.encode(text, add_special_tokens=False).offsets)
    if getattr(tokenizer, "is_fast", False):
        return lambda text: list(_unlimited(tokenizer, text)["offset_mapping"])
    split = getattr(tokenizer, "tokenize", lambda word: [word])
    return lambda text: [word.span() for word in re.finditer(r"\S+", text) for _ in split(word[0])]


def _unlimited(tokenizer: Any, text: str) -> Any:
    return tokenizer(
        text, add_special_tokens=False, truncation=False, return_offsets_mapping=True, verbose=False
    )
