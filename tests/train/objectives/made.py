"""Batches with known targets, and sentence-transformers models that answer with vectors they are given."""

from __future__ import annotations

import torch
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import InputModule
from torch.nn import functional

from plait.train.objectives.targets import Targets


def unit(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(*shape, generator=generator), dim=-1)


def targets_of(grades, *, entities=None, teacher=None):
    """Return targets of queries whose documents have these grades, a list a query."""
    owner = torch.tensor([k for k, row in enumerate(grades) for _ in row])
    relevance = torch.tensor([grade for row in grades for grade in row], dtype=torch.float32)
    entity = torch.arange(len(owner)) if entities is None else torch.tensor(entities)
    scores = torch.full((len(owner),), torch.nan) if teacher is None else torch.tensor(teacher)
    return Targets(owner, entity, relevance, scores.float())


def part(queries, documents, targets, start, end):
    """Return the batch of some of the queries alone."""
    mine = (targets.owner >= start) & (targets.owner < end)
    kept = {name: values[mine] for name, values in targets.to_dict().items()}
    return queries[start:end], documents[mine], Targets.from_dict(kept | {"owner": kept["owner"] - start})


class GivenVectors(InputModule):
    """Answers with the "vectors" among the features, and with their "mask" if they are tokens."""

    forward_kwargs = {"task"}  # noqa: RUF012  # so sentence-transformers declares it

    def __init__(self):
        super().__init__()
        self.tasks = []

    @property
    def modalities(self):
        return ["text"]

    def preprocess(self, inputs, prompt=None, **_):
        raise NotImplementedError("vectors are given")

    def forward(self, features, task=None):
        self.tasks.append(task)
        vectors = features["vectors"]
        if vectors.ndim == 2:
            return {"sentence_embedding": vectors}
        mask = features.get("mask", torch.ones(vectors.shape[:2]))
        return {"token_embeddings": vectors, "attention_mask": mask}

    def save(self, output_path, *_, **__):
        raise NotImplementedError("it lives in memory only")


def given_model(*, single=False):
    kind = SentenceTransformer if single else MultiVectorEncoder
    return kind(modules=[GivenVectors()], device="cpu")
