"""A cross-encoder reads the words of query and candidate together: by onnxruntime, or by its own package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer

from plait.encode.batching import length_batches
from plait.errors import ModelError
from plait.extras import require
from plait.index.base import Scores
from plait.model import hub
from plait.search.rerank.base import Shortlist

_MAX_TOKENS = 512
_BATCH_TOKENS = 4096  # with padding
_MAX_CHARACTERS = 8000  # of a text; no more of it would be read

Score = Callable[[Sequence[tuple[str, str]]], Scores]  # (P,) of pairs of query and passage


@dataclass(frozen=True, slots=True)
class CrossEncoder:
    """Scores each candidate's best passage, below its headings, against the words of the query.

    Of several texts, the weighted mean. A query without words is left alone.

    Attributes:
        score: scores pairs of texts.
        share: as of `Reranker`.
    """

    score: Score
    share: float = 0.1
    name: str = "cross-encoder"

    def scores(self, shortlist: Shortlist) -> Scores:
        """Return (C,) scores in the model's own units."""
        query, passages = shortlist.query, shortlist.best_passages()
        if not query.texts:
            return np.full(len(passages), np.nan, np.float32)
        pairs = [(text, passage[:_MAX_CHARACTERS]) for text in query.texts for passage in passages]
        every = self.score(pairs).reshape(len(query.texts), len(passages))
        weights = np.array(query.text_weights, np.float32)
        found: Scores = (weights / weights.sum()) @ every
        return found


def load_cross_encoder(name: str, *, threads: int = 0) -> CrossEncoder:
    """Return a cross-encoder; nothing is fetched.

    Args:
        name: a folder with model.onnx and tokenizer.json; or a folder, pip package or downloaded hub name
            of a model that sentence-transformers opens.
        threads: that compute; 0 leaves that to the package.

    Raises:
        ModelError: there is none, it cannot be opened, or it gives not one score a pair.
        MissingExtraError: the package that runs it is not installed.
    """
    folder = Path(name).expanduser()
    is_onnx = (folder / "model.onnx").is_file()
    score = _by_onnx(folder, threads) if is_onnx else _by_package(hub.resolve(name))
    try:
        tried = score([("a", "b"), ("a", "c d")])
    except Exception as error:  # whatever a package or a graph raises on a model of another kind
        raise _not_one(name, f"it fails on two words: {error}"[:300]) from error
    if tried.shape != (2,):
        raise _not_one(name, f"it gives {tried.size} numbers for two pairs")
    return CrossEncoder(score)


def _not_one(name: str, why: str) -> ModelError:
    return ModelError(f"{name} is no cross-encoder ({why}): name a model that gives one score for two texts")


def _by_package(folder: Path) -> Score:
    package = require("sentence_transformers")
    try:
        model = package.CrossEncoder(str(folder), device="cpu", local_files_only=True)
    except Exception as error:  # the package raises many kinds
        raise ModelError(f"{folder} cannot be opened as a cross-encoder: {error}"[:400]) from error

    def score(pairs: Sequence[tuple[str, str]]) -> Scores:
        given = model.predict([list(pair) for pair in pairs], show_progress_bar=False)
        return np.asarray(given, np.float32)

    return score


def _by_onnx(folder: Path, threads: int) -> Score:
    runtime = require("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        session = runtime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # both packages raise bare Exceptions
        raise ModelError(
            f"{folder} must hold model.onnx and its tokenizer.json, readable: {error}"[:400]
        ) from error
    tokenizer.enable_truncation(_MAX_TOKENS)
    tokenizer.no_padding()
    wanted = {one.name for one in session.get_inputs()}

    def score(pairs: Sequence[tuple[str, str]]) -> Scores:
        encodings = tokenizer.encode_batch(list(pairs))
        scores = np.empty(len(encodings), np.float32)
        for rows in length_batches([len(one.ids) for one in encodings], max_tokens=_BATCH_TOKENS):
            inputs = _padded([encodings[row] for row in rows])
            given: Any = session.run(None, {name: inputs[name] for name in wanted})[0]
            scores[rows] = given.reshape(len(rows))
        return scores

    return score


def _padded(encodings: Sequence[Encoding]) -> dict[str, Any]:
    """Return (B, n) what a BERT reads: ids, which are words, and which text they are of."""
    shape = len(encodings), max(len(one.ids) for one in encodings)
    names = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
    inputs = {name: np.zeros(shape, np.int64) for name in names}
    for name, of in names.items():
        for row, one in zip(inputs[name], encodings, strict=True):
            row[: len(one.ids)] = getattr(one, of)
    return inputs
