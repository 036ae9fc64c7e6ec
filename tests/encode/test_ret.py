"""The ReT encoder on a tiny random checkpoint: what it encodes, and that batching changes nothing."""

from __future__ import annotations

import socket

import huggingface_hub
import numpy as np
import pytest
import torch
from PIL import Image
from tests.helpers.tiny_ret import save_tiny_checkpoint, tiny_model, tiny_processor

from plait.encode.ret import FIELD, Item, RetEncoder, unit_items
from plait.errors import ModelError, QueryError, ReadError
from plait.schema import Box, Passage, Picture, Query, Segment, Unit
from plait.scoring.vectors import VectorField

COLOURS = ("red", "blue", "green")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def encoder(checkpoint):
    return RetEncoder.load(str(checkpoint), threads=1, max_pixels=10_000, batch_size=3)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for k, colour in enumerate(COLOURS):
        picture = Image.new("RGB", (30 + k, 20), colour)
        picture.paste("white", (0, 0, 10, 10))
        picture.save(folder / f"{colour}.png")
    return {colour: str(folder / f"{colour}.png") for colour in COLOURS}


def figure(path, **place):
    return Segment("image", picture=Picture(path, "0" * 64, 30, 20), **place)


def unit(ordinal=0, *, texts=(), figures=()):
    passages = tuple(Passage(text) for text in texts)
    return Unit(f"d:{ordinal}", "d", ordinal, "Title", passages=passages, figures=tuple(figures))


def units(pictures):
    return [
        unit(0, texts=["a red square", "the blue circle beside a green square", "turn left"]),
        unit(1),
        unit(2, figures=[figure(pictures["red"])]),
        unit(
            3,
            texts=["grey paper"],
            figures=[figure(pictures["blue"], caption="a circle"), figure(pictures["green"])],
        ),
        unit(4, texts=["turn the screw right"]),
    ]


def test_units_give_an_item_a_figure_or_else_a_passage(encoder, pictures):
    vectors = [u.fields[FIELD] for u in encoder.encode_units(units(pictures))]
    assert [v.shape for v in vectors] == [(3, 3, 8), (0, 3, 8), (1, 3, 8), (2, 3, 8), (1, 3, 8)]
    assert all(v.dtype == np.float32 for v in vectors)
    for v in vectors:
        np.testing.assert_allclose(np.linalg.norm(v, axis=-1), 1, atol=1e-5)
    assert encoder.encode_units([]) == []


def test_batched_units_equal_units_one_by_one(encoder, pictures):
    together = encoder.encode_units(units(pictures))
    for one, found in zip(units(pictures), together, strict=True):
        alone = encoder.encode_units([one])[0]
        np.testing.assert_allclose(alone.fields[FIELD], found.fields[FIELD], atol=1e-6)


def test_a_figures_words_are_its_caption_and_the_nearest_passage():
    def at(top):
        return Box(0.1, top, 0.9, top + 0.1)

    passages = (
        Passage("first", page=1, box=at(0.1)),
        Passage("second", page=1, box=at(0.6)),
        Passage("third", page=2, box=at(0.5)),
    )
    figures = (
        figure("a.png", page=1, box=at(0.5), caption="Caption", text="alternative"),
        figure("b.png", page=1, box=at(0.0), text="alternative"),
        figure("c.png", page=2, box=at(0.0)),
    )
    given = Unit("d:0", "d", 0, "Title", passages=passages, figures=figures)
    assert unit_items(given) == [
        Item("Caption second", "a.png"),
        Item("alternative first", "b.png"),
        Item("third", "c.png"),
    ]


def test_without_pages_the_passage_at_the_figures_anchor_is_nearest():
    passages = (Passage("one", anchor="one"), Passage("two", anchor="two"))
    given = Unit("d:0", "d", 0, "Title", passages=passages, figures=(figure("a.png", anchor="two"),))
    assert unit_items(given) == [Item("two", "a.png"), Item("one", None)]


def test_text_image_and_both_are_the_models_own_vectors(encoder, pictures):
    model, processor = tiny_model(), tiny_processor()
    red = Image.open(pictures["red"])
    for query, texts, images in (
        (Query(texts=("a red square",)), ["a red square"], None),
        (Query(images=(pictures["red"],)), None, [red]),
        (Query(texts=("a red square",), images=(pictures["red"],)), ["a red square"], [red]),
    ):
        found = encoder.encode_query(query)
        with torch.inference_mode():
            expected = model.encode_queries(**processor(texts, images)).numpy()
        np.testing.assert_allclose(found.fields[FIELD], expected, atol=1e-6)
        assert found.weights[FIELD].tolist() == [1.0]


