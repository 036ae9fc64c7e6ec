"""Texts and pictures become tensors, and an absent modality becomes none."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from tests.helpers.tiny_ret import MAX_TOKENS, tiny_model, tiny_processor

from plait.errors import InputError, ModelError
from plait.model.ret.processing_ret import RetProcessor

RED = Image.new("RGB", (40, 30), "red")
GREY = Image.new("L", (10, 50), 128)


def test_a_mixed_batch_holds_only_what_is_there():
    out = tiny_processor()(["a red square", None, "the circle", ""], [None, RED, GREY, RED])
    assert out["text_mask"].tolist() == [1, 0, 1, 0]
    assert out["image_mask"].tolist() == [0, 1, 1, 1]
    assert out["input_ids"].tolist() == [[62, 1, 3, 6, 63], [62, 2, 7, 63, 0]]
    assert out["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]]
    assert out["pixel_values"].shape == (3, 3, 16, 16)


@pytest.mark.parametrize(
    ("texts", "images", "names"),
    [
        (["red"], None, {"text_mask", "image_mask", "input_ids", "attention_mask"}),
        (None, [RED], {"text_mask", "image_mask", "pixel_values"}),
        (["red"], [RED], {"text_mask", "image_mask", "input_ids", "attention_mask", "pixel_values"}),
    ],
    ids=["text", "image", "both"],
)
def test_an_absent_modality_gives_no_tensors(texts, images, names):
    out = tiny_processor()(texts, images)
    assert set(out) == names
    assert tiny_model().encode_documents(**out).shape == (1, 3, 8)


def test_long_texts_are_cut_and_still_end_properly():
    ids = tiny_processor()(["red " * 50])["input_ids"]
    assert ids.shape == (1, MAX_TOKENS)
    assert ids[0, -1] == 63


def test_what_a_tokenizer_gives_beside_ids_and_mask_is_dropped():
    processor = tiny_processor()
    processor.tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    assert "token_type_ids" in processor.tokenizer("red")
    assert "token_type_ids" not in processor(["red"])


def test_a_saved_processor_loads_and_does_the_same(tmp_path):
    processor = tiny_processor()
    processor.save_pretrained(tmp_path)
    loaded = RetProcessor.from_pretrained(tmp_path)
    assert loaded.max_tokens == MAX_TOKENS
    ours, theirs = processor(["red " * 50, ""], [None, RED]), loaded(["red " * 50, ""], [None, RED])
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_folder_without_processors_says_what_is_missing(tmp_path):
    with pytest.raises(ModelError, match="holds no tokenizer"):
        RetProcessor.from_pretrained(tmp_path)
    tiny_processor().tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="holds no image processor"):
        RetProcessor.from_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(ModelError, match="its image processor cannot be loaded"):
        RetProcessor.from_pretrained(tmp_path)


def test_a_tokenizer_without_a_limit_needs_one():
    processor = tiny_processor()
    with pytest.raises(ModelError, match="give max_tokens"):
        RetProcessor(processor.tokenizer, processor.image_processor)


@pytest.mark.parametrize(
    ("texts", "images", "message"),
    [
        (["a"], [RED, RED], "1 texts but 2 images"),
        ([], None, "nothing to process"),
        (None, None, "nothing to process"),
        (["a", ""], [None, None], "item 1 has neither"),
    ],
)
def test_items_that_cannot_be_encoded_are_refused(texts, images, message):
    with pytest.raises(InputError, match=message):
        tiny_processor()(texts, images)
