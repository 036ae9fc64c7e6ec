"""The models: absent modalities cost nothing, batches equal rows, saved equals loaded."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from plait.errors import ModelError, ShapeError
from plait.model.ret.configuration_ret import RetConfig, RetRetrievalConfig
from plait.model.ret.modeling_ret import RetForRetrieval, RetInputs, RetModel

TEXT = {
    "vocab_size": 64, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 3,
    "num_attention_heads": 2, "max_position_embeddings": 16, "bos_token_id": 62,
    "eos_token_id": 63, "pad_token_id": 0,
}  # fmt: skip
VISION = {
    "hidden_size": 12, "intermediate_size": 16, "num_hidden_layers": 4,
    "num_attention_heads": 2, "image_size": 16, "patch_size": 8,
}  # fmt: skip


def side(**changes):
    options = {
        "text_config": TEXT, "vision_config": VISION, "text_layers": [0, 2], "vision_layers": [1, 2],
        "hidden_size": 16, "num_queries": 3, "num_attention_heads": 2, "late_proj_output_size": 8,
    }  # fmt: skip
    return RetConfig(**options | changes)


def pair(*, query=None, **changes):
    torch.manual_seed(0)
    return RetForRetrieval(RetRetrievalConfig(query_config=side(**query or {}), **changes)).eval()


def batch(rows=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, 60, (rows, 5), generator=generator)
    ids[:, 0], ids[:, -1] = 62, 63
    mask = torch.ones(rows, 5, dtype=torch.int64)
    if rows > 1:
        ids[1, 3], ids[1, 4], mask[1, 4] = 63, 0, 0
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "pixel_values": torch.randn(rows, 3, 16, 16, generator=generator),
    }


MIXED = {"text_mask": torch.tensor([1, 1, 0, 0]), "image_mask": torch.tensor([1, 0, 1, 0])}


def packed(inputs, masks):
    text, image = masks["text_mask"].bool(), masks["image_mask"].bool()
    return masks | {
        "input_ids": inputs["input_ids"][text],
        "attention_mask": inputs["attention_mask"][text],
        "pixel_values": inputs["pixel_values"][image],
    }


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
    pooled = pair(query={"use_pooler_features": True}, late_interaction=False)
    assert pooled.encode_documents(**batch()).shape == (4, 8)


def test_one_side_alone_is_the_same_side_of_the_pair():
    model = pair()
    one = RetModel(model.config.query_config).eval()
    one.towers.load_state_dict(model.towers.state_dict())
    one.head.load_state_dict(model.query_head.state_dict())
    assert torch.equal(one(**batch(), **MIXED), model.query_features(RetInputs(**batch(), **MIXED)))


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
    assert torch.equal(RetModel.from_pretrained(tmp_path / "one")(**batch()), one(**batch()))


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
    values = {"text_config": dict(TEXT), "hidden_size": 64}
    RetRetrievalConfig(query_config=values)
    assert values == {"text_config": TEXT, "hidden_size": 64}


@pytest.mark.parametrize("autocast", [True, False])
def test_half_precision_stays_close(tmp_path, autocast):
    model, inputs = pair(), batch() | MIXED
    model.save_pretrained(tmp_path)
    half = RetForRetrieval.from_pretrained(tmp_path, dtype=torch.float32 if autocast else torch.bfloat16)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        found = half.encode_queries(**inputs)
    cosine = (found.float() * model.encode_queries(**inputs)).sum(-1)
    assert cosine.min() > 0.995
