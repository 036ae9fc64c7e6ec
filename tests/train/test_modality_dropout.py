"""Modality dropout: which rows lose what, and that no backbone runs for what they lost."""

from __future__ import annotations

import pytest
import torch
from tests.train.objectives.encoders import encoder, features, given, targets
from tests.train.objectives.made import given_model, targets_of, unit

from plait.errors import InputError, ShapeError
from plait.train.loss import TrainingLoss
from plait.train.modality_dropout import ModalityDropout
from plait.train.objectives.contrastive import Contrastive


@pytest.fixture(scope="module")
def model():
    return encoder()


@pytest.fixture
def documents(model):
    """Return the features of nine documents, of which the second, the sixth and the eighth have both."""
    return features(model, *given())[1]


def kinds(features):
    """Return "t", "i" or "ti" for each row."""
    pairs = zip(features["text_mask"].tolist(), features["image_mask"].tolist(), strict=True)
    return ["t" * bool(text) + "i" * bool(image) for text, image in pairs]


def rows_seen(model):
    """Return the numbers of rows that the backbones see from now on, by backbone."""
    seen = {"text": [], "vision": []}

    def note(name):
        def hook(module, positional, named):
            seen[name].append(len(next(v for v in (*positional, *named.values()) if torch.is_tensor(v))))

        return hook

    towers = model[0].model.towers
    handles = [getattr(towers, name).register_forward_pre_hook(note(name), with_kwargs=True) for name in seen]
    return seen, handles


def test_nothing_is_dropped_and_nothing_drawn_at_0(documents):
    before = torch.get_rng_state()
    same = ModalityDropout()(documents)
    assert same.keys() == documents.keys()
    assert all(same[name] is documents[name] for name in documents)
    assert torch.equal(torch.get_rng_state(), before)


def test_at_1_all_rows_with_both_lose_one(documents):
    assert kinds(documents) == ["t", "ti", "t", "i", "i", "ti", "t", "ti", "i"]
    without_text = ModalityDropout(text=1.0)(documents)
    assert kinds(without_text) == ["t", "i", "t", "i", "i", "i", "t", "i", "i"]
    assert without_text["attention_mask"].any(1).tolist() == [kind == "t" for kind in kinds(without_text)]
    assert torch.equal(without_text["pixel_values"], documents["pixel_values"])
    without_image = ModalityDropout(image=1.0)(documents)
    assert kinds(without_image) == ["t", "t", "t", "i", "i", "t", "t", "t", "i"]
    kept = [1, 2, 5]  # of the pixels: those of the rows that have no text
    assert torch.equal(without_image["pixel_values"], documents["pixel_values"][kept])
    assert without_image["num_images_per_sample"].tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 1]
    assert torch.equal(without_image["input_ids"], documents["input_ids"])


def test_a_modality_that_no_row_keeps_has_no_tensors(model):
    both = model.preprocess(given()[1][1:2] * 3)
    assert not {"input_ids", "attention_mask"} & ModalityDropout(text=1.0)(both).keys()
    assert "pixel_values" not in ModalityDropout(image=1.0)(both)


def test_the_features_given_stay_as_they_are(documents):
    before = {name: value.clone() for name, value in documents.items() if torch.is_tensor(value)}
    ModalityDropout(text=1.0)(documents)
    ModalityDropout(image=1.0)(documents)
    assert all(torch.equal(documents[name], value) for name, value in before.items())


def test_a_seed_decides_and_shares_are_as_asked(model):
    both = model.preprocess(given()[1][1:2] * 400)
    results = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        results.append(kinds(ModalityDropout(text=0.5, image=0.25)(both)))
    assert results[0] == results[1] != results[2]
    for kind, share in (("i", 0.5), ("t", 0.25), ("ti", 0.25)):
        assert results[0].count(kind) / 400 == pytest.approx(share, abs=0.08)


@pytest.mark.parametrize("mini_batch_size", [None, 2])
@pytest.mark.parametrize(
    ("dropouts", "texts", "images"),
    [
        (((0, 0), None), (4, 6), (3, 6)),
        (((1, 0), None), (2, 3), (3, 6)),
        (((0, 1), None), (4, 6), (1, 3)),
        (((1, 0), (0, 1)), (2, 6), (3, 3)),
        (((0, 0), (1, 0)), (4, 3), (3, 6)),
    ],
)
def test_backbones_do_not_run_for_what_was_dropped(model, dropouts, texts, images, mini_batch_size):
    criterion = TrainingLoss(
        model, Contrastive(), mini_batch_size=mini_batch_size, modality_dropout=dropouts[0],
        document_modality_dropout=dropouts[1],
    )  # fmt: skip
    columns = features(model, *given())
    seen, handles = rows_seen(model)
    model.train()
    try:
        criterion(columns, targets().to_dict()).backward()
    finally:
        model.eval()
        for handle in handles:
            handle.remove()
    passes = 1 if mini_batch_size is None else 2  # both see the same
    assert sum(seen["text"]) == passes * sum(texts)
    assert sum(seen["vision"]) == passes * sum(images)


def test_dropping_is_encoding_inputs_that_lack_it(model):
    queries, documents = given()
    lacking = [
        {name: value for name, value in one.items() if name == "image"} if isinstance(one, dict) else one
        for one in queries
    ]
    expected = Contrastive()(
        model(features(model, lacking, documents)[0], task="query")["token_embeddings"],
        model(features(model, lacking, documents)[1], task="document")["token_embeddings"],
        targets(),
    )
    model.train()
    try:
        for mini_batch_size in (None, 1):
            criterion = TrainingLoss(
                model, Contrastive(), mini_batch_size=mini_batch_size, modality_dropout=(1.0, 0.0),
                document_modality_dropout=(0.0, 0.0),
            )  # fmt: skip
            found = criterion(features(model, queries, documents), targets().to_dict())
            torch.testing.assert_close(found, expected)
    finally:
        model.eval()


def test_nothing_is_dropped_while_the_model_does_not_train(model):
    criterion = TrainingLoss(model, Contrastive(), modality_dropout=(0.5, 0.5))
    columns, before = features(model, *given()), torch.get_rng_state()
    plain = TrainingLoss(model, Contrastive())(columns, targets().to_dict())
    torch.testing.assert_close(criterion(columns, targets().to_dict()), plain)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("text", "image"), [(-0.1, 0), (0, 1.1), (0.6, 0.6), (float("nan"), 0)])
def test_probabilities_out_of_range_are_refused(text, image):
    with pytest.raises(InputError, match="expected probabilities whose sum is 1 at most"):
        ModalityDropout(text, image)


def test_models_that_do_not_tell_their_modalities_are_refused():
    model = given_model()
    model.train()
    columns = [{"vectors": unit(2, 3, 4)}, {"vectors": unit(2, 3, 4)}]
    with pytest.raises(InputError, match="features are task, vectors, without text_mask and image_mask"):
        TrainingLoss(model, Contrastive(), modality_dropout=(0.1, 0.0))(
            columns, targets_of([[1], [1]]).to_dict()
        )


def test_pixels_of_other_rows_are_refused(documents):
    broken = documents | {"pixel_values": documents["pixel_values"][:4]}
    with pytest.raises(ShapeError, match="pixels are of 4 images, but 6 rows have one"):
        ModalityDropout(image=1.0)(broken)
