"""What towers give is what whole transformers models give, whatever is cut off, padded or frozen."""

from __future__ import annotations

import pytest
import torch
from tests.model.backbones import tiny
from tests.model.backbones.tiny import DEPTH, LITE, SIDE, TEXT, TOKENS, VISION
from transformers import PreTrainedConfig, PreTrainedModel

from plait.errors import ModelError, ShapeError
from plait.model import backbones
from plait.model.backbones.kinds import FAMILIES

ALL = TEXT + VISION
TRANSFORMERS = [name for name in ALL if name != LITE]
NAFLEX = "siglip2_vision_model"
RIGHT_PADDED = [name for name in TEXT if not name.startswith("siglip")]


def whole(made, model_type):
    """Return transformers' own model of full depth, with a tower's weights where it has them."""
    model = FAMILIES[model_type].model_class(tiny.config(model_type)).eval()
    model.load_state_dict(made.state_dict(), strict=False)
    return model


def by_hand(model, model_type, given):
    """Return the output of each layer of a whole model, caught at the layer itself, and the model's."""
    caught = []
    for layer in model.get_submodule(FAMILIES[model_type].layers):
        layer.register_forward_hook(
            lambda _layer, _inputs, out: caught.append(out[0] if isinstance(out, tuple) else out)
        )
    given = dict(given)
    if model_type.startswith("siglip"):
        given.pop("attention_mask", None)
    if model_type == NAFLEX:
        given = naflex(given["pixel_values"])
    with torch.no_grad():
        return caught, model(**given)


