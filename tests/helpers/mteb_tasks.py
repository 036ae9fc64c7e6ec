"""Tiny tasks of mteb held in memory, and models whose vectors are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from datasets import Dataset, Features, Value
from datasets import Image as PictureColumn
from mteb.abstasks import AbsTaskRetrieval
from mteb.abstasks.sts import AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata
from PIL import Image
from sentence_transformers import MultiVectorEncoder
from tests.helpers.sentence_models import GivenModule

COLOURS = {"red": (230, 20, 20), "green": (20, 200, 40), "blue": (20, 40, 220)}
KINDS = {"t": "text", "i": "image", "a": "audio"}

Row = tuple[str | None, str | None]  # a text, and the colour of a picture


def picture(colour: str) -> Image.Image:
    return Image.new("RGB", (24, 24), COLOURS[colour])


def colour_of(image: Image.Image) -> str:
    """Return the colour that a picture has in its middle."""
    middle = image.getpixel((image.width // 2, image.height // 2))
    return next(name for name, colour in COLOURS.items() if colour == middle)


def retrieval_task(
    category: str,
    queries: Mapping[str, Row],
    corpus: Mapping[str, Row],
    qrels: Mapping[str, Mapping[str, int]],
    *,
    top_ranked: Mapping[str, Sequence[str]] | None = None,
    name: str = "TinyRetrieval",
    **attributes: Any,
) -> type[AbsTaskRetrieval]:
    """Return a task that finds: "t2i" asks texts of pictures, "it2it" both of both, and so on."""

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        data = {
            "queries": _rows(queries),
            "corpus": _rows(corpus),
            "relevant_docs": {query: dict(grades) for query, grades in qrels.items()},
            "top_ranked": top_ranked,
        }
        self.dataset = {"default": {"test": data}}
        self.data_loaded = True

    kinds = sorted({KINDS[one] for one in category.replace("2", "")}, reverse=True)
    kind = "Reranking" if top_ranked else "Retrieval"
    metadata = _metadata(name, kind, category, kinds, "ndcg_at_10")
    return type(name, (AbsTaskRetrieval,), {"metadata": metadata, "load_data": load_data, **attributes})


def sts_task(pairs: Sequence[tuple[str, str, float]]) -> AbsTaskSTS:
    """Return a task that compares pairs of texts."""

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        first, second, score = zip(*pairs, strict=True)
        rows = Dataset.from_dict({"sentence1": first, "sentence2": second, "score": score})
        self.dataset = {"test": rows}
        self.data_loaded = True

    metadata = _metadata("TinySTS", "STS", "t2t", ["text"], "cosine_spearman")
    attributes = {"metadata": metadata, "load_data": load_data, "min_score": 0, "max_score": 5}
    return type("TinySTS", (AbsTaskSTS,), attributes)()


class GivenTokens(GivenModule):
    """As `GivenModule`, with several vectors an input."""

    def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **_: Any) -> dict[str, Any]:
        self.given += inputs
        answers = [torch.tensor(self.answer(one)) for one in inputs]
        padded = torch.nn.utils.rnn.pad_sequence(answers, batch_first=True)
        mask = torch.arange(padded.shape[1]) < torch.tensor([len(one) for one in answers])[:, None]
        return {"token_embeddings": padded, "attention_mask": mask.long()}


def given_tokens(*modalities: Any, answer: Callable[[Any], Sequence[Sequence[float]]]) -> MultiVectorEncoder:
    """Return a model of token vectors that reads these kinds of input, and answers as told."""
    return MultiVectorEncoder(modules=[GivenTokens(modalities, answer)], device="cpu")


def _rows(rows: Mapping[str, Row]) -> Dataset:
    """Return a data set with a column for texts if there are any, and one for pictures likewise."""
    columns: dict[str, list[Any]] = {"id": list(rows)}
    features: dict[str, Any] = {"id": Value("string")}
    if any(text is not None for text, _ in rows.values()):
        columns["text"] = [text or "" for text, _ in rows.values()]
        features["text"] = Value("string")
    if any(colour for _, colour in rows.values()):
        columns["image"] = [picture(colour) if colour else None for _, colour in rows.values()]
        features["image"] = PictureColumn()
    return Dataset.from_dict(columns, features=Features(features))


def _metadata(name: str, kind: str, category: str, kinds: Sequence[str], main: str) -> TaskMetadata:
    return TaskMetadata(
        name=name,
        type=kind,
        category=category,
        modalities=list(kinds),
        main_score=main,
        description="A task of a test.",
        dataset={"path": f"plait/{name}", "revision": "1"},
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
    )
