"""Every layer strategy in the official layout, against the maths written out a second time."""

from __future__ import annotations

import pytest
import torch
from tests.helpers.official_ret import LAYERS, reference_features, write_openclip
from torch.nn import functional

from plait.model.ret.inputs import RetInputs
from plait.model.ret.modeling_ret import RetForRetrieval


@pytest.mark.parametrize("name", ["clip_vit_b", "clip_vit_l"])
@pytest.mark.parametrize("side", ["query", "passage"])
def test_the_second_writing_gives_the_official_numbers(official, name, side):
    """So it may judge the strategies of which the release's own output is not at hand."""
    folder, inputs, expected = official(name)
    found = reference_features(folder, side, inputs[side])
    torch.testing.assert_close(found, expected[f"{side}.masked.features"], rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("strategy", ["openclip_vit_h", "openclip_vit_g"])
def test_openclip_checkpoints_give_the_same_numbers_as_the_second_writing(official, tmp_path, strategy):
    folder, inputs, _ = official("clip_vit_l")
    write_openclip(folder, tmp_path, strategy)
    model = RetForRetrieval.from_pretrained(tmp_path)
    assert tuple(map(list, (model.towers.layers.text, model.towers.layers.vision))) == LAYERS[strategy]
    for side, encode in (("query", model.encode_queries), ("passage", model.encode_documents)):
        expected = functional.normalize(reference_features(tmp_path, side, inputs[side]), dim=-1)
        with torch.inference_mode():
            found = encode(**inputs[side])
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)
        assert expected.std() > 0.1  # not all alike, so that a wrong layer would show


@pytest.mark.parametrize("strategy", ["openclip_vit_h", "openclip_vit_g"])
def test_one_wrong_layer_would_be_seen(official, tmp_path, strategy):
    folder, inputs, _ = official("clip_vit_l")
    write_openclip(folder, tmp_path, strategy)
    model = RetForRetrieval.from_pretrained(tmp_path)
    text, vision = LAYERS[strategy]
    wrong = RetInputs(**inputs["query"])
    with torch.inference_mode():
        right = model.query_features(wrong)
        model.towers.layers = type(model.towers.layers)(
            tuple(text), (*vision[:5], vision[5] + 1, *vision[6:])
        )
        assert (model.query_features(wrong) - right).abs().max() > 1e-3
