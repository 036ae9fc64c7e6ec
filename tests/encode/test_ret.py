"""The ReT encoder on a tiny random checkpoint: what it encodes, and that batching changes nothing."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import huggingface_hub
import numpy as np
import pytest
import torch
from PIL import Image
from tests.helpers.ret_models import ret2
from tests.helpers.tiny_ret import WORDS, save_tiny_checkpoint, tiny_model, tiny_processor

from plait.encode.ret import FIELD, RetEncoder
from plait.errors import ModelError, QueryError, ReadError
from plait.schema import Passage, Picture, Query, Segment, Unit
from plait.scoring.vectors import VectorField

COLOURS = ("red", "blue", "green")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def encoder(checkpoint):
    return RetEncoder.load(str(checkpoint), threads=1, max_pixels=10_000, batch_size=3, precision="float32")


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


def test_a_unit_is_the_models_own_vectors_of_its_items(encoder, pictures):
    """The items are written out by hand; "Title" is the heading of all."""
    model, processor = tiny_model(), tiny_processor()
    given = unit(texts=["a red square", "turn left"], figures=[figure(pictures["red"], caption="the red")])
    items = [("Title\nthe red\na red square", Image.open(pictures["red"])), ("Title\nturn left", None)]
    found = encoder.encode_units([given])[0].fields[FIELD]
    for vectors, (text, image) in zip(found, items, strict=True):
        with torch.inference_mode():
            expected = model.encode_documents(**processor([text], [image])).numpy()
        np.testing.assert_allclose(vectors[None], expected, atol=1e-6)


def test_a_long_passage_is_encoded_in_windows_that_hold_all_of_it(checkpoint):
    encoder = RetEncoder.load(str(checkpoint), precision="float32")
    words = [str(k) for k in range(20)]
    long, short = unit(texts=[" ".join(words)]), unit(1, texts=["a red square"])
    found = encoder.encode_units([long, short])
    windows = [" ".join(words[start : start + 9]) for start in (0, 7, 14)]  # 9 beside the title, 2 shared
    expected = encoder.encode_units([unit(texts=windows)])[0].fields[FIELD]
    np.testing.assert_allclose(found[0].fields[FIELD], expected, atol=1e-6)
    assert len(found[1].fields[FIELD]) == 1
    assert (encoder.windows, encoder.truncated) == (3, 0)


def test_a_long_query_is_asked_in_windows_that_weigh_as_one(encoder, pictures):
    words = [WORDS[k % len(WORDS)] for k in range(16)]
    images = (pictures["red"], pictures["blue"])
    found = encoder.encode_query(Query((" ".join(words),), images, image_weights=(3.0, 1.0)))
    parts = [
        Query((" ".join(words[:10]),), images[:1]),
        Query(images=images[1:]),
        Query((" ".join(words[8:]),)),
    ]
    expected = np.concatenate([encoder.encode_query(part).fields[FIELD] for part in parts])
    np.testing.assert_allclose(found.fields[FIELD], expected, atol=1e-6)
    np.testing.assert_allclose(found.weights[FIELD], [0.75 * 10 / 18, 0.25, 0.75 * 8 / 18], rtol=1e-6)


def test_a_text_that_is_cut_all_the_same_is_counted():
    processor = tiny_processor()
    encoder = RetEncoder(tiny_model(), processor, name="tiny", fingerprint="1", precision="float32")
    encoder.encode_units([unit(texts=["red " * 40])])
    assert encoder.truncated == 0
    processor(["red " * 40, "red"])
    assert encoder.truncated == 1


def test_a_tower_runs_only_for_items_of_its_kind(pictures):
    """Text, picture and both are never encoded in one batch, nor more than a batch at once."""
    encoder = RetEncoder(
        tiny_model(), tiny_processor(), name="tiny", fingerprint="1", threads=1, batch_size=4
    )
    model, calls = encoder._model.module, []  # the folded one, which runs
    for name, part in (("text", model.towers.text), ("vision", model.towers.vision)):
        part.register_forward_hook(lambda *_, name=name: calls.append(name))
    model.document_head.register_forward_hook(lambda _, args, __: calls.append(args[0]))
    untitled = [replace(one, title="") for one in units(pictures)] * 2
    encoder.encode_units(untitled)
    assert sorted(calls_of_a_batch(calls)) == [
        ("text", 4),
        ("text", 4),
        ("text vision", 4),
        ("vision", 2),
    ]


def calls_of_a_batch(calls):
    """Return, for each call of the head, the towers that ran before it and its batch size."""
    towers = []
    for call in calls:
        if isinstance(call, str):
            towers.append(call)
        else:
            yield " ".join(towers), call
            towers = []


def test_several_batches_at_a_time_give_the_vectors_of_one(encoder, checkpoint, pictures):
    side_by_side = RetEncoder.load(str(checkpoint), threads=3, batch_size=1, precision="float32")
    given = units(pictures) * 3
    for one, other in zip(encoder.encode_units(given), side_by_side.encode_units(given), strict=True):
        np.testing.assert_allclose(other.fields[FIELD], one.fields[FIELD], atol=1e-6)


def test_several_threads_may_ask_one_encoder(encoder):
    """A tokenizer's settings change between counting and cutting, which two threads must not do at once."""
    queries = [Query((" ".join(WORDS[: k % 13 + 1] * 2),)) for k in range(60)]
    expected = [encoder.encode_query(query).fields[FIELD] for query in queries]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(encoder.encode_query, queries))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other.fields[FIELD], one, atol=1e-6)


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
    encoder = RetEncoder.load(str(save_tiny_checkpoint(tmp_path, pooled=True)), precision="float32")
    assert encoder.fields[0].tokens == 1
    assert encoder.encode_query(Query(texts=("red",))).fields[FIELD].shape == (1, 1, 8)
    assert encoder.encode_units([unit(texts=["red", "blue"])])[0].fields[FIELD].shape == (2, 1, 8)


