"""The official release's own numbers, reproduced on every checkpoint, side and combination of inputs."""

from __future__ import annotations

import json

import pytest
import torch
from torch.nn import functional

from plait.model import backbones
from plait.model.ret.modeling_ret import RetForRetrieval, RetInputs
from plait.scoring.dense import inner_products
from plait.scoring.maxsim import maxsim

MODELS = ["clip_vit_b", "clip_vit_l", "variant_shared_pooled"]
DROPPED = {
    "masked": (),
    "nomask": ("text_mask", "image_mask"),
    "noattn": ("text_mask", "image_mask", "attention_mask"),
}


@pytest.fixture(scope="module", params=MODELS)
def case(request, official):
    folder, inputs, expected = official(request.param)
    return RetForRetrieval.from_pretrained(folder), inputs, expected, folder


def features(model, side, inputs):
    encode = model.query_features if side == "query" else model.document_features
    with torch.inference_mode():
        return encode(RetInputs(**inputs))


@pytest.mark.parametrize("side", ["query", "passage"])
@pytest.mark.parametrize("way", DROPPED)
def test_features_are_the_official_ones(case, side, way):
    model, inputs, expected, _ = case
    given = {name: tensor for name, tensor in inputs[side].items() if name not in DROPPED[way]}
    found = features(model, side, given)
    torch.testing.assert_close(found, expected[f"{side}.{way}.features"], rtol=1e-5, atol=2e-5)
    unit = functional.normalize(found, dim=-1)
    torch.testing.assert_close(unit, expected[f"{side}.{way}.normalized"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("side", ["query", "passage"])
def test_each_row_alone_is_the_official_one_with_its_absent_tensors_left_out(case, side):
    model, inputs, expected, _ = case
    seen = set()
    for row in range(8):
        mine = {name: tensor[row : row + 1] for name, tensor in inputs[side].items()}
        text, image = bool(mine["text_mask"]), bool(mine["image_mask"])
        if not text:
            del mine["input_ids"], mine["attention_mask"]
        if not image:
            del mine["pixel_values"]
        found = features(model, side, mine)[0]
        torch.testing.assert_close(found, expected[f"{side}.masked.features"][row], rtol=1e-5, atol=3e-5)
        seen.add((text, image))
    assert len(seen) == 4


def test_scores_are_the_official_ones(case):
    model, inputs, expected, _ = case
    score = maxsim if model.config.late_interaction else inner_products
    with torch.inference_mode():
        queries = model.encode_queries(**inputs["query"])
        found = score(queries, model.encode_documents(**inputs["passage"]))
    torch.testing.assert_close(found, expected["logits"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", MODELS[:2])
def test_token_masks_of_scores_are_the_official_ones(official, name):
    _, _, expected = official(name)
    queries, documents = expected["query.masked.normalized"], expected["passage.masked.normalized"]
    query_mask = expected["logits_token_masks.query_mask"]
    found = 2.0 * maxsim(
        queries * query_mask[..., None], documents, expected["logits_token_masks.passage_mask"]
    )
    torch.testing.assert_close(found, expected["logits_token_masks"], rtol=0, atol=1e-5)


def test_forward_is_the_official_one(case):
    """Whose query side is given no text mask (an oversight of the release) and so reads empty texts."""
    model, inputs, expected, folder = case
    labels = json.loads((folder / "meta.json").read_text())["labels"]
    queries = {name: tensor for name, tensor in inputs["query"].items() if name != "text_mask"}
    with torch.inference_mode():
        out = model(queries, inputs["passage"], labels)
    torch.testing.assert_close(out.loss, expected["forward.loss"], rtol=0, atol=1e-5)
    for ours, theirs in (("query_features", "query"), ("document_features", "passage")):
        unit = functional.normalize(expected[f"forward.{theirs}_features"], dim=-1)
        torch.testing.assert_close(out[ours], unit, rtol=0, atol=1e-6)


def test_forward_with_all_masks_gives_the_official_loss(case):
    model, inputs, expected, folder = case
    labels = json.loads((folder / "meta.json").read_text())["labels"]
    out = model(inputs["query"], inputs["passage"], labels)
    torch.testing.assert_close(out.loss, expected["loss"], rtol=0, atol=1e-5)
    torch.testing.assert_close(out.logits, expected["logits"], rtol=0, atol=1e-5)


def test_the_cell_is_the_official_one_at_every_step(official):
    folder, inputs, expected = official("clip_vit_b")
    model = RetForRetrieval.from_pretrained(folder)
    steps = []
    model.query_head.cell.register_forward_hook(lambda cell, given, out: steps.append(out))
    features(model, "query", inputs["query"])
    torch.testing.assert_close(torch.stack(steps), expected["query.masked.cell_steps"], rtol=1e-5, atol=5e-5)


def test_backbone_states_are_the_official_ones(official):
    folder, inputs, expected = official("clip_vit_b")
    towers = RetForRetrieval.from_pretrained(folder).towers
    given = inputs["query"]
    with torch.inference_mode():
        text = backbones.read_text(
            towers.text, (0, 11), input_ids=given["input_ids"], attention_mask=given["attention_mask"]
        )
        vision = backbones.read_vision(towers.vision, (0, 11), pixel_values=given["pixel_values"])
    for name, states in (("text", text), ("vision", vision)):
        for place, found in zip(("1", "last"), states.layers, strict=True):
            torch.testing.assert_close(found, expected[f"query.{name}_hidden.{place}"], rtol=1e-5, atol=2e-5)
