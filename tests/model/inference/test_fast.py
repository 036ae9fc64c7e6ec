"""`prepare`: the same vectors as the model's own, whatever a row holds, at every precision."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.ret_models import MIXED, TEXT, VISION, batch, packed, pair, ret2

from plait.errors import ModelError, ShapeError
from plait.model.inference.fast import prepare
from plait.model.inference.linear import native_bfloat16
from plait.model.ret.modeling_ret import RetForRetrieval

# What rounding in each precision leaves of a token's direction, at least.
COSINE = {"float32": 0.999999, "bfloat16": 0.999, "mixed": 0.999, "int8": 0.999}
# Layers of 24 to 64 numbers, drawn large, average too few errors out: int8 is for wider ones.
NARROW = {
    ("clip_vit_l", "int8"): 0.995,
    ("variant_shared_pooled", "int8"): 0.99,
    ("variant_shared_pooled", "mixed"): 0.99,
}


def cosine(one, other):
    return torch.nn.functional.cosine_similarity(one, other, dim=-1).min().item()


def without(inputs, *names):
    return {name: tensor for name, tensor in inputs.items() if name not in names}


@pytest.mark.parametrize("precision", COSINE)
@pytest.mark.parametrize("name", ["clip_vit_b", "clip_vit_l", "variant_shared_pooled"])
def test_official_checkpoints_encode_alike_with_every_mix_of_modalities(official, name, precision):
    folder, inputs, expected = official(name)
    fast = prepare(RetForRetrieval.from_pretrained(folder), precision=precision)
    query, document = fast.encode_queries(**inputs["query"]), fast.encode_documents(**inputs["passage"])
    least = NARROW.get((name, precision), COSINE[precision])
    assert cosine(query, expected["query.masked.normalized"]) >= least
    assert cosine(document, expected["passage.masked.normalized"]) >= least


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"use_tanh": True, "input_gate_bias_prior": -0.5, "forget_gate_bias_prior": 1.0},
        {"activation_fn": "relu", "hidden_size": 32, "num_attention_heads": 4},
        {"activation_fn": "silu", "text_layers": [2], "vision_layers": [3]},
        {"output": "both", "pooling": "max", "global_features": "both"},
    ],
)
@pytest.mark.parametrize("masks", [{}, MIXED], ids=["both", "mixed"])
def test_float32_folds_every_choice_of_the_configuration(changes, masks):
    model = pair(query=changes)
    fast, inputs = prepare(model, precision="float32"), batch() | masks
    for side in ("encode_queries", "encode_documents"):
        torch.testing.assert_close(
            getattr(fast, side)(**inputs), getattr(model, side)(**inputs), atol=2e-6, rtol=0
        )


@pytest.mark.parametrize("masks", [{}, MIXED], ids=["both", "mixed"])
def test_ret2_gives_the_same_one_vector(masks):
    model = ret2()
    inputs = batch() | masks
    torch.testing.assert_close(
        prepare(model, precision="float32").encode_queries(**inputs),
        model.encode_queries(**inputs),
        atol=2e-6,
        rtol=0,
    )


def trained_like(seed):
    """Return a model whose norms, biases and channels differ in size, as training makes them."""
    model = pair(query={"hidden_size": 64, "num_queries": 4, "num_attention_heads": 4})
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if "norm" in name and name.endswith("weight"):
                weight.mul_(torch.exp(0.3 * noise))
            elif weight.ndim == 1:
                weight.add_(0.1 * noise)
    return model


@pytest.mark.parametrize("precision", COSINE)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000), rows=st.sampled_from([1, 2, 5, 32]), data=st.data())
def test_ragged_and_partly_absent_batches_stay_close(precision, seed, rows, data):
    model = trained_like(seed)
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor(data.draw(st.lists(st.integers(2, 12), min_size=rows, max_size=rows)))
    has = torch.tensor(
        data.draw(st.lists(st.sampled_from([(1, 0), (0, 1), (1, 1)]), min_size=rows, max_size=rows))
    )
    inputs = {
        "input_ids": torch.randint(1, 60, (rows, 12), generator=generator),
        "attention_mask": (torch.arange(12)[None] < lengths[:, None]).long(),
        "pixel_values": torch.randn(rows, 3, 16, 16, generator=generator),
        "text_mask": has[:, 0],
        "image_mask": has[:, 1],
    }
    fast = prepare(model, precision=precision)
    assert cosine(fast.encode_documents(**inputs), model.encode_documents(**inputs)) >= COSINE[precision]


@pytest.mark.parametrize("precision", COSINE)
def test_a_row_is_encoded_alike_alone_and_in_a_batch(precision):
    fast, inputs = prepare(pair(), precision=precision), batch() | MIXED
    together = fast.encode_queries(**inputs)
    for row in range(3):
        alone = fast.encode_queries(**{name: tensor[row : row + 1] for name, tensor in inputs.items()})
        assert cosine(alone[0], together[row]) >= 0.99999


def test_rows_may_come_packed_and_a_modality_may_not_come_at_all():
    fast, inputs = prepare(pair(), precision="float32"), batch()
    mixed = fast.encode_queries(**inputs, **MIXED)
    torch.testing.assert_close(fast.encode_queries(**packed(inputs, MIXED)), mixed)
    only_text = fast.encode_queries(**without(inputs, "pixel_values"))
    torch.testing.assert_close(only_text[1], mixed[1], atol=2e-6, rtol=0)


def test_batches_larger_than_a_part_may_come_packed_too():
    model, masks = (
        pair(),
        {"text_mask": torch.tensor([0, 1, 1] * 7), "image_mask": torch.tensor([1, 1, 0] * 7)},
    )
    masks["text_mask"][8:16] = 0  # a part without any text
    masks["image_mask"][8:16] = 1
    inputs = batch(21)
    expected = model.encode_documents(**inputs, **masks)
    fast = prepare(model, precision="float32")
    for shape in (inputs | masks, packed(inputs, masks)):
        torch.testing.assert_close(fast.encode_documents(**shape), expected, atol=2e-6, rtol=0)


def test_tensors_that_do_not_fit_the_masks_are_refused_in_large_batches_too():
    inputs = batch(21)
    with pytest.raises(ShapeError, match="got 20 rows of inputs, expected 21"):
        prepare(pair()).encode_queries(
            **inputs | {"input_ids": inputs["input_ids"][:20]}, text_mask=torch.ones(21)
        )


def test_the_model_stays_as_it_was():
    model, inputs = pair(), batch()
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trainable = [name for name, weight in model.named_parameters() if weight.requires_grad]
    prepare(model, precision="int8").encode_queries(**inputs)
    assert model.query_head.training
    assert [name for name, weight in model.named_parameters() if weight.requires_grad] == trainable
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_packed_towers_share_what_is_not_a_linear_map():
    model = pair()
    fast = prepare(model, precision="float32")
    own = model.towers.text.embeddings.token_embedding.weight
    assert fast.module.towers.text.embeddings.token_embedding.weight is own


def test_auto_and_mixed_take_bfloat16_only_where_the_processor_has_it():
    native = "bfloat16" if native_bfloat16() else "float32"
    auto, mixed = prepare(pair()), prepare(pair(), precision="mixed")
    assert (auto.precision, auto.tower_precision) == (native, native)
    assert (mixed.precision, mixed.tower_precision) == ("int8", native)


def test_what_cannot_be_prepared_is_refused_with_the_way_out():
    with pytest.raises(ModelError, match=r"'float16': use one of auto, float32"):
        prepare(pair(), precision="float16")
    with pytest.raises(ModelError, match=r"torch.bfloat16, expected torch.float32"):
        prepare(pair().bfloat16())
    with pytest.raises(ModelError, match=r"merge_adapters"):
        prepare(pair(query={"text_lora_rank": 2}))


@pytest.mark.parametrize("family", ["siglip", "bert"])
def test_other_backbones_run_with_packed_maps(family):
    changes = {
        "siglip": {
            "text_config": TEXT | {"model_type": "siglip_text_model", "max_position_embeddings": 5},
            "vision_config": VISION | {"model_type": "siglip_vision_model"},
        },
        "bert": {
            "text_config": TEXT | {"model_type": "bert"},
            "vision_config": VISION | {"model_type": "dinov2"},
        },
    }[family]
    model = pair(query=changes)
    inputs = batch() if family == "bert" else without(batch(), "attention_mask")
    torch.testing.assert_close(
        prepare(model, precision="float32").encode_queries(**inputs),
        model.encode_queries(**inputs),
        atol=2e-6,
        rtol=0,
    )
