"""transformers' Auto classes load what our classes save."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from tests.helpers.ret_models import pair, ret2, ret2_side, side
from tests.helpers.tiny_ret import save_tiny_checkpoint, tiny_processor
from transformers import AutoConfig, AutoModel, AutoProcessor

from plait.errors import ModelError
from plait.model import auto
from plait.model.ret.modeling_ret import RetModel
from plait.model.ret.processing_ret import RetProcessor
from plait.model.ret2.modeling_ret2 import Ret2Model

MADE = {
    "RetForRetrieval": pair,
    "RetModel": lambda: RetModel(side()).eval(),
    "Ret2ForRetrieval": ret2,
    "Ret2Model": lambda: Ret2Model(ret2_side()).eval(),
}


@pytest.mark.parametrize("name", MADE)
def test_auto_model_gives_the_class_and_weights_that_were_saved(name, tmp_path):
    model = MADE[name]()
    model.save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path)
    assert type(loaded).__name__ == name
    assert type(AutoConfig.from_pretrained(tmp_path)) is type(model.config)
    theirs = loaded.state_dict()
    assert model.state_dict().keys() == theirs.keys()
    assert all(torch.equal(tensor, theirs[key]) for key, tensor in model.state_dict().items())


def test_auto_processor_gives_ours(tmp_path):
    save_tiny_checkpoint(tmp_path)
    processor = AutoProcessor.from_pretrained(tmp_path)
    assert isinstance(processor, RetProcessor)
    shown = Image.new("RGB", (20, 20), "red")
    expected = tiny_processor()(["a red square"], [shown])
    assert all(
        torch.equal(expected[name], tensor) for name, tensor in processor(["a red square"], [shown]).items()
    )


def test_a_model_made_by_auto_encodes(tmp_path):
    save_tiny_checkpoint(tmp_path)
    model = AutoModel.from_pretrained(tmp_path)
    inputs = AutoProcessor.from_pretrained(tmp_path)(["a red square", "blue"])
    assert model.encode_queries(**inputs).shape == (2, 3, 8)


def test_auto_model_refuses_a_checkpoint_with_weights_missing(tmp_path):
    model = pair()
    model.save_pretrained(tmp_path, state_dict=dict(list(model.state_dict().items())[1:]))
    with pytest.raises(ModelError, match="missing keys"):
        AutoModel.from_pretrained(tmp_path)


def test_every_registered_model_has_its_config_class():
    assert all(model.config_class is config for config, model in auto.MODELS.items())
