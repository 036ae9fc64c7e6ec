"""Random sentence-transformers models of a few kilobytes, each with its own tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import Dense, InputModule, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from sentence_transformers.sentence_transformer.modules import Pooling
from tests.helpers.tiny_ret import WORDS
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    ColPaliConfig,
    ColPaliForRetrieval,
    ColPaliProcessor,
    PreTrainedTokenizerFast,
    SiglipImageProcessorPil,
)

from plait.encode.quiet import no_progress_bars

SPECIAL = ("<pad>", "<unk>", "<s>", "</s>", "<mask>", "<image>")
PROMPTS = {"query": "left ", "document": "turn "}
SIDE_PX = 16
_TOWER = {"intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}


def tiny_tokenizer(*, max_tokens: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer that knows WORDS."""
    vocabulary = {word: k for k, word in enumerate((*SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [(word, vocabulary[word]) for word in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    names = ("pad", "unk", "bos", "eos", "mask")
    tokens = {f"{name}_token": word for name, word in zip(names, SPECIAL, strict=False)}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=max_tokens, **tokens)


def save_bert(folder: Path) -> Path:
    """Write a SentenceTransformer of words, with prompts: the mean of 16 tokens, not of unit length."""
    with _building():
        backbone = _bert(folder / "backbone")
        model = SentenceTransformer(modules=[backbone, Pooling(16, "mean")], prompts=PROMPTS)
        model.save(str(folder))
    return folder


def save_colbert(folder: Path, *, expands: bool = False, attends: bool = False) -> Path:
    """Write a MultiVectorEncoder of words: up to 16 vectors of width 8, none for "the" in documents.

    Args:
        expands: queries are filled up to 8 tokens with masks, and cut there; documents are cut at 12.
        attends: the masks are read as words are.
    """
    expansion = {"strategy": "fixed", "length": 8, "attend": attends}
    lengths = {"document_length": 12, "query_expansion": expansion}
    with _building():
        modules = [
            _bert(folder / "backbone", **lengths if expands else {}),
            Dense(
                16,
                8,
                bias=False,
                activation_function=torch.nn.Identity(),
                module_input_name="token_embeddings",
            ),
            MultiVectorMask(skiplist_words=["the"]),
            Normalize(module_input_name="token_embeddings"),
        ]
        MultiVectorEncoder(modules=modules, prompts=PROMPTS).save(str(folder))
    return folder


def save_clip(folder: Path) -> Path:
    """Write a SentenceTransformer of words and of pictures, each alone: one vector of width 8."""
    with _building():
        ids = {"vocab_size": 32, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
        text = {"hidden_size": 8, "max_position_embeddings": 12, **ids, **_TOWER}
        vision = {"hidden_size": 12, "image_size": SIDE_PX, "patch_size": 8, **_TOWER}
        CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(
            folder
        )
        square = {"height": SIDE_PX, "width": SIDE_PX}
        images = CLIPImageProcessorPil(size={"shortest_edge": SIDE_PX}, crop_size=square)
        CLIPProcessor(images, tiny_tokenizer(max_tokens=12)).save_pretrained(folder)
        SentenceTransformer(modules=[Transformer(str(folder))]).save(str(folder))
    return folder


def save_colpali(folder: Path) -> Path:
    """Write a MultiVectorEncoder of words and of pictures, each alone: 9 vectors a picture, of width 8."""
    with _building():
        images = SiglipImageProcessorPil(size={"height": SIDE_PX, "width": SIDE_PX})
        images.image_seq_length = 4
        tokenizer = tiny_tokenizer(max_tokens=64)
        image_id = SPECIAL.index("<image>")
        vision = {"model_type": "siglip_vision_model", "hidden_size": 16, "projection_dim": 16}
        vision |= {"image_size": SIDE_PX, "patch_size": 8, "vision_use_head": False, **_TOWER}
        text = {"model_type": "gemma", "vocab_size": 1300, "hidden_size": 16, "max_position_embeddings": 128}
        text |= {"num_key_value_heads": 1, "head_dim": 8, "pad_token_id": 0, **_TOWER}
        both = {"vision_config": vision, "text_config": text, "projection_dim": 16, "hidden_size": 16}
        both |= {"model_type": "paligemma", "image_token_index": image_id, "image_token_id": image_id}
        ColPaliForRetrieval(ColPaliConfig(vlm_config=both, embedding_dim=8)).save_pretrained(folder)
        ColPaliProcessor(images, tokenizer).save_pretrained(folder)
        MultiVectorEncoder(str(folder), local_files_only=True).save(str(folder))
    return folder


def _bert(folder: Path, **options) -> Transformer:
    config = BertConfig(vocab_size=32, hidden_size=16, max_position_embeddings=16, pad_token_id=0, **_TOWER)
    BertModel(config).save_pretrained(folder)
    tiny_tokenizer(max_tokens=16).save_pretrained(folder)
    return Transformer(str(folder), **options)


@contextmanager
def _building() -> Iterator[None]:
    torch.manual_seed(0)
    with no_progress_bars():
        yield


class GivenModule(InputModule):
    """An input module that notes what it is given, and answers with the vectors it is told to.

    Args:
        modalities: what it reads.
        answer: gives the vector of an input: a text, a picture, or a dict of both.
    """

    def __init__(
        self, modalities: Sequence[str | tuple[str, str]], answer: Callable[[Any], Sequence[float]]
    ) -> None:
        super().__init__()
        self.kinds = list(modalities)
        self.answer = answer
        self.given: list[Any] = []

    @property
    def modalities(self) -> list[Any]:
        return self.kinds

    def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **_: Any) -> dict[str, Any]:
        self.given += inputs
        return {"sentence_embedding": torch.tensor([list(self.answer(one)) for one in inputs])}

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        return features

    def save(self, output_path: str, *_: Any, **__: Any) -> None:
        raise NotImplementedError("it lives in memory only")


def given_model(
    *modalities: str | tuple[str, str], answer: Callable[[Any], Sequence[float]]
) -> SentenceTransformer:
    """Return a model that reads these kinds of input, and answers as told."""
    return SentenceTransformer(modules=[GivenModule(modalities, answer)], device="cpu")
