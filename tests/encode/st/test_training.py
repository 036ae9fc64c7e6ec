"""Sentence-transformers' trainers and losses move the encoders, and mini-batches change no gradient."""

from __future__ import annotations

import pytest
import torch
from datasets import Dataset, Features, Image, Value
from peft import LoraConfig
from sentence_transformers import (
    MultiVectorEncoderTrainer,
    MultiVectorEncoderTrainingArguments,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.multi_vector_encoder.losses import (
    CachedMultiVectorMultipleNegativesRankingLoss,
    MultiVectorMultipleNegativesRankingLoss,
)
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from tests.helpers.ret_models import pair
from tests.helpers.tiny_ret import save_tiny_checkpoint, tiny_model, tiny_processor
from torch.nn.functional import cross_entropy

from plait.encode.st import RetMultiVectorEncoder, RetSentenceTransformer
from plait.errors import InputError, ModelError
from plait.scoring.maxsim import maxsim

# (text, image) of each row's query and documents: every kind, and columns that differ in their kinds
QUERIES = [(1, 0), (0, 1), (1, 1), (1, 0), (0, 1), (1, 1)]
POSITIVES = [(1, 1), (1, 0), (1, 1), (0, 1), (0, 1), (1, 0)]
NEGATIVES = [(1, 0)] * 6


@pytest.fixture(scope="module")
def rows(pictures):
    """Return dicts of text, image or both, by column."""
    seen = list(pictures.values())

    def column(name, kinds, start):
        return [
            {
                "text": f"{name} {'red ' * (k % 3 + 1)} {start + k}" if text else None,
                "image": seen[(start + k) % 3].rotate(31 * k + start) if image else None,
            }
            for k, (text, image) in enumerate(kinds)
        ]

    return {
        "query": column("turn", QUERIES, 0),
        "positive": column("the circle", POSITIVES, 1),
        "negative": column("grey paper", NEGATIVES, 2),
    }


@pytest.fixture(scope="module")
def dataset(rows):
    """Return a data set of {text, image} columns that decodes its pictures."""
    both = {"text": Value("string"), "image": Image()}
    features = Features({"query": both, "positive": both})
    return Dataset.from_dict({name: rows[name] for name in features}, features=features)


def features_of(encoder, rows, columns=("query", "positive")):
    return [
        encoder.preprocess(rows[name], task="document" if k else "query")
        | {"task": "document" if k else "query"}
        for k, name in enumerate(columns)
    ]


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


def trained(encoder, trainer, arguments, loss, dataset, folder, **options):
    """Return the losses of five steps."""
    arguments = arguments(
        str(folder), max_steps=5, per_device_train_batch_size=3, learning_rate=1e-2, logging_steps=1,
        report_to="none", use_cpu=True, disable_tqdm=True, save_steps=3, seed=0, **options,
    )  # fmt: skip
    run = trainer(model=encoder, args=arguments, train_dataset=dataset, loss=loss)
    run.train()
    return run, [float(entry["loss"]) for entry in run.state.log_history if "loss" in entry]


# --- gradients ---


def test_the_loss_is_cross_entropy_over_maxsim(encoder, rows):
    columns = ("query", "positive", "negative")
    loss = MultiVectorMultipleNegativesRankingLoss(encoder)(features_of(encoder, rows, columns))
    model, processor = tiny_model(), tiny_processor()
    query, positive, negative = (
        processor([row["text"] for row in rows[name]], [row["image"] for row in rows[name]])
        for name in columns
    )
    documents = torch.stack([model.encode_documents(**positive), model.encode_documents(**negative)], dim=1)
    scores = maxsim(model.encode_queries(**query), documents.flatten(0, 1))  # positive, negative, in turns
    torch.testing.assert_close(loss, cross_entropy(scores, torch.arange(6) * 2))


@pytest.mark.parametrize("mini_batch_size", [1, 2, 4, 6])
@pytest.mark.parametrize("columns", [("query", "positive"), ("query", "positive", "negative")])
def test_cached_gradients_equal_plain_ones(encoder, rows, mini_batch_size, columns):
    features = features_of(encoder, rows, columns)
    plain = MultiVectorMultipleNegativesRankingLoss(encoder)
    expected_loss = plain(features)
    expected = gradients(encoder, expected_loss)
    cached = CachedMultiVectorMultipleNegativesRankingLoss(encoder, mini_batch_size=mini_batch_size)
    loss = cached(features)
    found = gradients(encoder, loss)
    torch.testing.assert_close(loss, expected_loss)
    assert found.keys() == expected.keys()
    assert any("document_head.vision_adapters" in name for name in found)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-5)


def test_plain_loss_in_row_chunks_is_the_same(encoder, rows):
    features = features_of(encoder, rows)
    whole = MultiVectorMultipleNegativesRankingLoss(encoder)(features)
    chunks = MultiVectorMultipleNegativesRankingLoss(encoder, mini_batch_size=2)(features)
    torch.testing.assert_close(chunks, whole)


@pytest.mark.parametrize("mini_batch_size", [1, 4])
def test_cached_gradients_of_single_vectors_equal_plain_ones(single, rows, mini_batch_size):
    features = features_of(single, rows)
    expected = gradients(single, MultipleNegativesRankingLoss(single)(features, None))
    cached = CachedMultipleNegativesRankingLoss(single, mini_batch_size=mini_batch_size)
    found = gradients(single, cached(features, None))
    assert found.keys() == expected.keys()
    assert any("towers.vision" in name for name in found)  # ReT-2 trains its backbones
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-4)