def naflex(pixels):
    """Return pictures as the image processor of SigLIP 2's NaFlex form cuts them."""
    from transformers.models.siglip2.image_processing_pil_siglip2 import convert_image_to_patches

    rows = [torch.from_numpy(convert_image_to_patches(picture.numpy(), 4)) for picture in pixels]
    grid = [pixels.shape[2] // 4, pixels.shape[3] // 4]
    return {
        "pixel_values": torch.stack(rows),
        "pixel_attention_mask": torch.ones(len(pixels), grid[0] * grid[1]),
        "spatial_shapes": torch.tensor([grid] * len(pixels)),
    }


@pytest.mark.parametrize("model_type", TRANSFORMERS)
@pytest.mark.parametrize(("layers", "pooled"), [([0, 2], False), ([1, 3], False), ([0, 3], True)])
def test_states_are_what_each_layer_of_the_whole_model_gives(model_type, layers, pooled):
    made, given = tiny.tower(model_type, layers, pooled=pooled), tiny.inputs(model_type)
    found = tiny.read(made, layers, given, pooled=pooled)
    expected, _ = by_hand(whole(made, model_type), model_type, given)
    for layer, states in zip(layers, found.layers, strict=True):
        torch.testing.assert_close(states, expected[layer], rtol=0, atol=1e-5)


def test_states_of_efficientnet_are_its_stages_averaged_over_a_grid():
    made, given = tiny.tower(LITE, [1, 3]), tiny.inputs(LITE)
    early, late = tiny.read(made, [1, 3], given).layers
    maps = made.network(given["pixel_values"])
    assert [tuple(of_stage.shape[1:]) for of_stage in maps] == [
        (16, 32, 32),
        (24, 16, 16),
        (40, 8, 8),
        (80, 4, 4),
    ]
    # 16 places a side in 3 cells: the first averages places 0 to 5.
    torch.testing.assert_close(early[:, 0], maps[1][:, :, :6, :6].mean((2, 3)))
    assert (early.shape, late.shape) == ((2, 9, 24), (2, 9, 80))


@pytest.mark.parametrize("model_type", [name for name in TRANSFORMERS if FAMILIES[name].pooling == "own"])
def test_the_pooled_vector_is_the_whole_models_own(model_type):
    made, given = tiny.tower(model_type, [0], pooled=True), tiny.inputs(model_type)
    found = tiny.read(made, [0], given, pooled=True).pooled
    _, expected = by_hand(whole(made, model_type), model_type, given)
    torch.testing.assert_close(found, expected.pooler_output, rtol=0, atol=1e-5)
    assert found.shape == (2, backbones.pooled_width(tiny.config(model_type)))


@pytest.mark.parametrize("model_type", [name for name in TEXT if FAMILIES[name].pooling == "mean"])
def test_the_pooled_vector_is_the_mean_over_words(model_type):
    made, given = tiny.tower(model_type, [0], pooled=True), tiny.inputs(model_type)
    found = tiny.read(made, [0], given, pooled=True).pooled
    last = whole(made, model_type)(**given).last_hidden_state
    torch.testing.assert_close(found[0], last[0].mean(0), rtol=0, atol=1e-5)
    torch.testing.assert_close(found[1], last[1, :4].mean(0), rtol=0, atol=1e-5)


def test_the_pooled_vector_of_efficientnet_is_the_mean_over_its_last_stage():
    made, given = tiny.tower(LITE, [0], pooled=True), tiny.inputs(LITE)
    found = tiny.read(made, [0], given, pooled=True).pooled
    torch.testing.assert_close(found, made.network(given["pixel_values"])[-1].mean((2, 3)))


@pytest.mark.parametrize("model_type", RIGHT_PADDED)
def test_padding_changes_nothing(model_type):
    made, given = tiny.tower(model_type, [0, 3], pooled=True), tiny.inputs(model_type)
    padded = tiny.read(made, [0, 3], given, pooled=True)
    alone = tiny.read(
        made, [0, 3], {"input_ids": given["input_ids"][1:, :4], "attention_mask": None}, pooled=True
    )
    for among, single in zip(padded.layers, alone.layers, strict=True):
        torch.testing.assert_close(among[1:, :4], single, rtol=0, atol=1e-5)
    torch.testing.assert_close(padded.pooled[1:], alone.pooled, rtol=0, atol=1e-5)


@pytest.mark.parametrize("model_type", ["siglip_text_model", "siglip2_text_model"])
def test_siglip_attends_its_padding_whatever_the_mask_says(model_type):
    made, given = tiny.tower(model_type, [3]), tiny.inputs(model_type)
    masked = tiny.read(made, [3], given).layers[0]
    unmasked = tiny.read(made, [3], given | {"attention_mask": None}).layers[0]
    assert torch.equal(masked, unmasked)


def test_naflex_reads_pictures_that_are_no_squares():
    made = tiny.tower(NAFLEX, [3])
    given = {"pixel_values": torch.randn(2, 3, 8, 24)}
    (found,) = tiny.read(made, [3], given).layers
    expected, _ = by_hand(whole(made, NAFLEX), NAFLEX, given)
    torch.testing.assert_close(found, expected[3], rtol=0, atol=1e-5)
    assert found.shape == (2, 12, 8)


@pytest.mark.parametrize("model_type", ALL)
@pytest.mark.parametrize("pooled", [False, True])
def test_every_weight_of_a_tower_gets_a_gradient(model_type, pooled):
    made = tiny.tower(model_type, [0, 2], pooled=pooled)
    found = tiny.read(made, [0, 2], tiny.inputs(model_type), pooled=pooled)
    outputs = found.layers + ([found.pooled] if pooled else [])
    sum(states.pow(2).sum() for states in outputs).backward()
    assert [name for name, parameter in made.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("model_type", ALL)
def test_a_frozen_tower_records_no_gradient(model_type):
    made = tiny.tower(model_type, [1]).requires_grad_(False)
    given = tiny.inputs(model_type)
    if model_type in VISION:
        given["pixel_values"].requires_grad_()
    assert tiny.read(made, [1], given).layers[0].grad_fn is None
    made.requires_grad_(True)
    assert tiny.read(made, [1], given).layers[0].grad_fn is not None


class HolderConfig(PreTrainedConfig):
    model_type = "test-holder"

    def __init__(self, name=None, **kwargs):
        self.name = name
        super().__init__(**kwargs)


class Holder(PreTrainedModel):
    config_class = HolderConfig

    def __init__(self, config):
        super().__init__(config)
        self.tower = tiny.tower(config.name, [0, DEPTH - 1], pooled=True, seed=torch.seed())
        self.post_init()

    def _init_weights(self, module):
        pass


@pytest.mark.parametrize("model_type", ALL)
def test_a_tower_inside_another_model_is_saved_and_loaded_whole(model_type, tmp_path):
    holder, given = Holder(HolderConfig(model_type)).eval(), tiny.inputs(model_type)
    holder.save_pretrained(tmp_path)
    loaded = Holder.from_pretrained(tmp_path)
    before = tiny.read(holder.tower, [0, 3], given, pooled=True)
    after = tiny.read(loaded.tower, [0, 3], given, pooled=True)
    for ours, theirs in zip([*before.layers, before.pooled], [*after.layers, after.pooled], strict=True):
        assert torch.equal(ours, theirs)


def test_texts_that_a_tower_cannot_read_are_refused():
    clip = tiny.tower("clip_text_model", [0])
    ids = torch.full((2, TOKENS + 1), 5)
    with pytest.raises(ShapeError, match=r"token ids are \(2, 13\), expected \(B, n\) with n up to 12"):
        backbones.read_text(clip, [0], input_ids=ids, attention_mask=None)
    with pytest.raises(ShapeError, match=r"the attention mask is \(2, 5\), but token ids are \(2, 4\)"):
        backbones.read_text(clip, [0], input_ids=ids[:, :4], attention_mask=torch.ones(2, 5))
    siglip = tiny.tower("siglip_text_model", [0])
    with pytest.raises(
        ShapeError, match=r"token ids are \(2, 4\), expected \(B, 12\): .*padded to the limit"
    ):
        backbones.read_text(siglip, [0], input_ids=ids[:, :4], attention_mask=None)


def test_pictures_that_a_tower_cannot_read_are_refused():
    with pytest.raises(ShapeError, match="pictures are 16 x 20, expected 16 on both sides"):
        backbones.read_vision(
            tiny.tower("siglip_vision_model", [0]), [0], pixel_values=torch.zeros(1, 3, SIDE, 20)
        )
    with pytest.raises(ShapeError, match="pictures are 16 x 18, expected multiples of 4"):
        backbones.read_vision(tiny.tower("dinov2", [0]), [0], pixel_values=torch.zeros(1, 3, SIDE, 18))
    with pytest.raises(ShapeError, match=r"pixel values are \(1, 16, 48\), .* do not cut them into patches"):
        backbones.read_vision(tiny.tower(NAFLEX, [0]), [0], pixel_values=torch.zeros(1, 16, 48))


def test_a_tower_of_the_other_side_is_refused():
    with pytest.raises(ModelError, match="'dinov2' is no supported text backbone"):
        backbones.read_text(
            tiny.tower("dinov2", [0]), [0], input_ids=torch.ones(1, 2, dtype=torch.long), attention_mask=None
        )
    with pytest.raises(ModelError, match="'bert' is no supported vision backbone"):
        backbones.read_vision(tiny.tower("bert", [0]), [0], pixel_values=torch.zeros(1, 3, SIDE, SIDE))


@pytest.mark.parametrize("model_type", ["bert", "dinov2"])
def test_a_pooled_vector_needs_a_tower_built_for_it(model_type):
    with pytest.raises(ModelError, match="built without its pooling"):
        tiny.read(tiny.tower(model_type, [DEPTH - 1]), [0], tiny.inputs(model_type), pooled=True)
