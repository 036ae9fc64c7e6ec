"""ReT-2: one encoder, three layers, one vector, the backbones' own features added; unknowns by name."""

from __future__ import annotations

import pytest
import torch
from tests.helpers.ret_models import TEXT, batch, ret2, ret2_side
from tests.helpers.tiny_ret import tiny_processor
from torch.nn import functional

from plait.errors import ModelError
from plait.model.ret.inputs import RetInputs
from plait.model.ret2.configuration_ret2 import Ret2Config, Ret2RetrievalConfig
from plait.model.ret2.modeling_ret2 import Ret2ForRetrieval, Ret2Model


def test_one_encoder_reads_three_layers_of_each_backbone_and_gives_one_unit_vector():
    model = ret2()
    assert model.document_head is None
    assert model.document_towers is None
    assert model.config.query_config.layers.text == (0, 1, 2)
    assert len(model.config.query_config.layers.vision) == 3
    assert model.config.query_config.layers.vision[-1] == 3
    inputs = batch()
    queries, documents = model.encode_queries(**inputs), model.encode_documents(**inputs)
    assert torch.equal(queries, documents)
    assert queries.shape == (4, 8)
    assert torch.allclose(queries.norm(dim=-1), torch.ones(4))


def test_the_vector_is_the_pooled_tokens_plus_each_projected_global_feature():
    """The sum is made by hand from the parts."""
    model = ret2(output="both")
    head = model.query_head
    inputs = batch()
    with torch.no_grad():
        out = model.query_output(RetInputs(**inputs))
        text = model.towers.text_states(RetInputs(**inputs))
        vision = model.towers.vision_states(RetInputs(**inputs))
        expected = (
            out.token_vectors.mean(1) + head.text_feature(text.feature) + head.vision_feature(vision.feature)
        )
    assert out.token_vectors.shape == (4, 4, 8)
    assert torch.allclose(out.vector, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("features", "texts", "images"),
    [("none", False, False), ("text", True, False), ("vision", False, True), ("both", True, True)],
)
def test_global_features_are_added_only_where_chosen(features, texts, images):
    model = ret2(global_features=features)
    assert (model.query_head.text_feature is not None) == texts
    assert (model.query_head.vision_feature is not None) == images


def test_a_row_without_an_image_gets_no_global_feature_of_one():
    model = ret2()
    inputs = batch()
    text_only = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    masks = {"text_mask": torch.tensor([1, 1, 1, 1]), "image_mask": torch.tensor([0, 1, 0, 1])}
    with torch.no_grad():
        mixed = model.encode_queries(**inputs, **masks)
        alone = model.encode_queries(**text_only)
        whole = model.encode_queries(**inputs)
    assert torch.allclose(mixed[[0, 2]], alone[[0, 2]], atol=1e-6)
    assert torch.allclose(mixed[[1, 3]], whole[[1, 3]], atol=1e-6)
    assert (whole[[0, 2]] - alone[[0, 2]]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("pooling", "reduce"),
    [("mean", lambda t: t.mean(1)), ("first", lambda t: t[:, 0]), ("max", lambda t: t.max(1).values)],
)
def test_tokens_become_the_vector_by_the_named_pooling(pooling, reduce):
    model = ret2(pooling=pooling, output="both", global_features="none")
    with torch.no_grad():
        out = model.query_output(RetInputs(**batch()))
    assert torch.equal(out.vector, reduce(out.token_vectors))


def test_the_loss_divides_scores_by_the_temperature():
    model = ret2()
    inputs = batch()
    with torch.no_grad():
        loss = model(inputs, batch(seed=1)).loss
        queries, documents = model.encode_queries(**inputs), model.encode_documents(**batch(seed=1))
        expected = functional.cross_entropy(queries @ documents.T / 0.02, torch.arange(4))
    assert torch.allclose(loss, expected, atol=1e-5)


def test_saved_equals_loaded_and_backbones_train_by_default(tmp_path):
    model = ret2(text_layers=[0, 2], vision_layers=[1, 3])
    model.save_pretrained(tmp_path)
    loaded = Ret2ForRetrieval.from_pretrained(tmp_path)
    assert loaded.config.model_type == "plait-ret2-retrieval"
    assert isinstance(loaded.config.query_config, Ret2Config)
    assert loaded.config.query_config.layers == model.config.query_config.layers
    assert torch.equal(model.encode_queries(**batch()), loaded.encode_queries(**batch()))
    assert all(parameter.requires_grad for parameter in loaded.parameters())


def test_every_weight_is_used_so_data_parallel_training_needs_no_search():
    model = ret2(output="pooled").train()
    model.encode_queries(**batch())[:, :4].sum().backward()
    unused = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert unused == []


def test_a_one_sided_model_gives_the_same_vector():
    model = ret2()
    one = Ret2Model(ret2_side()).eval()
    one.towers.load_state_dict(model.towers.state_dict())
    one.head.load_state_dict(model.query_head.state_dict())
    with torch.no_grad():
        assert torch.equal(one(**batch()).normalized().vector, model.encode_queries(**batch()))


def test_a_processor_made_for_ret_feeds_it():
    texts = ret2(text_config={**TEXT, "max_position_embeddings": 16})
    assert texts.encode_queries(**tiny_processor()(["red square"])).shape == (1, 8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ret2_side(output="tokens"), "global_features='both' are added to the one vector"),
        (lambda: ret2_side(pooling="median"), "unknown pooling 'median': use one of mean, first, max"),
        (lambda: ret2_side(output="all"), "unknown output 'all'"),
        (lambda: ret2_side(layer_strategy="nonesuch").layers, "unknown layer strategy 'nonesuch'"),
        (
            lambda: Ret2RetrievalConfig(query_config=ret2_side(), late_interaction=True),
            "late_interaction=True compares what output='pooled' does not give for queries",
        ),
        (
            lambda: Ret2RetrievalConfig(query_config=ret2_side(), loss_temperature=0.0),
            "loss_temperature is 0.0",
        ),
        (
            lambda: Ret2RetrievalConfig(
                query_config=ret2_side(),
                document_config=ret2_side(late_proj_output_size=4),
                share_sides=False,
            ),
            "queries have vectors of width 8, documents of 4",
        ),
        (
            lambda: Ret2RetrievalConfig(
                query_config=ret2_side(), document_config=ret2_side(global_features="text"), share_sides=False
            ),
            r"both sides share the vision backbone, but queries read .* set share_vision_tower=False",
        ),
    ],
)
def test_choices_that_contradict_each_other_are_refused(make, message):
    with pytest.raises(ModelError, match=message):
        make()
