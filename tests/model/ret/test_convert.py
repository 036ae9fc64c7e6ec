"""Official checkpoints: both key styles, every name placed, and a clear word where one is not."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from plait.errors import ModelError
from plait.model.ret import convert
from plait.model.ret.modeling_ret import RetForRetrieval


def rewritten(folder, target, change):
    """Copy a checkpoint, its weights passed through `change`."""
    target.mkdir(exist_ok=True)
    shutil.copy(folder / "config.json", target)
    save_file(change(load_file(folder / "model.safetensors")), target / "model.safetensors")
    return target


def flattened(weights):
    """The names that transformers 5 writes."""
    return {re.sub(r"(text|vision)_model\.\1_model\.", r"\1_model.", name): t for name, t in weights.items()}


@pytest.mark.parametrize("name", ["clip_vit_b", "clip_vit_l", "variant_shared_pooled"])
def test_both_key_styles_load_to_the_same_weights(official, tmp_path, name):
    folder, _, _ = official(name)
    old = convert.load_official(folder)[1]
    new = convert.load_official(rewritten(folder, tmp_path, flattened))[1]
    assert old.keys() == new.keys() == RetForRetrieval.from_pretrained(tmp_path).state_dict().keys()
    assert all(torch.equal(old[key], new[key]) for key in old)


def test_an_official_folder_saved_by_us_is_loaded_again_exactly(official, tmp_path):
    folder, inputs, _ = official("clip_vit_l")
    model = RetForRetrieval.from_pretrained(folder)
    model.save_pretrained(tmp_path)
    again = RetForRetrieval.from_pretrained(tmp_path)
    assert convert.is_official(folder)
    assert not convert.is_official(tmp_path)
    assert torch.equal(model.encode_queries(**inputs["query"]), again.encode_queries(**inputs["query"]))


def test_backbones_of_their_own_are_placed_on_the_document_side(official, tmp_path):
    folder, inputs, expected = official("clip_vit_b")

    def duplicated(weights):
        backbone = {n: t for n, t in weights.items() if re.match(r"query_model\.(text|vision)_model\.", n)}
        return weights | {n.replace("query_model", "passage_model"): t.clone() for n, t in backbone.items()}

    rewritten(folder, tmp_path, duplicated)
    config = json.loads((folder / "config.json").read_text())
    config |= {"share_text_models": False, "share_vision_models": False}
    (tmp_path / "config.json").write_text(json.dumps(config))
    model = RetForRetrieval.from_pretrained(tmp_path)
    assert model.document_towers is not None
    found = model.encode_documents(**inputs["passage"])
    torch.testing.assert_close(found, expected["passage.masked.normalized"], rtol=0, atol=1e-6)


def test_stored_gate_priors_win_over_the_configuration(official, tmp_path):
    folder, _, _ = official("variant_shared_pooled")

    def changed(weights):
        return weights | {"query_model.ret_cell.forget_gate_bias_prior": torch.tensor(3.0)}

    config, _ = convert.load_official(rewritten(folder, tmp_path, changed))
    assert (config.query_config.input_gate_bias_prior, config.query_config.forget_gate_bias_prior) == (
        -0.5,
        3.0,
    )


def test_shards_are_read_as_one(official, tmp_path):
    folder, _, _ = official("variant_shared_pooled")
    shutil.copy(folder / "config.json", tmp_path)
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    for k in range(2):
        save_file({n: weights[n] for n in names[k::2]}, tmp_path / f"model-0000{k + 1}-of-00002.safetensors")
    whole, shards = convert.load_official(folder)[1], convert.load_official(tmp_path)[1]
    assert whole.keys() == shards.keys()


def test_unknown_and_missing_weights_are_named(official, tmp_path):
    folder, _, _ = official("variant_shared_pooled")
    for name in ("query_model.surprise.weight", "surprise.weight", "query_model.ret_cell.surprise"):
        extra = rewritten(folder, tmp_path, lambda weights, name=name: weights | {name: torch.zeros(1)})
        with pytest.raises(ModelError, match=f"unknown weight '{name}'"):
            RetForRetrieval.from_pretrained(extra)
    short = rewritten(
        folder, tmp_path, lambda w: {n: t for n, t in w.items() if n != "query_model.late_proj.weight"}
    )
    with pytest.raises(ModelError, match=r"missing keys, such as query_head\.projection\.weight"):
        RetForRetrieval.from_pretrained(short)


def test_missing_and_damaged_files_are_named(official, tmp_path):
    folder, _, _ = official("variant_shared_pooled")
    shutil.copy(folder / "config.json", tmp_path)
    with pytest.raises(ModelError, match="its weights are missing"):
        RetForRetrieval.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="damaged or cut off"):
        RetForRetrieval.from_pretrained(tmp_path)


def test_an_official_configuration_is_left_as_it_was(official):
    folder, _, _ = official("clip_vit_b")
    values = json.loads((folder / "config.json").read_text())
    convert.official_config(values)
    assert values == json.loads((folder / "config.json").read_text())