def test_ret_2_gives_one_vector_an_item_too(tmp_path, pictures):
    model, processor = ret2(), tiny_processor()
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    encoder = RetEncoder.load(str(tmp_path), precision="float32")
    assert encoder.fields == (VectorField("ret", 8, 1, "unit", "joint"),)
    found = encoder.encode_query(Query(("a red square",), (pictures["red"],))).fields[FIELD]
    with torch.inference_mode():
        expected = model.encode_queries(**processor(["a red square"], [Image.open(pictures["red"])])).numpy()
    np.testing.assert_allclose(found[0], expected, atol=1e-6)


@pytest.mark.parametrize(("stored", "windows"), [(6, 4), (12, 0), (10**9, 0)])
def test_texts_are_cut_at_the_shorter_limit_of_tokenizer_and_backbone(tmp_path, stored, windows):
    """Both mark the ends by two tokens: six leave four, one of which is the title."""
    save_tiny_checkpoint(tmp_path)
    for file in (tmp_path / "tokenizer_config.json", tmp_path / "ret_processor.json"):
        values = json.loads(file.read_text())
        name = "max_tokens" if "max_tokens" in values else "model_max_length"
        file.write_text(json.dumps(values | {name: stored}))
    encoder = RetEncoder.load(str(tmp_path), precision="float32")
    encoder.encode_units([unit(texts=["a red square a red square a red square"])])
    assert (encoder.windows, encoder.truncated) == (windows, 0)


def test_the_fingerprint_follows_weights_configuration_and_tokenizer(tmp_path, encoder):
    same, other, edited = (tmp_path / name for name in ("same", "other", "edited"))
    assert (
        RetEncoder.load(str(save_tiny_checkpoint(same)), precision="float32").fingerprint
        == encoder.fingerprint
    )
    assert (
        RetEncoder.load(str(save_tiny_checkpoint(other, seed=1)), precision="float32").fingerprint
        != encoder.fingerprint
    )
    save_tiny_checkpoint(edited)
    tokenizer = edited / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace('"red": 3', '"read": 3'))
    assert RetEncoder.load(str(edited), precision="float32").fingerprint != encoder.fingerprint


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
    torch.set_num_threads(2)
    try:
        RetEncoder.load(str(checkpoint), precision="float32").encode_query(Query(texts=("red",)))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_loading_prints_nothing(checkpoint, capfd, caplog):
    RetEncoder.load(str(checkpoint), precision="float32").encode_query(Query(texts=("red",)))
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
            ModelError, match=f"^no model '{name}': it is neither a folder here,? nor"
        ) as error:
            RetEncoder.load(name)
        assert len(str(error.value).splitlines()) == 1
    assert tuple(capfd.readouterr()) == ("", "")


def test_folders_that_hold_no_ret_checkpoint_are_refused(tmp_path):
    with pytest.raises(ModelError, match="holds no model"):
        RetEncoder.load(str(tmp_path), precision="float32")
    tiny_model().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="holds no tokenizer"):
        RetEncoder.load(str(tmp_path), precision="float32")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match="holds a 'bert' model, expected ReT"):
        RetEncoder.load(str(tmp_path), precision="float32")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"holds no readable config\.json"):
        RetEncoder.load(str(tmp_path), precision="float32")


@pytest.mark.parametrize("width", [32, "wide"])
def test_weights_that_do_not_fit_their_configuration_are_refused(tmp_path, width):
    save_tiny_checkpoint(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["query_config"]["hidden_size"] = width
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="holds a ReT checkpoint that cannot be loaded"):
        RetEncoder.load(str(tmp_path), precision="float32")
