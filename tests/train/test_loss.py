"""The training loss: the official values, and mini-batches that change neither loss nor gradients."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file
from sentence_transformers import (
    MultiVectorEncoderTrainer,
    MultiVectorEncoderTrainingArguments,
)
from sentence_transformers.multi_vector_encoder.data_collator import MultiVectorEncoderDataCollator
from tests.helpers.tiny_ret import tiny_processor
from tests.train.objectives.encoders import (
    assert_same_gradients,
    encoder,
    features,
    given,
    gradients,
    targets,
)
from tests.train.objectives.made import given_model, targets_of, unit

from plait.encode.st import RetMultiVectorEncoder, RetSentenceTransformer
from plait.errors import InputError, ShapeError, TrainError
from plait.model.ret.modeling_ret import RetForRetrieval
from plait.train.caching import ColumnEncoder
from plait.train.loss import TrainingLoss
from plait.train.objectives.contrastive import Contrastive
from plait.train.objectives.distillation import Distillation
from plait.train.objectives.matryoshka import Matryoshka
from plait.train.objectives.targets import Targets
from plait.train.objectives.weighted import Weighted

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ret"
MODELS = ["clip_vit_b", "clip_vit_l", "variant_shared_pooled"]
MINI_BATCHES = [None, 1, 2, 100]


def everything(*, margin=0.5):
    """Return an objective that uses every option."""
    contrastive = Contrastive(
        symmetric=True, temperature=0.5, learn_temperature=True, false_negative_margin=margin
    )
    matryoshka = Matryoshka(contrastive, [(None, None, 1.0), (2, 4, 0.5)])
    return Weighted([(1.0, matryoshka), (0.5, Distillation())])


def total(loss):
    return sum(loss.values()) if isinstance(loss, dict) else loss


def after(loss, columns, labels, *modules, scale=1.0):
    """Return the loss and the gradients of the modules, after a backward pass from it times a scale."""
    for module in modules:
        module.zero_grad()
    value = total(loss(columns, labels))
    (value * scale).backward()
    return value.detach(), gradients(*modules)


# --- the official release ---


@pytest.mark.parametrize("mini_batch_size", MINI_BATCHES)
@pytest.mark.parametrize("model", MODELS)
def test_loss_and_gradients_are_the_official_ones(model, mini_batch_size):
    expected = load_file(FIXTURES / model / "expected.safetensors")
    labels = json.loads((FIXTURES / model / "meta.json").read_text())["labels"]
    query = expected["query.masked.normalized"].requires_grad_()
    document = expected["passage.masked.normalized"].requires_grad_()
    entity = torch.tensor([labels.index(label) for label in labels])
    given = given_model(single="pooled" in model)
    criterion = TrainingLoss(given, Contrastive(), mini_batch_size=mini_batch_size)
    loss = criterion([{"vectors": query}, {"vectors": document}], Targets.pairs(entity).to_dict())
    loss.backward()
    torch.testing.assert_close(loss, expected["loss"], rtol=0, atol=1e-5)
    torch.testing.assert_close(query.grad, expected["loss.grad_query"], rtol=0, atol=1e-6)
    torch.testing.assert_close(document.grad, expected["loss.grad_passage"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_the_official_models_have_the_official_loss(model):
    folder = FIXTURES / model
    expected, inputs = load_file(folder / "expected.safetensors"), load_file(folder / "inputs.safetensors")
    labels = json.loads((folder / "meta.json").read_text())["labels"]
    kind = RetSentenceTransformer if "pooled" in model else RetMultiVectorEncoder
    encoder = kind.from_ret(RetForRetrieval.from_pretrained(folder), tiny_processor(), device="cpu")
    columns = [
        {name.partition(".")[2]: tensor for name, tensor in inputs.items() if name.startswith(side)}
        for side in ("query", "passage")
    ]
    entity = torch.tensor([labels.index(label) for label in labels])
    loss = TrainingLoss(encoder, Contrastive())(columns, Targets.pairs(entity).to_dict())
    torch.testing.assert_close(loss, expected["loss"], rtol=0, atol=1e-4)


# --- mini-batches ---


@pytest.mark.parametrize("mini_batch_size", [1, 2, 4, 100])
@pytest.mark.parametrize("single", [False, True], ids=["tokens", "single"])
def test_cached_gradients_equal_plain_ones(single, mini_batch_size):
    model, objective = encoder(single=single), everything()
    if single:
        objective = Weighted([(1.0, Contrastive(learn_temperature=True)), (0.5, Distillation("margin_mse"))])
    columns, labels = features(model, *given()), targets().to_dict()
    expected_loss, expected = after(TrainingLoss(model, objective), columns, labels, model, objective)
    cached = TrainingLoss(model, objective, mini_batch_size=mini_batch_size)
    loss, found = after(cached, columns, labels, model, objective)
    torch.testing.assert_close(loss, expected_loss)
    assert any("log_temperature" in name for name in found)
    assert any("document_head" in name or single for name in found)
    assert_same_gradients(found, expected)


@pytest.mark.parametrize("mini_batch_size", [None, 2])
def test_gradients_accumulate_over_batches_and_scale_with_the_loss(mini_batch_size):
    model, objective = encoder(), everything()
    criterion = TrainingLoss(model, objective, mini_batch_size=mini_batch_size)
    columns, labels = features(model, *given()), targets().to_dict()
    _, whole = after(criterion, columns, labels, model, objective)
    model.zero_grad()
    objective.zero_grad()
    for _ in range(4):
        (total(criterion(columns, labels)) / 8).backward()
    assert_same_gradients(
        gradients(model, objective), {name: gradient / 2 for name, gradient in whole.items()}
    )


def test_a_second_batch_before_the_first_backward_pass_mixes_nothing_up():
    model, objective = encoder(), Contrastive(learn_temperature=True)
    queries, documents = given()
    batches = [
        (features(model, queries, documents), targets().to_dict()),
        (features(model, documents[:2], queries[:2]), targets_of([[1], [1]]).to_dict()),
    ]
    results = []
    for mini_batch_size in (None, 2):
        criterion = TrainingLoss(model, objective, mini_batch_size=mini_batch_size)
        model.zero_grad()
        objective.zero_grad()
        losses = [criterion(*batch) for batch in batches]
        (losses[0] + 2 * losses[1]).backward()
        results.append(gradients(model, objective))
    assert_same_gradients(results[1], results[0])


def test_the_second_pass_draws_the_dropout_of_the_first():
    model, objective = encoder(dropout=0.3).train(), Contrastive(learn_temperature=True)
    columns, labels = features(model, *given()), targets()
    torch.manual_seed(5)
    once = ColumnEncoder(model, "token_embeddings", mini_batch_size=2, device_type="cpu")
    sides = [
        torch.cat([vectors for vectors, _, _ in once.embed_minibatch_iter(column, True, False)])
        for column in columns
    ]
    objective(*sides, labels).backward()
    expected = gradients(model, objective)
    torch.manual_seed(5)
    cached = TrainingLoss(model, objective, mini_batch_size=2)
    _, found = after(cached, columns, labels.to_dict(), model, objective)
    assert_same_gradients(found, expected)
    torch.manual_seed(6)
    _, other = after(cached, columns, labels.to_dict(), model, objective)
    assert not torch.allclose(other["1.log_temperature"], found["1.log_temperature"])


def test_mixed_precision_is_the_same_in_both_passes():
    model, objective = encoder(), Contrastive(learn_temperature=True)
    columns, labels = features(model, *given()), targets().to_dict()
    results = []
    for mini_batch_size in (None, 100):
        criterion = TrainingLoss(model, objective, mini_batch_size=mini_batch_size)
        model.zero_grad()
        objective.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = criterion(columns, labels)
        loss.backward()
        results.append(gradients(model, objective))
    assert_same_gradients(results[1], results[0])
    _, full = after(TrainingLoss(model, objective), columns, labels, model, objective)
    assert not torch.equal(full["1.log_temperature"], results[0]["1.log_temperature"])  # it was in force


@pytest.mark.parametrize("mini_batch_size", [None, 1])
def test_scores_and_their_gradients_are_in_full_under_mixed_precision(mini_batch_size):
    results = []
    for mixed in (False, True):
        columns = [{"vectors": unit(3, 4, 5).requires_grad_()}, {"vectors": unit(4, 4, 5, seed=1)}]
        criterion = TrainingLoss(given_model(), Contrastive(), mini_batch_size=mini_batch_size)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            loss = criterion(columns, targets_of([[1, 0], [1], [1]]).to_dict())
        loss.backward()
        results.append((loss.detach(), columns[0]["vectors"].grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("mini_batch_size", [None, 2])
def test_evaluation_gives_the_loss_alone(mini_batch_size):
    model, objective = encoder(dropout=0.3), everything()
    criterion = TrainingLoss(model, objective, mini_batch_size=mini_batch_size, modality_dropout=(0.5, 0.5))
    columns, labels = features(model, *given()), targets().to_dict()
    with torch.no_grad():
        loss = criterion(columns, labels)
    assert not any(part.requires_grad for part in loss.values())
    torch.testing.assert_close(total(loss), total(TrainingLoss(model, objective)(columns, labels)).detach())


# --- in a trainer ---


class Collator(MultiVectorEncoderDataCollator):
    """Gives the batch of `given` for any rows."""

    def __call__(self, rows):
        model = encoder()
        columns = zip(("query_", "document_"), features(model, *given()), strict=True)
        batch = {prefix + name: value for prefix, column in columns for name, value in column.items()}
        return batch | {"label": targets().to_dict()}


def test_the_trainer_trains_model_and_temperature_and_logs_each_part(tmp_path):
    model = encoder()
    objective = everything(margin=None)  # with one, what leaves the softmax changes from step to step
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    arguments = MultiVectorEncoderTrainingArguments(
        str(tmp_path), max_steps=4, per_device_train_batch_size=5, learning_rate=2e-3, logging_steps=1,
        gradient_accumulation_steps=2, eval_strategy="steps", eval_steps=4, report_to="none", use_cpu=True,
        disable_tqdm=True, save_strategy="no", remove_unused_columns=False, seed=0,
    )  # fmt: skip
    rows = Dataset.from_dict({"query": ["red"] * 10, "document": ["red"] * 10})
    trainer = MultiVectorEncoderTrainer(
        model=model, args=arguments, train_dataset=rows, eval_dataset=rows,
        data_collator=Collator(preprocess_fn=model.preprocess),
        loss=TrainingLoss(model, objective, mini_batch_size=2),
    )  # fmt: skip
    trainer.train()
    steps = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert steps[-1]["loss"] < steps[0]["loss"]
    for entry in steps:
        assert entry["matryoshka"] + entry["distillation"] == pytest.approx(entry["loss"], abs=2e-4)
    evaluation = next(entry for entry in trainer.state.log_history if "eval_loss" in entry)
    assert evaluation["eval_matryoshka"] + evaluation["eval_distillation"] == pytest.approx(
        evaluation["eval_loss"], abs=2e-4
    )
    changed = {name for name, weight in model.state_dict().items() if not torch.equal(weight, before[name])}
    assert any("query_head" in name for name in changed)
    assert any("document_head" in name for name in changed)
    assert not any("towers" in name for name in changed)
    assert objective.objectives[0].objective.temperature != pytest.approx(0.5)


# --- bad input ---


@pytest.mark.parametrize("mini_batch_size", [None, 1])
@pytest.mark.parametrize(
    ("side", "value", "message"),
    [
        (0, float("nan"), "1 of 2 queries were encoded as NaN or infinity; resume from the last checkpoint"),
        (1, float("inf"), "2 of 3 documents were encoded as NaN or infinity"),
    ],
)
def test_a_loss_that_is_no_number_tells_what_is_none(side, value, message, mini_batch_size):
    columns = [{"vectors": unit(2, 3, 4)}, {"vectors": unit(3, 3, 4)}]
    columns[side]["vectors"][: side + 1, 0, 0] = value
    criterion = TrainingLoss(given_model(), Contrastive(), mini_batch_size=mini_batch_size)
    with pytest.raises(TrainError, match=message):
        criterion(columns, targets_of([[1, 0], [1]]).to_dict())


def test_a_temperature_that_is_no_number_is_told_apart():
    objective = Contrastive(learn_temperature=True)
    objective.log_temperature.data.fill_(float("nan"))
    columns = [{"vectors": unit(2, 3, 4)}, {"vectors": unit(2, 3, 4)}]
    with pytest.raises(TrainError, match="the loss is nan: queries and documents are finite, but"):
        TrainingLoss(given_model(), objective)(columns, targets_of([[1], [1]]).to_dict())


def test_batches_of_another_shape_are_refused():
    criterion = TrainingLoss(given_model(), Contrastive())
    labels = targets_of([[1], [1]]).to_dict()
    with pytest.raises(ShapeError, match="the batch has 3 columns: expected queries, and documents"):
        criterion([{"vectors": unit(2, 3, 4)}] * 3, labels)
    with pytest.raises(ShapeError, match="a batch's label holds NoneType"):
        criterion([{"vectors": unit(2, 3, 4)}] * 2, None)


def test_options_out_of_range_are_refused():
    with pytest.raises(InputError, match="mini_batch_size is 0: expected 1 or more"):
        TrainingLoss(given_model(), Contrastive(), mini_batch_size=0)
    with pytest.raises(InputError, match="the model is a Linear: expected a MultiVectorEncoder or"):
        TrainingLoss(torch.nn.Linear(2, 2), Contrastive())


def test_its_options_are_told():
    objective = Contrastive()
    criterion = TrainingLoss(given_model(), objective, mini_batch_size=2, modality_dropout=(0.1, 0.2))
    assert criterion.get_config_dict() == {
        "objective": objective, "mini_batch_size": 2, "modality_dropout": (0.1, 0.2),
        "document_modality_dropout": (0.1, 0.2),
    }  # fmt: skip
