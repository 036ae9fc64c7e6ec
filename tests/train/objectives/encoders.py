"""Tiny ReT encoders and batches of text, of pictures and of both, with unlike many documents a query."""

from __future__ import annotations

import torch
from PIL import Image
from tests.helpers.ret_models import pair, ret2
from tests.helpers.tiny_ret import tiny_processor
from tests.train.objectives.made import targets_of

from plait.encode.st import RetMultiVectorEncoder, RetSentenceTransformer

GRADES = [[1, 0], [2, 1, 0], [1], [1], [1, 0]]
ENTITIES = [0, 1, 2, 3, 4, 0, 2, 5, 6]  # the third query's document is about what the first's is
TEACHER = [1.0, 0.5, 2.0, 1.0, 0.0, 1.0, float("nan"), 0.5, 1.5]


def encoder(*, single=False, dropout=0.0):
    """Return a ReT with a head for each side, or a ReT-2 with one head and backbones that train."""
    options = {"dropout_p": dropout, "attention_dropout": dropout}
    if single:
        return RetSentenceTransformer.from_ret(ret2(**options), tiny_processor(), device="cpu").eval()
    return RetMultiVectorEncoder.from_ret(pair(query=options), tiny_processor(), device="cpu").eval()


def given():
    """Return five queries and the nine documents of GRADES, of every kind."""
    red, blue, green = (
        Image.new("RGB", (20 + k, 20), name) for k, name in enumerate(("red", "blue", "green"))
    )
    queries = [{"text": "red", "image": red}, "a blue circle", blue, "turn", {"text": "left", "image": green}]
    documents = [
        "grey paper", {"text": "turn left", "image": blue}, "the green circle of paper", red, green,
        {"text": "a red square", "image": red}, "the blue square", {"text": "grey", "image": green}, blue,
    ]  # fmt: skip
    return queries, documents


def targets():
    return targets_of(GRADES, entities=ENTITIES, teacher=TEACHER)


def features(model, queries, documents):
    return [
        model.preprocess(side) | {"task": task}
        for side, task in ((queries, "query"), (documents, "document"))
    ]


def gradients(*modules):
    """Return the gradients of all weights that have any, by name."""
    return {
        f"{k}.{name}": weight.grad.clone()
        for k, module in enumerate(modules)
        for name, weight in module.named_parameters()
        if weight.grad is not None
    }


def assert_same_gradients(found, expected, *, atol=1e-5, rtol=1e-4):
    assert found.keys() == expected.keys()
    assert any(gradient.abs().max() > 100 * atol for gradient in expected.values())
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=atol, rtol=rtol, msg=name)
