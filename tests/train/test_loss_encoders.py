"""The training loss with other encoders: padding, ColBERT, single vectors, and what sides they see."""

from __future__ import annotations

import pytest
import torch
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.multi_vector_encoder.losses import MultiVectorMultipleNegativesRankingLoss
from tests.helpers.sentence_models import save_bert, save_colbert
from tests.train.objectives.encoders import assert_same_gradients, gradients
from tests.train.objectives.made import given_model, targets_of, unit

from plait.train.caching import Encoded
from plait.train.loss import TrainingLoss, joined
from plait.train.objectives.contrastive import Contrastive


def token_batch():
    """Return queries and documents with padding of large random vectors, and the same without any."""
    queries, documents = unit(3, 4, 5), unit(4, 6, 5, seed=1)
    masks = torch.ones(3, 4), torch.ones(4, 6)
    masks[0][1, 2:] = masks[1][0, 3:] = masks[1][2, :2] = 0  # on the left, too
    padded = [
        torch.where(mask[..., None] > 0, side, 9.0)
        for side, mask in zip((queries, documents), masks, strict=True)
    ]
    columns = [{"vectors": side, "mask": mask} for side, mask in zip(padded, masks, strict=True)]
    return columns, targets_of([[1, 0], [1], [1]])


@pytest.mark.parametrize("mini_batch_size", [None, 1, 2])
def test_padding_never_counts(mini_batch_size):
    columns, labels = token_batch()
    scores = torch.zeros(3, 4)
    for k, query in enumerate(columns[0]["vectors"]):
        for j, document in enumerate(columns[1]["vectors"]):
            real = query[columns[0]["mask"][k] > 0], document[columns[1]["mask"][j] > 0]
            scores[k, j] = (real[0] @ real[1].T).amax(1).sum()
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor([0, 2, 3]))
    for column in columns:
        column["vectors"].requires_grad_()
    criterion = TrainingLoss(given_model(), Contrastive(), mini_batch_size=mini_batch_size)
    loss = criterion(columns, labels.to_dict())
    loss.backward()
    torch.testing.assert_close(loss, expected)
    for column in columns:
        assert (column["vectors"].grad[column["mask"] == 0] == 0).all()


def test_a_row_of_padding_only_is_zeros():
    vectors, mask = unit(2, 3, 4), torch.tensor([[False, True, True], [False, False, False]])
    for copies, fill in ((True, vectors[0, 1]), (False, torch.zeros(4))):
        found = joined([Encoded(vectors, mask)], copies=copies)
        assert torch.equal(found[0], torch.stack([fill, vectors[0, 1], vectors[0, 2]]))
        assert (found[1] == 0).all()


@pytest.mark.parametrize("mini_batch_size", [None, 1])
def test_colbert_models_of_sentence_transformers_train_like_under_their_own_loss(tmp_path, mini_batch_size):
    model = MultiVectorEncoder(str(save_colbert(tmp_path)), device="cpu").eval()
    texts = (
        ["red", "a blue circle with paper", "turn left"],
        ["the red square", "the circle", "left of the paper"],
    )
    columns = [
        model.preprocess(side, task=task) | {"task": task}
        for side, task in zip(texts, ("query", "document"), strict=True)
    ]
    model.zero_grad()
    expected_loss = MultiVectorMultipleNegativesRankingLoss(model)([dict(column) for column in columns])
    expected_loss.backward()
    expected = gradients(model)
    criterion = TrainingLoss(model, Contrastive(), mini_batch_size=mini_batch_size)
    model.zero_grad()
    loss = criterion(columns, targets_of([[1]] * 3).to_dict())
    loss.backward()
    torch.testing.assert_close(loss.detach(), expected_loss.detach())
    assert_same_gradients(gradients(model), expected)


def test_single_vectors_of_sentence_transformers_train_too(tmp_path):
    model = SentenceTransformer(str(save_bert(tmp_path)), device="cpu").eval()
    columns = [
        model.preprocess(["red", "a blue circle"]),
        model.preprocess(["the red square", "circle", "left"]),
    ]
    labels = targets_of([[1, 0], [1]])
    vectors = [model(dict(column))["sentence_embedding"] for column in columns]
    for mini_batch_size in (None, 1):
        loss = TrainingLoss(model, Contrastive(), mini_batch_size=mini_batch_size)(columns, labels.to_dict())
        torch.testing.assert_close(loss, Contrastive()(*vectors, labels))


def test_columns_are_queries_and_documents_unless_they_say_otherwise():
    model = given_model()
    criterion = TrainingLoss(model, Contrastive())
    columns = [{"vectors": unit(2, 3, 4)}, {"vectors": unit(2, 3, 4), "task": "query"}]
    criterion(columns, targets_of([[1], [1]]).to_dict())
    assert model[0].tasks == ["query", "query"]
    criterion([columns[0], {"vectors": unit(2, 3, 4)}], targets_of([[1], [1]]).to_dict())
    assert model[0].tasks[2:] == ["query", "document"]
