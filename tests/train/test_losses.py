"""The late-interaction loss: the official values, its equivalences, and its gradients over processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from plait.errors import ShapeError
from plait.scoring.contrastive import soft_targets
from plait.scoring.maxsim import maxsim
from plait.train.losses import late_interaction_loss, recall_at_1, single_vector_loss

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ret"
MODELS = ["clip_vit_b", "clip_vit_l", "variant_shared_pooled"]
WORKER = Path(__file__).with_name("loss_worker.py")


def official(model):
    expected = load_file(FIXTURES / model / "expected.safetensors")
    labels = json.loads((FIXTURES / model / "meta.json").read_text())["labels"]
    loss = single_vector_loss if "pooled" in model else late_interaction_loss
    return expected, labels, loss


def random_sides(rows=6, tokens=3, width=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(2, rows, tokens, width, generator=generator)
    return functional.normalize(vectors, dim=-1).unbind(0)


@pytest.mark.parametrize("model", MODELS)
def test_loss_and_gradients_are_the_official_ones(model):
    expected, labels, loss_of = official(model)
    query = expected["query.masked.normalized"].requires_grad_()
    document = expected["passage.masked.normalized"].requires_grad_()
    loss = loss_of(query, document, labels)
    loss.backward()
    torch.testing.assert_close(loss, expected["loss"], rtol=0, atol=1e-5)
    torch.testing.assert_close(query.grad, expected["loss.grad_query"], rtol=0, atol=1e-6)
    torch.testing.assert_close(document.grad, expected["loss.grad_passage"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("labels", [None, list("abcdefgh"), torch.arange(8)], ids=["none", "words", "tensor"])
def test_unique_labels_and_no_labels_are_plain_cross_entropy(model, labels):
    expected, _, loss_of = official(model)
    loss = loss_of(expected["query.masked.normalized"], expected["passage.masked.normalized"], labels)
    torch.testing.assert_close(loss, expected["loss_unique_labels"], rtol=0, atol=1e-5)
    plain = functional.cross_entropy(expected["logits"], torch.arange(8))
    torch.testing.assert_close(loss, plain, rtol=0, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_targets_are_the_official_ones(model):
    expected, labels, _ = official(model)
    targets = soft_targets(labels, labels, device=torch.device("cpu"))
    torch.testing.assert_close(targets, expected["label_matrix"])


def test_scale_and_token_masks_are_those_of_masked_scores():
    query, document = random_sides()
    query_mask, document_mask = torch.ones(6, 3), torch.ones(6, 3)
    query_mask[1, 1:] = document_mask[2, :2] = 0
    loss = late_interaction_loss(
        query, document, scale=2.0, query_mask=query_mask, document_mask=document_mask
    )
    logits = 2.0 * maxsim(query * query_mask[..., None], document, document_mask)
    torch.testing.assert_close(loss, functional.cross_entropy(logits, torch.arange(6)))


def test_symmetric_loss_is_the_mean_of_both_directions():
    query, document = random_sides()
    labels = list("abacdb")
    logits = maxsim(query, document)
    targets = soft_targets(labels, labels, device=query.device)
    both = [-(targets * scores.log_softmax(1)).sum(1).mean() for scores in (logits, logits.T)]
    loss = late_interaction_loss(query, document, labels, symmetric=True)
    torch.testing.assert_close(loss, sum(both) / 2)


def test_one_token_a_side_equals_the_single_vector_loss():
    query, document = random_sides(tokens=1)
    single = single_vector_loss(query[:, 0], document[:, 0], symmetric=True, scale=3.0)
    torch.testing.assert_close(late_interaction_loss(query, document, symmetric=True, scale=3.0), single)


def test_a_document_of_padding_only_keeps_the_loss_finite():
    query, document = random_sides()
    query.requires_grad_()
    mask = torch.ones(6, 3)
    mask[4] = 0
    loss = late_interaction_loss(query, document, scale=10.0, document_mask=mask)
    loss.backward()
    assert loss.isfinite()
    assert query.grad.isfinite().all()


@pytest.mark.parametrize(
    ("documents", "labels", "mask"), [(5, None, None), (6, "abcde", None), (6, None, (6, 4))]
)
def test_sides_that_do_not_fit_are_refused(documents, labels, mask):
    query, document = random_sides()
    with pytest.raises(ShapeError):
        late_interaction_loss(
            query, document[:documents], labels, document_mask=None if mask is None else torch.ones(mask)
        )


def run_processes(folder, tensors, *, rows, labels=None, symmetric=False):
    save_file(tensors, folder / "inputs.safetensors")
    (folder / "case.json").write_text(json.dumps({"rows": rows, "labels": labels, "symmetric": symmetric}))
    command = [sys.executable, str(WORKER)]
    workers = [subprocess.Popen([*command, str(r), str(len(rows)), str(folder)]) for r in range(len(rows))]
    assert [worker.wait(timeout=120) for worker in workers] == [0] * len(rows)
    return [load_file(folder / f"out{rank}.safetensors") for rank in range(len(rows))]


def test_two_processes_give_the_official_losses_and_gradients(tmp_path):
    case = load_file(FIXTURES / "loss_two_ranks" / "loss_two_ranks.safetensors")
    labels = json.loads((FIXTURES / "loss_two_ranks" / "meta.json").read_text())["labels"]
    inputs = {"query": case["query"], "document": case["passage"]}
    results = run_processes(tmp_path, inputs, rows=[(0, 4), (4, 8)], labels=[*labels[0], *labels[1]])
    for rank, result in enumerate(results):
        for ours, theirs in (
            ("loss", "loss"),
            ("grad_query", "grad_query"),
            ("grad_document", "grad_passage"),
        ):
            expected = case[f"rank{rank}.{theirs}"].reshape(result[ours].shape)
            torch.testing.assert_close(result[ours], expected, rtol=0, atol=1e-6)


def test_unequal_processes_equal_one_when_symmetric_and_masked(tmp_path):
    query, document = random_sides(rows=5)
    mask = torch.ones(5, 3)
    mask[1, 2] = mask[4, 1:] = 0
    labels, rows = list("abacb"), [(0, 3), (3, 5)]
    inputs = {"query": query.contiguous(), "document": document.contiguous(), "document_mask": mask}
    results = run_processes(tmp_path, inputs, rows=rows, labels=labels, symmetric=True)

    query, document = query.clone().requires_grad_(), document.clone().requires_grad_()
    targets = soft_targets(labels, labels, device=query.device)
    logits = maxsim(query, document, mask)
    each = [-(targets * scores.log_softmax(1)).sum(1) for scores in (logits, logits.T)]
    losses = [sum(side[start:end].mean() for side in each) / 2 for start, end in rows]
    sum(losses).backward()
    for result, loss, (start, end) in zip(results, losses, rows, strict=True):
        torch.testing.assert_close(result["loss"], loss.detach())
        torch.testing.assert_close(result["grad_query"], query.grad[start:end])
        torch.testing.assert_close(result["grad_document"], document.grad[start:end])


@pytest.mark.parametrize("model", MODELS)
def test_recall_at_1_is_the_correct_one(model):
    meta = json.loads((FIXTURES / model / "meta.json").read_text())
    logits = load_file(FIXTURES / model / "expected.safetensors")["logits"]
    assert recall_at_1(logits, meta["labels"], meta["labels"]) == meta["r_at_1_correct"]


def test_recall_at_1_of_hand_worked_scores():
    scores = torch.tensor([[0.9, 0.1, 0.2], [0.5, 0.4, 0.3], [0.1, 0.7, 0.7]])
    assert recall_at_1(scores, ["a", "b", "c"], ["a", "b", "c"]) == pytest.approx(
        1 / 3
    )  # a tie finds nothing
    assert recall_at_1(scores, ["a", "a", "c"], ["a", "c", "c"]) == 1.0  # unless all of it is right
    with pytest.raises(ShapeError):
        recall_at_1(scores, ["a"], ["a", "b", "c"])
