"""Model cards of ReT and ReT-2 in sentence-transformers: how a reader of one loads and asks the model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentence_transformers.multi_vector_encoder.model_card import MultiVectorEncoderModelCardData
from sentence_transformers.sentence_transformer.model_card import SentenceTransformerModelCardData

from plait.encode.st.inputs import read_input
from plait.errors import InputError

_INSTALL = '# pip install "plait[embedders]"'
_FETCH = "hf_hub_download"


def with_our_class(code: str, name: str) -> str:
    """Return code of sentence-transformers' that imports and makes our class of that name instead."""
    code = re.sub(r"from sentence_transformers import \w+", f"from plait.encode.st import {name}", code)
    return re.sub(r"model = \w+\(", f"model = {name}(", code)


class _RetCard:
    """What both cards below say otherwise than those they extend."""

    model: Any
    model_id: str | None
    usage_examples: list[Any] | None

    def set_base_model(self, model_id: str, revision: str | None = None) -> bool:
        """Name the base model if the hub has it; it is not asked about folders."""
        return not Path(model_id).is_dir() and bool(super().set_base_model(model_id, revision))  # type: ignore[misc]

    def try_to_set_base_model(self) -> None:
        """Name the base model by where the model was loaded from, without guessing at other names."""
        name = self.model.transformers_model.config.name_or_path
        if name:
            self.set_base_model(name)

    def save_usage_example_assets(self) -> None:
        """Store the pictures of the examples, out of whatever a data set holds them in."""
        if self.usage_examples:
            self.usage_examples = [_plain(example) for example in self.usage_examples]
        super().save_usage_example_assets()  # type: ignore[misc]

    def _format_and_save_example(self, value: Any, counter: int) -> tuple[str, int]:
        """Return a cell of the table of samples, and how many pictures have been stored."""
        value = _plain(value)
        parts = value.values() if isinstance(value, dict) else [value]
        cells = []
        for part in parts:
            cell, counter = super()._format_and_save_example(part, counter)  # type: ignore[misc]
            cells.append(cell)
        return "<br>".join(cells), counter

    def generate_usage_snippet(self) -> str:
        """Return code that asks the model, in Markdown: our class, and pictures that are fetched first."""
        code = with_our_class(super().generate_usage_snippet(), type(self.model).__name__)  # type: ignore[misc]
        fetched = [f"from huggingface_hub import {_FETCH}"] if f"{_FETCH}(" in code else []
        return code.replace("```python\n", "\n".join(["```python", _INSTALL, *fetched, ""]), 1)

    def _format_snippet_value(self, value: Any) -> str:
        """Return an example as code; a picture of the card's own is a file to fetch, for we fetch none."""
        if isinstance(value, str) and value.startswith("assets/"):
            return f"{_FETCH}({self.model_id or 'owner/name'!r}, {value!r})"
        return str(super()._format_snippet_value(value))  # type: ignore[misc]


def _plain(example: Any) -> Any:
    """Return an example as one would write it: a text, a picture, or a dict of both; others as they are."""
    try:
        seen = read_input(example)
    except InputError:
        return example
    if seen.image is None or seen.text is None:
        return seen.image or seen.text
    return {"text": seen.text, "image": seen.image}


@dataclass
class RetMultiVectorCardData(_RetCard, MultiVectorEncoderModelCardData):  # type: ignore[misc]  # not typed
    """The card of a `RetMultiVectorEncoder`."""


@dataclass
class RetSentenceCardData(_RetCard, SentenceTransformerModelCardData):  # type: ignore[misc]  # not typed
    """The card of a `RetSentenceTransformer`, which is for retrieval, so queries and documents differ."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ir_model = True
