"""One of two processes that compute losses and gradients of their part (run by test_loss_processes)."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from itertools import product
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder
from tests.train.objectives.encoders import encoder, features, given, gradients, targets
from tests.train.objectives.made import given_model, part, unit
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from plait.errors import PlaitError
from plait.train.loss import TrainingLoss
from plait.train.objectives.contrastive import Contrastive
from plait.train.objectives.distillation import Distillation
from plait.train.objectives.matryoshka import Matryoshka
from plait.train.objectives.targets import Targets
from plait.train.objectives.weighted import Weighted

PARTS = [(0, 2), (2, 5)]  # of five queries; their documents are five and four
OBJECTIVES = {
    "contrastive": lambda: Contrastive(learn_temperature=True),
    "all": lambda: Contrastive(
        symmetric=True, temperature=0.5, learn_temperature=True, false_negative_margin=0.3
    ),
    "kl": Distillation,
    "margin_mse": lambda: Distillation("margin_mse"),
    "matryoshka": lambda: Matryoshka(Contrastive(symmetric=True), [(None, None, 1.0), (2, 3, 0.5)]),
    "alone": lambda: Contrastive(symmetric=True, gather=False),
}
MODELS = ["ret", "single", "colbert"]
CASES = [
    case
    for case in product(MODELS, ("whole", "mini"), ("searched", "unsearched"))
    if case[0] != "colbert" or case[2] == "searched"  # ReT's passes reach every weight, others' do not
]


def batch(objective, shape):
    """Return queries, documents and targets of all processes; for "kl" only the first has a teacher."""
    everyone = targets()
    if objective == "kl":
        everyone = Targets.from_dict(
            everyone.to_dict() | {"teacher": everyone.teacher.masked_fill(everyone.owner > 1, torch.nan)}
        )
    return unit(5, *shape).requires_grad_(), unit(9, *shape, seed=1).requires_grad_(), everyone


def model_and_loss(name, folder, mini_batch_size=None):
    if name == "colbert":
        model = MultiVectorEncoder(str(folder / "colbert"), device="cpu").eval()
    else:
        model = encoder(single=name == "single")
    contrastive = Contrastive(symmetric=True, temperature=0.5, learn_temperature=True)
    objective = Weighted([(1.0, contrastive), (0.5, Distillation())])
    return model, TrainingLoss(model, objective, mini_batch_size=mini_batch_size)


def columns(name, model, queries, documents):
    """Return the features of both sides; for a reader of words alone, of texts of many lengths."""
    if name != "colbert":
        return features(model, queries, documents)
    words = ["red", "blue circle", "turn left with paper", "the green square of grey paper"]
    sides = [[words[(k + len(side)) % 4] for k in range(len(side))] for side in (queries, documents)]
    return [
        model.preprocess(texts, task=task) | {"task": task}
        for texts, task in zip(sides, ("query", "document"), strict=True)
    ]


def halves(rank, name, model):
    """Return this process's columns and targets."""
    queries, documents = given()
    numbers = torch.arange(len(queries))[:, None], torch.arange(len(documents))[:, None]
    own_queries, own_documents, own = part(*numbers, targets(), *PARTS[rank])
    if name == "colbert":  # padded as the whole is not
        return [
            {key: value[rows[:, 0]] if torch.is_tensor(value) else value for key, value in column.items()}
            for column, rows in zip(
                columns(name, model, queries, documents), (own_queries, own_documents), strict=True
            )
        ], own
    return columns(
        name, model, [queries[k] for k in own_queries[:, 0]], [documents[k] for k in own_documents[:, 0]]
    ), own


def main(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    try:
        for mini_batch_size in (None, 3):
            save_file(official(rank, folder, mini_batch_size), folder / f"official-{mini_batch_size}-{rank}")
        for name, shape in product(OBJECTIVES, ((3, 4), (4,))):
            if name == "matryoshka" and len(shape) == 1:
                continue
            save_file(of_objective(rank, name, shape), folder / f"{name}-{len(shape)}-{rank}")
        for case in CASES:
            save_file(of_model(rank, folder, *case), folder / f"{'-'.join(case)}-{rank}")
        (folder / f"errors-{rank}").write_text(json.dumps(errors(rank)))
    finally:
        distributed.destroy_process_group()


def official(rank, folder, mini_batch_size):
    """Return loss and gradients of this process's rows of the official fixture."""
    case = load_file(folder / "official.safetensors")
    rows = slice(4 * rank, 4 * rank + 4)
    query, document = (case[name][rows].clone().requires_grad_() for name in ("query", "passage"))
    criterion = TrainingLoss(given_model(), Contrastive(), mini_batch_size=mini_batch_size)
    labels = Targets.pairs(case["entity"][rows]).to_dict()
    loss = criterion([{"vectors": query}, {"vectors": document}], labels)
    loss.backward()
    return {"loss": loss.detach(), "grad_query": query.grad, "grad_passage": document.grad}


def of_objective(rank, name, shape):
    """Return loss and gradients of this process's part."""
    queries, documents, everyone = batch(name, shape)
    objective = OBJECTIVES[name]()
    loss = objective(*part(queries, documents, everyone, *PARTS[rank]))
    loss.backward()
    found = {"loss": loss.detach(), "queries": queries.grad, "documents": documents.grad}
    return found | gradients(objective)


def of_model(rank, folder, name, size, unused):
    """Return the gradients of two batches, added up, of data-parallel training."""
    model, criterion = model_and_loss(name, folder, 2 if size == "mini" else None)
    inputs, own = halves(rank, name, model)
    criterion.model = DistributedDataParallel(model, find_unused_parameters=unused == "searched")
    for last in (False, True):
        with nullcontext() if last else criterion.model.no_sync():
            (sum(criterion(inputs, own.to_dict()).values()) / 2).backward()
    return gradients(model, criterion.objective)


def errors(rank):
    """Return what this process is told when the other's rows are at fault."""
    queries, documents, everyone = batch("contrastive", (3, 4))
    queries, documents, own = part(queries.detach(), documents.detach(), everyone, *PARTS[rank])
    told = []
    bad_targets = Targets.from_dict(own.to_dict() | {"relevance": own.relevance * (1 - rank)})
    bad_queries = queries * float("nan") if rank else queries
    for given_queries, given_targets in ((queries, bad_targets), (bad_queries, own)):
        criterion = TrainingLoss(given_model(), Contrastive())
        try:
            criterion([{"vectors": given_queries}, {"vectors": documents}], given_targets.to_dict())
        except PlaitError as error:
            told.append(str(error))
    return told


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
