"""The models: absent modalities cost nothing, batches equal rows, saved equals loaded."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.helpers.ret_models import MIXED, TEXT, VISION, batch, packed, pair, side
from torch.nn import functional
from transformers import CLIPConfig, CLIPModel

from plait.errors import ModelError, ShapeError
from plait.model.ret.configuration_ret import RetConfig, RetRetrievalConfig
from plait.model.ret.inputs import RetInputs
from plait.model.ret.modeling_ret import RetForRetrieval, RetModel


@pytest.fixture
def rows_run():
    """Return a function that counts the rows each tower of a model is run on."""

    def watch(towers):
        counts = {"text": [], "vision": []}
        towers.text.register_forward_hook(
            lambda _, args, given, out: counts["text"].append(len(given["input_ids"])), with_kwargs=True
        )
        towers.vision.register_forward_hook(
            lambda _, args, given, out: counts["vision"].append(len(given["pixel_values"])), with_kwargs=True
        )
        return counts

    return watch


def test_an_absent_modalitys_tower_is_not_run(rows_run):
    model, inputs = pair(), batch()
    counts = rows_run(model.towers)
    text_only = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    image_only = {"pixel_values": inputs["pixel_values"]}
    with torch.inference_mode():
        model.encode_queries(**text_only)
        assert counts == {"text": [4], "vision": []}
        model.encode_documents(**image_only)
        assert counts == {"text": [4], "vision": [4]}
        model.encode_documents(**inputs, image_mask=torch.zeros(4))
        assert counts == {"text": [4, 4], "vision": [4]}


def test_in_a_mixed_batch_towers_run_only_on_the_rows_that_have_them(rows_run):
    model, inputs = pair(), batch()
    counts = rows_run(model.towers)
    with torch.inference_mode():
        model.encode_queries(**inputs, **MIXED)
        model.encode_queries(**packed(inputs, MIXED))
    assert counts == {"text": [2, 2], "vision": [2, 2]}


def test_what_stands_in_absent_rows_changes_nothing_at_all():
    model, inputs = pair(), batch()
    spoiled = inputs | {
        "pixel_values": inputs["pixel_values"].clone(),
        "input_ids": inputs["input_ids"].clone(),
    }
    spoiled["pixel_values"][[1, 3]] = float("nan")
    spoiled["input_ids"][[2, 3]] = 5
    with torch.inference_mode():
        assert torch.equal(model.encode_queries(**inputs, **MIXED), model.encode_queries(**spoiled, **MIXED))
        assert torch.equal(
            model.encode_queries(**inputs, **MIXED), model.encode_queries(**packed(inputs, MIXED))
        )


@pytest.mark.parametrize("encode", ["encode_queries", "encode_documents"])
def test_a_mixed_batch_equals_its_rows_one_by_one(encode):
    model, inputs = pair(), batch()
    with torch.inference_mode():
        together = getattr(model, encode)(**inputs, **MIXED)
        for row in range(4):
            mine = {name: tensor[row : row + 1] for name, tensor in (inputs | MIXED).items()}
            kept = int(mine["attention_mask"].sum())
            mine["input_ids"], mine["attention_mask"] = (
                mine["input_ids"][:, :kept],
                mine["attention_mask"][:, :kept],
            )
            torch.testing.assert_close(getattr(model, encode)(**mine)[0], together[row], rtol=0, atol=1e-6)


def test_features_are_unit_length_tokens_of_the_configured_shape():
    out = pair().encode_queries(**batch())
    assert out.shape == (4, 3, 8)
    torch.testing.assert_close(out.norm(dim=-1), torch.ones(4, 3))
    pooled = pair(query={"output": "pooled"}, late_interaction=False)
    assert pooled.encode_documents(**batch()).shape == (4, 8)


def test_one_side_alone_is_the_same_side_of_the_pair():
    model = pair()
    one = RetModel(model.config.query_config).eval()
    one.towers.load_state_dict(model.towers.state_dict())
    one.head.load_state_dict(model.query_head.state_dict())
    out = one(**batch(), **MIXED)
    assert out.vector is None
    assert torch.equal(out.token_vectors, model.query_features(RetInputs(**batch(), **MIXED)))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"share_sides": True},
        {"share_text_tower": False},
        {"share_text_tower": False, "share_vision_tower": False},
        {"symmetric_loss": True},
    ],
    ids=str,
)
def test_saved_equals_loaded_exactly(tmp_path, changes):
    model = pair(**changes)
    model.save_pretrained(tmp_path)
    loaded = RetForRetrieval.from_pretrained(tmp_path)
    assert not loaded.training
    ours, theirs = model.state_dict(), loaded.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    inputs = batch()
    assert torch.equal(model.encode_documents(**inputs), loaded.encode_documents(**inputs))
    for name in ("share_sides", "share_text_tower", "share_vision_tower", "symmetric_loss"):
        assert getattr(loaded.config, name) == getattr(model.config, name)


def test_a_saved_model_still_works_and_one_side_saves_too(tmp_path):
    model = pair()
    before = model.encode_queries(**batch())
    model.save_pretrained(tmp_path / "pair")
    assert torch.equal(model.encode_queries(**batch()), before)
    one = RetModel(side()).eval()
    one.save_pretrained(tmp_path / "one")
    loaded = RetModel.from_pretrained(tmp_path / "one")
    assert torch.equal(loaded(**batch()).token_vectors, one(**batch()).token_vectors)


def test_frozen_backbones_do_not_train_before_or_after_loading(tmp_path):
    model = pair(query={"is_vision_frozen": False})
    model.save_pretrained(tmp_path)
    for each in (model, RetForRetrieval.from_pretrained(tmp_path)):
        trainable = {name for name, p in each.named_parameters() if p.requires_grad}
        assert not [name for name in trainable if name.startswith("towers.text")]
        assert [name for name in trainable if name.startswith("towers.vision")]
        assert each.train() is each
        assert (each.training, each.towers.text.training, each.towers.vision.training) == (True, False, True)
        assert each.eval() is each
        assert not each.towers.vision.training


def test_every_trainable_weight_gets_a_gradient():
    model = pair(query={"is_text_frozen": False, "is_vision_frozen": False}).train()
    model(batch(seed=1), batch(seed=2), ["a", "b", "a", "c"]).loss.backward()
    assert [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


def test_a_few_training_steps_lower_the_loss():
    model = pair()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for _ in range(30):
        loss = model(batch(seed=1), batch(seed=2)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_symmetric_loss_is_the_mean_of_both_directions():
    model = pair(symmetric_loss=True)
    out = model(batch(seed=1), batch(seed=2))
    one = torch.arange(4)
    expected = (functional.cross_entropy(out.logits, one) + functional.cross_entropy(out.logits.T, one)) / 2
    torch.testing.assert_close(out.loss, expected)


def test_an_incomplete_checkpoint_is_refused_not_filled_with_noise(tmp_path):
    pair().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["query_head.projection.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"1 missing keys, such as query_head\.projection\.weight"):
        RetForRetrieval.from_pretrained(tmp_path)


def test_inputs_that_do_not_fit_are_refused():
    model, inputs = pair(), batch()
    with pytest.raises(ShapeError, match="nothing to encode"):
        model.encode_queries()
    with pytest.raises(ShapeError, match="4 and 3 rows"):
        model.encode_queries(**inputs | {"pixel_values": inputs["pixel_values"][:3]})
    with pytest.raises(ShapeError, match="got 3 rows of inputs, expected 4, or only the 2"):
        model.encode_queries(**inputs | {"pixel_values": inputs["pixel_values"][:3]}, **MIXED)
    with pytest.raises(ShapeError, match="the image mask marks rows"):
        model.encode_queries(input_ids=inputs["input_ids"], image_mask=torch.ones(4))


def test_the_default_configuration_is_rets_and_its_dicts_are_left_alone():
    config = RetConfig()
    assert (config.hidden_size, config.num_queries, config.late_proj_output_size) == (1024, 32, 128)
    assert (config.num_attention_heads, config.intermediate_size, config.dropout_p) == (16, 4096, 0.05)
    values = {"text_config": dict(TEXT), "hidden_size": 64, "layer_strategy": "all"}
    RetRetrievalConfig(query_config=values)
    assert values == {"text_config": TEXT, "hidden_size": 64, "layer_strategy": "all"}


@pytest.mark.parametrize("autocast", [True, False])
def test_half_precision_stays_close(tmp_path, autocast):
    model, inputs = pair(), batch() | MIXED
    model.save_pretrained(tmp_path)
    half = RetForRetrieval.from_pretrained(tmp_path, dtype=torch.float32 if autocast else torch.bfloat16)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        found = half.encode_queries(**inputs)
    cosine = (found.float() * model.encode_queries(**inputs)).sum(-1)
    assert cosine.min() > 0.995


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_by_name(tmp_path, value):
    model = pair()
    with torch.no_grad():
        model.query_head.projection.weight[2, 3:5] = value
    model.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"2 of the 128 numbers in query_head\.projection\.weight are NaN"):
        RetForRetrieval.from_pretrained(tmp_path)


def test_finite_weights_whose_sum_is_not_are_accepted(tmp_path):
    model = pair()
    with torch.no_grad():
        model.query_head.projection.weight[0, :4] = 3e38
    model.save_pretrained(tmp_path)
    assert RetForRetrieval.from_pretrained(tmp_path)


def test_both_outputs_are_given_and_the_compared_one_is_chosen_by_the_configuration():
    inputs = RetInputs(**batch(), **MIXED)
    by_tokens, by_vector = (
        pair(query={"output": "both"}),
        pair(query={"output": "both"}, late_interaction=False),
    )
    out = by_tokens.query_output(inputs)
    assert torch.equal(out.vector, out.token_vectors.mean(1))
    assert torch.equal(by_tokens.query_features(inputs), out.token_vectors)
    assert torch.equal(by_vector.query_features(inputs), out.vector)


def test_adapters_begin_at_nothing_train_alone_and_merge_into_plain_weights(tmp_path):
    """LoRA on both backbones: the same outputs at first, gradients only in adapters and head, exact merge."""
    plain, adapted = pair(), pair(query={"text_lora_rank": 2, "vision_lora_rank": 2})
    missing, _ = adapted.load_state_dict(plain.state_dict(), strict=False)
    inputs = batch() | MIXED
    assert all("lora_" in name or "base_layer" in name for name in missing)
    adapted.train()
    adapted(batch(), batch(seed=1)).loss.backward()
    trained = {name for name, parameter in adapted.towers.named_parameters() if parameter.grad is not None}
    assert trained
    assert all("lora_" in name for name in trained)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    adapted.eval().save_pretrained(tmp_path)
    loaded = RetForRetrieval.from_pretrained(tmp_path)
    before = adapted.encode_queries(**inputs)
    assert torch.equal(loaded.encode_queries(**inputs), before)
    assert {p for n, p in loaded.towers.named_parameters() if p.requires_grad} == {
        p for n, p in loaded.towers.named_parameters() if "lora_" in n
    }
    merged = loaded.merge_adapters()
    assert merged.state_dict().keys() == plain.state_dict().keys()
    assert torch.allclose(merged.encode_queries(**inputs), before, atol=1e-5)
    merged.save_pretrained(tmp_path / "merged")
    again = RetForRetrieval.from_pretrained(tmp_path / "merged")
    assert torch.equal(again.encode_queries(**inputs), merged.encode_queries(**inputs))


def test_a_model_is_made_of_pretrained_backbones(tmp_path):
    """A CLIP folder serves as both; its weights arrive, the head is random, and adapters can be asked for."""
    torch.manual_seed(1)
    config = CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=8)
    clip = CLIPModel(config)
    clip.save_pretrained(tmp_path)
    made = RetForRetrieval.from_backbones(
        tmp_path, tmp_path, RetRetrievalConfig(query_config=side(text_config=None, vision_config=None))
    )
    assert made.config.query_config.text_config.hidden_size == TEXT["hidden_size"]
    ours, theirs = made.towers.text.state_dict(), clip.text_model.state_dict()
    assert ours.keys() <= theirs.keys()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    assert made.encode_queries(**batch()).shape == (4, 3, 8)
    lora = RetForRetrieval.from_backbones(
        tmp_path, tmp_path, RetRetrievalConfig(query_config=side(text_lora_rank=2))
    )
    assert any("lora_" in name for name, _ in lora.towers.text.named_parameters())
    lora.save_pretrained(tmp_path / "lora")
    loaded = RetForRetrieval.from_pretrained(tmp_path / "lora")
    assert torch.equal(loaded.encode_queries(**batch()), lora.encode_queries(**batch()))
