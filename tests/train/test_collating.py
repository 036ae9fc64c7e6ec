"""Batches of the collator: what is in them, what damage does to them, and real trainers that eat them."""

from __future__ import annotations

import copy
import io
import json
import logging
import math
import pickle
from shutil import rmtree

import pytest
import torch
from PIL import Image
from sentence_transformers import (
    MultiVectorEncoderTrainer,
    MultiVectorEncoderTrainingArguments,
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from tests.helpers.sentence_models import save_bert
from tests.helpers.tiny_ret import tiny_model, tiny_processor
from tests.train.runs import write_rows, write_run
from torch.utils.data import DataLoader

from plait.data.training.entities import content_entity, label_entity
from plait.data.training.examples import Side
from plait.data.training.jsonl import JsonlSource
from plait.encode.st import RetMultiVectorEncoder, RetSentenceTransformer
from plait.errors import InputError
from plait.train import preparing
from plait.train.collating import Damage, TrainingCollator
from plait.train.config import TrainConfig
from plait.train.data import to_dataset
from plait.train.settings_file import read_settings
from plait.train.trainer import train


@pytest.fixture
def encoder():
    return RetMultiVectorEncoder.from_ret(tiny_model(), tiny_processor(), device="cpu")


@pytest.fixture
def pictures(tmp_path):
    """Return paths of a red, a blue and three damaged pictures."""
    found = {}
    for name in ("red", "blue"):
        found[name] = str(tmp_path / f"{name}.png")
        Image.new("RGB", (20, 16), name).save(found[name])
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, "PNG")
    for name, data in (("cut", buffer.getvalue()[:900]), ("words", b"no picture")):
        found[name] = str(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.png").write_bytes(data)
    found["gone"] = str(tmp_path / "gone.png")
    return found


def row(query="a red square", *documents, name="1", label="", grades=(), teacher=()):
    """Return a row as a data set gives it; a side is its text, or a pair of text and picture."""

    def side(given):
        text, image = given if isinstance(given, tuple) else (given, "")
        return {"text": text, "image": image}

    return {
        "query": side(query),
        "documents": [side(given) for given in documents or ("a circle",)],
        "label": label,
        "grades": list(grades),
        "teacher": list(teacher),
        "id": name,
        "source": "rows",
    }


class Echo:
    """Gives back what it is asked to prepare."""

    def __call__(self, inputs, **options):
        return {"inputs": inputs, "options": options}


# --- what is in a batch ---


def test_documents_of_all_rows_follow_each_other_with_their_targets():
    rows = [
        row("q0", "p0", "n0", "n1", label="thing"),
        row("q1", "p1"),
        row("q2", "n2", "p2", "p3", label="thing", grades=[0, 2, 0.5], teacher=[-1, 3, 2]),
    ]
    batch = TrainingCollator(Echo())(rows)
    assert batch["query_inputs"] == [{"text": "q0"}, {"text": "q1"}, {"text": "q2"}]
    assert [one["text"] for one in batch["document_inputs"]] == ["p0", "n0", "n1", "p1", "n2", "p2", "p3"]
    targets = batch["label"]
    assert targets["owner"].tolist() == [0, 0, 0, 1, 2, 2, 2]
    assert targets["relevance"].tolist() == [1, 0, 0, 1, 0, 2, 0.5]
    assert targets["teacher"][4:].tolist() == [-1, 3, 2]
    assert all(math.isnan(score) for score in targets["teacher"][:4])
    thing = label_entity("thing")
    own = [content_entity(Side(text)) for text in ("n0", "n1", "p1", "n2")]
    assert targets["entity"].tolist() == [thing, own[0], own[1], own[2], own[3], thing, thing]
    kinds = {name: tensor.dtype for name, tensor in targets.items()}
    assert kinds == {
        "owner": torch.int64, "entity": torch.int64, "relevance": torch.float32, "teacher": torch.float32
    }  # fmt: skip


def test_entities_are_equal_for_equal_documents_across_rows(pictures):
    rows = [
        row("q0", "same", ("same", pictures["red"])),
        row("q1", "other", "same"),
        row("q2", "labelled", label="x"),
        row("q3", "more", "labelled"),  # a hard negative that is another row's labelled document
    ]
    entity = TrainingCollator(Echo())(rows)["label"]["entity"].tolist()
    assert entity[0] == entity[3]
    assert entity[1] == content_entity(Side("same", pictures["red"])) != entity[0]
    assert entity[4] == entity[6] == label_entity("x")
    assert len(set(entity)) == 5


def test_pictures_are_opened_and_sides_prepared_as_the_model_does(encoder, pictures):
    rows = [
        row(("a red square", pictures["red"]), ("the circle", ""), ("", pictures["blue"])),
        row("a blue circle", ("paper", pictures["blue"])),
    ]
    batch = TrainingCollator(encoder.preprocess)(rows)
    red, blue = Image.open(pictures["red"]), Image.open(pictures["blue"])
    expected = {
        "query": encoder.preprocess([{"text": "a red square", "image": red}, "a blue circle"]),
        "document": encoder.preprocess(["the circle", blue, {"text": "paper", "image": blue}]),
    }
    for side, features in expected.items():
        start = f"{side}_"
        found = {name.removeprefix(start): batch[name] for name in batch if name.startswith(start)}
        assert found.pop("task") == side
        assert found.keys() == features.keys()
        for name, tensor in features.items():
            torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


def test_a_text_that_names_a_file_stays_a_text(encoder, pictures):
    batch = TrainingCollator(encoder.preprocess)([row(pictures["red"], "a")])
    assert batch["query_image_mask"].tolist() == [0]


def test_prompts_lengths_and_tasks_go_to_their_side():
    collator = TrainingCollator(
        Echo(), prompts={"query": "find: ", "document": "doc: "}, max_length={"query": 8, "document": 20}
    )
    batch = collator([row()])
    assert batch["query_options"] == {"prompt": "find: ", "task": "query", "max_length": 8}
    assert batch["document_options"] == {"prompt": "doc: ", "task": "document", "max_length": 20}
    one = TrainingCollator(Echo(), prompts="see: ")([row() | {"dataset_name": "m2kr"}])
    assert one["query_options"] == {"prompt": "see: ", "task": "query"}
    assert one["dataset_name"] == "m2kr"
    assert TrainingCollator(Echo())([]) == {}


def test_models_of_sentence_transformers_take_the_batches(tmp_path):
    model = SentenceTransformer(str(save_bert(tmp_path / "bert")), device="cpu")
    batch = TrainingCollator(model.preprocess)([row("a red square", "the circle", "grey paper")])
    assert batch["query_input_ids"].shape[0] == 1
    assert batch["document_input_ids"].shape[0] == 2


# --- negatives ---


def test_negatives_are_limited_and_relevant_documents_are_not(pictures):
    many = row("q", "n0", "p0", "n1", ("n2", pictures["gone"]), "p1", "n3", grades=[0, 1, 0, 0, 2, 0])
    collator = TrainingCollator(Echo(), negatives_per_query=2)
    batch = collator([many])
    texts = [one["text"] for one in batch["document_inputs"]]
    assert sorted(text[0] for text in texts) == ["n", "n", "p", "p"]
    assert texts == sorted(texts, key=["n0", "p0", "n1", "n2", "p1", "n3"].index)  # in the row's order
    without = TrainingCollator(Echo(), negatives_per_query=0)
    none = without([many])
    assert [one["text"] for one in none["document_inputs"]] == ["p0", "p1"]
    assert none["label"]["relevance"].tolist() == [1, 2]
    assert without.damaged == Damage()  # what is not taken is not opened
    with pytest.raises(InputError, match="negatives_per_query is -1: expected 0 or more"):
        TrainingCollator(Echo(), negatives_per_query=-1)


def test_the_choice_depends_on_seed_epoch_and_row_alone():
    rows = [row(f"q{k}", "p", *(f"n{j}" for j in range(9)), name=str(k)) for k in range(12)]

    def chosen(*batches, seed=0, epoch=0):
        collator = TrainingCollator(Echo(), negatives_per_query=2, seed=seed)
        collator.set_epoch(epoch)
        found = {}
        for batch in batches:
            texts = [one["text"] for one in collator([rows[k] for k in batch])["document_inputs"]]
            found |= {k: texts[3 * place : 3 * place + 3] for place, k in enumerate(batch)}
        return found

    first = chosen(range(12))
    assert chosen([*range(11, 5, -1)], [*range(6)]) == first  # two processes' halves, in another order
    for others in (chosen(range(12), seed=1), chosen(range(12), epoch=1)):
        assert sum(others[k] == first[k] for k in range(12)) < 4
    assert len({tuple(texts) for texts in first.values()}) > 6


def test_a_run_draws_others_each_epoch_and_the_same_when_resumed(tmp_path, monkeypatch):
    drawn = []

    class Noting(TrainingCollator):
        def _row(self, given):
            found = super()._row(given)
            drawn.append((self.epoch, given["id"], [one.input["text"] for one in found.documents[1:]]))
            return found

    monkeypatch.setattr(preparing, "TrainingCollator", Noting)
    changes = {"objective__hard_negatives": 1, "trainer__batch_size": 10, "trainer__steps": 6}
    file = write_run(tmp_path, **changes, trainer__checkpoint_every=3)
    write_rows(tmp_path / "train.jsonl", rows=20, negatives=5)
    config = read_settings(TrainConfig, file)
    train(config)
    of_epochs = [{name: texts for epoch, name, texts in drawn if epoch == k} for k in range(3)]
    assert [len(rows) for rows in of_epochs] == [20, 20, 20]
    assert sum(of_epochs[0][name] == of_epochs[1][name] for name in of_epochs[0]) < 10
    whole = list(drawn)
    drawn.clear()
    rmtree(config.output.folder / "checkpoints" / "checkpoint-6")
    assert train(config).resumed_from == 3  # in the middle of the second epoch
    assert [one for one in drawn if one in whole] == drawn
    assert {epoch for epoch, *_ in drawn} == {1, 2}


# --- damage ---


@pytest.mark.parametrize("damage", ["cut", "words", "gone"])
def test_a_damaged_picture_leaves_the_text_the_document_or_the_row(encoder, pictures, damage):
    broken = pictures[damage]
    rows = [
        row(("a red square", broken), ("paper", broken), ("", broken), "turn", name="0", teacher=[1, 2, 3]),
        row(("", broken), "the circle", name="1"),
        row("left", ("", broken), "turn", name="2"),
        row("left", ("", broken), "turn", name="3", grades=[1, 1]),
        row("blue", "circle", name="4"),
    ]
    collator = TrainingCollator(encoder.preprocess)
    batch = collator(rows)
    targets = batch["label"]
    assert targets["owner"].tolist() == [0, 0, 1, 2]
    assert targets["relevance"].tolist() == [1, 0, 1, 1]
    assert targets["teacher"][:2].tolist() == [1, 3]
    assert len(batch["query_text_mask"]) == 3
    assert not batch["query_image_mask"].any()
    assert not batch["document_image_mask"].any()
    assert targets["entity"][0] == content_entity(Side("paper", broken))
    assert collator.damaged == Damage(pictures=6, documents=3, rows=2)
    assert str(collator.damaged) == "6 damaged pictures; 3 documents and 2 rows left out"


def test_a_picture_larger_than_allowed_is_damaged(encoder, pictures):
    collator = TrainingCollator(encoder.preprocess, max_pixels=20 * 16 - 1)
    batch = collator([row(("red", pictures["red"]))])
    assert not batch["query_image_mask"].any()
    assert collator.damaged.pictures == 1


def test_a_batch_of_which_nothing_is_left_is_an_error(encoder, pictures):
    collator = TrainingCollator(encoder.preprocess)
    with pytest.raises(
        InputError, match=r"none of the 2 rows of a batch can be used \(2 damaged pictures; 0 doc"
    ):
        collator([row(("", pictures["cut"])), row(("", pictures["gone"]))])


def test_rows_of_another_data_set_are_an_error():
    with pytest.raises(
        InputError, match=r"rows lack documents, grades.*they have query, positive: make the data set"
    ):
        TrainingCollator(Echo())([{"query": "q", "positive": "p"}])


def test_the_first_damaged_pictures_are_logged(pictures, caplog):
    collator = TrainingCollator(Echo())
    with caplog.at_level(logging.WARNING):
        for _ in range(30):
            collator([row(("red", pictures["cut"]), ("blue", pictures["gone"]))])
    assert len(caplog.records) == 20
    assert "cut.png" in caplog.text
    assert collator.damaged.pictures == 60


def test_copies_count_for_themselves(pictures):
    collator = TrainingCollator(Echo(), negatives_per_query=3)
    collator([row(("red", pictures["cut"]))])
    for copied in (pickle.loads(pickle.dumps(collator)), copy.deepcopy(collator)):
        assert (copied.negatives_per_query, copied.damaged) == (3, Damage(pictures=1))
        copied([row(("red", pictures["cut"]))])
        assert copied.damaged.pictures == 2
    assert collator.damaged.pictures == 1


# --- data loaders and trainers ---


@pytest.fixture
def dataset(tmp_path, pictures):
    """Return 12 rows of every kind, two with damaged pictures."""
    rows = []
    for k in range(12):
        shown = {"text": f"a {'red ' * (k % 3 + 1)} square", "image": f"{('red', 'blue')[k % 2]}.png"}
        rows.append(
            {
                "id": k,
                "query": [f"turn left {k}", shown, {"image": "red.png"}][k % 3],
                "positive": [{"image": "blue.png"}, f"the circle {k}", shown][k % 3] if k else "the circle 0",
                "negatives": [f"grey paper {j}" for j in range(k % 4)],
                "label": f"thing {k % 5}" if k % 2 else None,
            }
        )
    rows[3]["query"] = {"text": "paper", "image": "cut.png"}
    rows[7]["negatives"] = [{"image": "words.png"}, "turn"]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return to_dataset([JsonlSource(tmp_path / "rows.jsonl")], tmp_path / "cache")[0]


def same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        if isinstance(value, dict):
            same(value, other[name])
        elif isinstance(value, torch.Tensor):
            torch.testing.assert_close(value, other[name], rtol=0, atol=0, equal_nan=True)
        else:
            assert value == other[name]


@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_give_the_same_batches_and_share_their_count(encoder, dataset, start):
    collator = TrainingCollator(encoder.preprocess, negatives_per_query=1)
    plain = [collator([dataset[k] for k in range(first, first + 4)]) for first in (0, 4, 8)]
    here = collator.damaged
    assert here.pictures in (1, 2)
    loader = DataLoader(
        dataset, batch_size=4, num_workers=2, multiprocessing_context=start, collate_fn=collator
    )
    for batch, expected in zip(loader, plain, strict=True):
        same(batch, expected)
    assert collator.damaged.pictures == 2 * here.pictures


class WithoutCard:
    """Leaves out what would put rows into the model card, as our own trainers do."""

    def add_model_card_callback(self, default_args_dict):
        pass


class TokensTrainer(WithoutCard, MultiVectorEncoderTrainer):
    pass


class SingleTrainer(WithoutCard, SentenceTransformerTrainer):
    pass


class TrivialLoss(torch.nn.Module):
    """Draws each document's vectors towards those of its owner; keeps what it was given."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.seen = []

    def forward(self, features, labels):
        query, document = features
        assert (query["task"], document["task"]) == ("query", "document")
        self.seen.append((len(query["text_mask"]), labels))
        outputs = [self.model(side) for side in (query, document)]
        name = "token_embeddings" if "token_embeddings" in outputs[0] else "sentence_embedding"
        queries, documents = (output[name] for output in outputs)
        return ((queries[labels["owner"]] - documents) ** 2).flatten(1).sum(1).mul(labels["relevance"]).mean()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", ["tokens", "single"])
def test_the_trainers_take_three_steps(dataset, tmp_path, kind, workers):
    if kind == "tokens":
        model = RetMultiVectorEncoder.from_ret(tiny_model(), tiny_processor(), device="cpu")
        trainer, arguments = TokensTrainer, MultiVectorEncoderTrainingArguments
    else:
        model = RetSentenceTransformer.from_ret(tiny_model(pooled=True), tiny_processor(), device="cpu")
        trainer, arguments = SingleTrainer, SentenceTransformerTrainingArguments
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    loss, collator = TrivialLoss(model), TrainingCollator(model.preprocess, negatives_per_query=2)
    run = trainer(
        model=model,
        args=arguments(
            str(tmp_path / "run"), max_steps=3, per_device_train_batch_size=4, per_device_eval_batch_size=4,
            learning_rate=1e-2, logging_steps=1, report_to="none", use_cpu=True, disable_tqdm=True, seed=0,
            dataloader_num_workers=workers, save_strategy="no",
        ),
        train_dataset=dataset,
        eval_dataset=dataset,
        loss=loss,
        data_collator=collator,
    )  # fmt: skip
    run.train()
    losses = [entry["loss"] for entry in run.state.log_history if "loss" in entry]
    assert len(losses) == 3
    assert all(math.isfinite(value) for value in losses)
    assert [rows for rows, _ in loss.seen] == [4, 4, 4]
    assert all(len(targets["owner"]) == len(targets["entity"]) >= 4 for _, targets in loss.seen)
    assert any(not torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert collator.damaged.pictures > 0
    assert math.isfinite(run.evaluate()["eval_loss"])