def test_texts_are_asked_together_and_further_images_apart(encoder, pictures):
    query = Query(
        texts=("a red", "square"), images=tuple(pictures[c] for c in COLOURS), image_weights=(2.0, 1.0, 1.0)
    )
    found = encoder.encode_query(query)
    assert found.weights[FIELD].tolist() == [0.5, 0.25, 0.25]
    parts = [
        Query(texts=("a red square",), images=(pictures["red"],)),
        Query(images=(pictures["blue"],)),
        Query(images=(pictures["green"],)),
    ]
    expected = np.concatenate([encoder.encode_query(part).fields[FIELD] for part in parts])
    np.testing.assert_allclose(found.fields[FIELD], expected, atol=1e-6)


def test_an_image_as_bytes_equals_its_path(encoder, pictures):
    with open(pictures["blue"], "rb") as stream:
        from_bytes = encoder.encode_query(Query(images=(stream.read(),)))
    from_path = encoder.encode_query(Query(images=(pictures["blue"],)))
    assert np.array_equal(from_bytes.fields[FIELD], from_path.fields[FIELD])


def test_queries_and_documents_are_encoded_by_their_own_sides(encoder):
    document = encoder.encode_units([unit(texts=["a red square"])])[0].fields[FIELD]
    query = encoder.encode_query(Query(texts=("a red square",))).fields[FIELD]
    assert np.abs(document - query).max() > 1e-3


def test_what_the_encoder_says_of_itself(encoder, checkpoint):
    assert encoder.name == str(checkpoint)
    assert encoder.fields == (VectorField("ret", 8, 3, "unit", "joint"),)
    assert encoder.mixture is None


def test_a_pooled_model_gives_one_vector_an_item(tmp_path):
    encoder = RetEncoder.load(str(save_tiny_checkpoint(tmp_path, pooled=True)))
    assert encoder.fields[0].tokens == 1
    assert encoder.encode_query(Query(texts=("red",))).fields[FIELD].shape == (1, 1, 8)
    assert encoder.encode_units([unit(texts=["red", "blue"])])[0].fields[FIELD].shape == (2, 1, 8)


def test_the_fingerprint_follows_weights_configuration_and_tokenizer(tmp_path, encoder):
    same, other, edited = (tmp_path / name for name in ("same", "other", "edited"))
    assert RetEncoder.load(str(save_tiny_checkpoint(same))).fingerprint == encoder.fingerprint
    assert RetEncoder.load(str(save_tiny_checkpoint(other, seed=1))).fingerprint != encoder.fingerprint
    save_tiny_checkpoint(edited)
    tokenizer = edited / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace('"red": 3', '"read": 3'))
    assert RetEncoder.load(str(edited)).fingerprint != encoder.fingerprint


def test_bad_images_are_a_query_error_and_lost_figures_a_read_error(encoder, tmp_path):
    with pytest.raises(QueryError, match="does not exist"):
        encoder.encode_query(Query(images=(str(tmp_path / "gone.png"),)))
    Image.new("RGB", (200, 200)).save(tmp_path / "large.png")
    with pytest.raises(QueryError, match="more than the 10,000 allowed"):
        encoder.encode_query(Query(images=(str(tmp_path / "large.png"),)))
    with pytest.raises(ReadError) as error:
        encoder.encode_units([unit(figures=[figure(str(tmp_path / "gone.png"))])])
    assert error.value.source == str(tmp_path / "gone.png")
    assert error.value.reason.startswith("does not exist")


def test_the_thread_setting_is_put_back(checkpoint):
    before = torch.get_num_threads()
    RetEncoder.load(str(checkpoint), threads=before + 1).encode_query(Query(texts=("red",)))
    assert torch.get_num_threads() == before


def test_loading_prints_nothing(checkpoint, capfd, caplog):
    RetEncoder.load(str(checkpoint)).encode_query(Query(texts=("red",)))
    assert tuple(capfd.readouterr()) == ("", "")
    assert caplog.messages == []


def test_an_unknown_name_is_one_clear_error_and_no_network(tmp_path, monkeypatch, capfd):
    def refused(*_):
        pytest.fail("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    for name in ("someone/some-model", "not a/possible name", "/no/such/folder"):
        with pytest.raises(
            ModelError, match=f"^no model '{name}': it is neither a folder here nor in"
        ) as error:
            RetEncoder.load(name)
        assert len(str(error.value).splitlines()) == 1
    assert tuple(capfd.readouterr()) == ("", "")


def test_folders_that_hold_no_ret_checkpoint_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"holds no readable config\.json"):
        RetEncoder.load(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match="holds a 'bert' model, expected ReT"):
        RetEncoder.load(str(tmp_path))
    tiny_model().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="holds no tokenizer"):
        RetEncoder.load(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="cannot be loaded"):
        RetEncoder.load(str(tmp_path))