def test_features_are_rows_but_for_the_pixels(encoder, rows):
    features = encoder.preprocess(rows["query"])
    assert {len(tensor) for name, tensor in features.items() if name != "pixel_values"} == {6}
    assert features["num_images_per_sample"].tolist() == [0, 1, 1, 0, 1, 1]
    assert features["pixel_values"].shape == (4, 3, 16, 16)
    assert features["attention_mask"].any(1).tolist() == [True, False, True, True, False, True]


# --- trainers ---


@pytest.mark.parametrize("cached", [False, True], ids=["plain", "cached"])
def test_five_steps_train_the_heads_and_leave_frozen_backbones(encoder, dataset, tmp_path, cached):
    loss = (
        CachedMultiVectorMultipleNegativesRankingLoss(encoder, mini_batch_size=2)
        if cached
        else MultiVectorMultipleNegativesRankingLoss(encoder)
    )
    before = {name: weight.clone() for name, weight in encoder.state_dict().items()}
    _, losses = trained(
        encoder, MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments, loss, dataset, tmp_path
    )
    assert len(losses) == 5
    assert losses[-1] < losses[0]
    changed = {name for name, weight in encoder.state_dict().items() if not torch.equal(weight, before[name])}
    assert any("query_head" in name for name in changed)
    assert any("document_head" in name for name in changed)
    assert not any("towers" in name for name in changed)


def test_plain_and_cached_training_end_alike(rows, dataset, tmp_path):
    ends = []
    for cached in (False, True):
        # Dropout draws differ between whole batches and mini-batches.
        model = pair(query={"dropout_p": 0.0, "attention_dropout": 0.0})
        encoder = RetMultiVectorEncoder.from_ret(model, tiny_processor(), device="cpu")
        loss = (
            CachedMultiVectorMultipleNegativesRankingLoss(encoder, mini_batch_size=2)
            if cached
            else MultiVectorMultipleNegativesRankingLoss(encoder)
        )
        _, losses = trained(
            encoder, MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments, loss, dataset,
            tmp_path / str(cached),
        )  # fmt: skip
        ends.append(losses)
    assert ends[0] == pytest.approx(ends[1], rel=1e-3)


def test_a_checkpoint_is_an_encoder_and_training_resumes_from_it(dataset, tmp_path):
    def start():
        return RetMultiVectorEncoder.from_ret(tiny_model(), tiny_processor(), device="cpu")

    whole = start()
    run, _ = trained(
        whole, MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments,
        MultiVectorMultipleNegativesRankingLoss(whole), dataset, tmp_path,
    )  # fmt: skip
    end = RetMultiVectorEncoder(str(tmp_path / "checkpoint-5"), device="cpu")
    assert torch.equal(end.encode_query("red"), whole.encode_query("red"))
    fresh = start()
    resumed = MultiVectorEncoderTrainer(
        model=fresh, args=run.args, train_dataset=dataset, loss=MultiVectorMultipleNegativesRankingLoss(fresh)
    )
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    torch.testing.assert_close(fresh.encode_query("red"), whole.encode_query("red"))


def test_single_vectors_train_too(single, dataset, tmp_path):
    _, losses = trained(
        single, SentenceTransformerTrainer, SentenceTransformerTrainingArguments,
        CachedMultipleNegativesRankingLoss(single, mini_batch_size=2), dataset, tmp_path,
    )  # fmt: skip
    assert losses[-1] < losses[0]


def test_two_heads_with_single_vectors_need_the_sides_of_columns(dataset, tmp_path):
    def train(**options):
        encoder = RetSentenceTransformer.from_ret(tiny_model(pooled=True), tiny_processor(), device="cpu")
        trained(
            encoder, SentenceTransformerTrainer, SentenceTransformerTrainingArguments,
            MultipleNegativesRankingLoss(encoder), dataset, tmp_path, **options,
        )  # fmt: skip
        return encoder.state_dict()

    with pytest.raises(InputError, match=r"no task says which: .* router_mapping="):
        train()
    before = RetSentenceTransformer.from_ret(
        tiny_model(pooled=True), tiny_processor(), device="cpu"
    ).state_dict()
    after = train(router_mapping={"query": "query", "positive": "document"})
    for head in ("query_head", "document_head"):
        assert any(head in name and not torch.equal(weight, before[name]) for name, weight in after.items())


# --- adapters ---


def test_adapters_train_alone_and_are_stored_alone(dataset, tmp_path):
    base = str(save_tiny_checkpoint(tmp_path / "base"))
    encoder = RetMultiVectorEncoder(base, device="cpu")
    plain = encoder.encode_query("a red square")
    encoder.add_adapter(LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    before = {name: weight.clone() for name, weight in encoder.state_dict().items()}
    trained(
        encoder, MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments,
        MultiVectorMultipleNegativesRankingLoss(encoder), dataset, tmp_path / "run",
    )  # fmt: skip
    changed = {name for name, weight in encoder.state_dict().items() if not torch.equal(weight, before[name])}
    assert changed
    assert all("lora_" in name for name in changed)
    adapted = encoder.encode_query("a red square")
    assert not torch.allclose(adapted, plain)

    encoder.save_pretrained(str(tmp_path / "adapter"))
    assert not (tmp_path / "adapter" / "model.safetensors").exists()
    loaded = RetMultiVectorEncoder(str(tmp_path / "adapter"), device="cpu")
    assert torch.equal(loaded.encode_query("a red square"), adapted)
    assert loaded.transformers_model.name_or_path == base
    loaded.disable_adapters()
    torch.testing.assert_close(loaded.encode_query("a red square"), plain)


def test_an_adapter_on_a_model_without_a_name_is_not_stored(encoder, tmp_path):
    encoder.add_adapter(LoraConfig(r=2, target_modules=["q_proj"]))
    with pytest.raises(ModelError, match="extends a model that was never stored, and is stored alone"):
        encoder.save_pretrained(str(tmp_path))
