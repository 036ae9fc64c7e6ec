"""How much text a model reads: worked out by hand for small models, and checked against what they read."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import Router
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding, WordEmbeddings
from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer
from tests.helpers.sentence_models import (
    given_model,
    save_bert,
    save_clip,
    save_colbert,
    save_colpali,
    tiny_tokenizer,
)

from plait.encode.quiet import no_progress_bars, no_warnings
from plait.encode.reading_limit import longest_text, text_limit
from plait.errors import ModelError


def words(text):
    return text


def dressed(text):
    return {"text": text}


def opened(model_class, folder):
    with no_progress_bars():
        return model_class(str(folder), device="cpu", local_files_only=True)


def limit(model, side, as_input=words):
    with no_warnings():
        return text_limit(model, side, as_input=as_input)


def reads_last_word(model, side, count):
    """Tell whether the last of so many words changes the vectors."""
    encode = model.encode_query if side == "query" else model.encode_document
    one, other = (np.asarray(encode("a " * (count - 1) + last)) for last in ("red", "blue"))
    return one.shape != other.shape or np.abs(one - other).max() > 1e-6


@pytest.mark.parametrize(
    ("save", "model_class", "query", "document"),
    [
        (save_bert, SentenceTransformer, 13, 13),  # 16, less both ends and the prompt
        (save_colbert, MultiVectorEncoder, 13, 13),
        (lambda folder: save_colbert(folder, expands=True), MultiVectorEncoder, 5, 9),  # 8 and 12
        (lambda folder: save_colbert(folder, expands=True, attends=True), MultiVectorEncoder, 5, 9),
        (save_clip, SentenceTransformer, 10, 10),
    ],
    ids=["BERT", "ColBERT", "ColBERT, expanded", "ColBERT, read too", "CLIP"],
)
def test_a_text_of_the_limit_is_read_whole_and_no_longer_one(save, model_class, query, document, tmp_path):
    save(tmp_path)
    model = opened(model_class, tmp_path)
    for side, expected in (("query", query), ("document", document)):
        found = limit(model, side).max_tokens
        assert found == expected
        assert reads_last_word(model, side, found)
        assert not reads_last_word(model, side, found + 1)


def test_words_that_a_processor_adds_are_left_out(tmp_path):
    save_colpali(tmp_path)
    model = opened(MultiVectorEncoder, tmp_path)
    found = limit(model, "query", dressed).max_tokens
    assert found == 64 - (len(model.encode_query("a")) - 1)


def test_a_tokenizer_without_a_limit_is_bounded_by_the_models_positions(tmp_path):
    save_clip(tmp_path)
    model = opened(SentenceTransformer, tmp_path)
    model.tokenizer.model_max_length = 10**30
    assert limit(model, "document", dressed).max_tokens == 10


def test_a_model_of_any_length_has_no_limit():
    static = StaticEmbedding(tiny_tokenizer(max_tokens=10**30), embedding_dim=4)
    found = limit(SentenceTransformer(modules=[static], device="cpu"), "document")
    assert found.max_tokens == sys.maxsize
    assert found.count("a red square") == 3


def test_a_model_that_shows_no_tokens_has_no_limit():
    model = given_model("text", answer=lambda text: [1.0, 0.0])
    assert limit(model, "document").max_tokens == sys.maxsize
    assert limit(model, "document").count("two words") == 2
    assert longest_text(model, "document", as_input=words) is None


def test_a_tokenizer_of_words_counts_words():
    tokenizer = WhitespaceTokenizer(["a", "red", "square"], stop_words=[])
    embeddings = WordEmbeddings(tokenizer, np.eye(3, dtype=np.float32), max_seq_length=5)
    found = limit(SentenceTransformer(modules=[embeddings, Pooling(3)], device="cpu"), "query")
    assert found.max_tokens == 5
    assert found.offsets("a  red square") == [(0, 1), (3, 6), (7, 13)]


def test_each_side_has_the_limit_of_its_own_modules(tmp_path):
    save_bert(tmp_path)
    static = StaticEmbedding(tiny_tokenizer(max_tokens=10**30), embedding_dim=16)
    router = Router.for_query_document([static], list(opened(SentenceTransformer, tmp_path)))
    model = SentenceTransformer(modules=[router], device="cpu")
    assert limit(model, "query").max_tokens == sys.maxsize
    assert limit(model, "document").max_tokens == 14  # without the prompt


def test_offsets_are_those_of_the_whole_text(tmp_path):
    save_bert(tmp_path)
    found = limit(opened(SentenceTransformer, tmp_path), "document")
    text = "a red " * 20
    assert found.count(text) == 40
    assert [text[start:end] for start, end in found.offsets(text)[:3]] == ["a", "red", "a"]


def test_a_prompt_that_leaves_no_room_is_an_error(tmp_path):
    save_bert(tmp_path)
    model = opened(SentenceTransformer, tmp_path)
    model.prompts["query"] = "a " * 20
    with pytest.raises(ModelError, match="reads 16 tokens of a query, and its prompt takes them all"):
        limit(model, "query")


def test_the_longest_text_counts_what_the_model_adds(tmp_path):
    save_colbert(tmp_path)
    model = opened(MultiVectorEncoder, tmp_path)
    with no_warnings():
        assert longest_text(model, "document", as_input=words) == 16
