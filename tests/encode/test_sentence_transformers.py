"""Models of sentence-transformers as encoders: the vectors and scores are the models' own."""

from __future__ import annotations

import json
import socket

import huggingface_hub
import numpy as np
import pytest
import torch
from peft import LoraConfig
from PIL import Image
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder, MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import Router
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tests.helpers.sentence_models import (
    given_model,
    save_bert,
    save_clip,
    save_colbert,
    save_colpali,
    tiny_tokenizer,
)
from tests.helpers.tiny_ret import save_tiny_checkpoint, tiny_model, tiny_processor

from plait.encode.quiet import no_progress_bars
from plait.encode.reading_limit import text_limit
from plait.encode.ret import RetEncoder
from plait.encode.sentence_transformers import SentenceTransformerEncoder
from plait.encode.st import RetMultiVectorEncoder
from plait.errors import InputError, ModelError
from plait.index.multi_vector import MultiVectors
from plait.schema import Passage, Picture, Query, Segment, Unit
from plait.scoring.vectors import VectorField

TEXTS = ("a red square", "the blue circle of paper", "grey")
LONG = "the blue circle of grey paper " * 8 + "red"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return name -> the folder of a small model."""
    saved = {"bert": save_bert, "colbert": save_colbert, "clip": save_clip, "colpali": save_colpali}
    return {name: save(tmp_path_factory.mktemp(name)) for name, save in saved.items()}


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "red.png"
    drawn = Image.new("RGB", (40, 30), "white")
    drawn.paste("red", (5, 5, 20, 20))
    drawn.save(path)
    return str(path)


def encoder(folder, **options):
    return SentenceTransformerEncoder.load(str(folder), **options)


def own(model_class, folder):
    """Return the model as sentence-transformers opens it."""
    with no_progress_bars():
        return model_class(str(folder), device="cpu", local_files_only=True)


def unit(*texts, title="", figures=()):
    return Unit("d:0", "d", 0, title, passages=tuple(map(Passage, texts)), figures=tuple(figures))


def figure(path, caption=""):
    return Segment("image", picture=Picture(path, "0" * 64, 40, 30), caption=caption)


def normalised(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def index_scores(encoder, query, units, name="text"):
    """Return what an index says of the units."""
    field = next(field for field in encoder.fields if field.name == name)
    stored = [vectors.fields[name] for vectors in encoder.encode_units(units)]
    found = encoder.encode_query(query)
    index = MultiVectors.of(stored, tokens=field.tokens, width=field.width)
    return index.scores(found.fields[name], found.weights[name])


# --- one vector ---


def test_one_vector_is_the_models_own_with_its_prompts_at_length_one(folders):
    found, model = encoder(folders["bert"]), own(SentenceTransformer, folders["bert"])
    (vectors,) = found.encode_units([unit(*TEXTS)])
    expected = normalised(model.encode_document(list(TEXTS)))
    np.testing.assert_allclose(vectors.fields["text"][:, 0], expected, atol=1e-6)
    query = found.encode_query(Query(texts=TEXTS, text_weights=(2.0, 1.0, 1.0)))
    np.testing.assert_allclose(
        query.fields["text"][:, 0], normalised(model.encode_query(list(TEXTS))), atol=1e-6
    )
    assert query.weights["text"].tolist() == [0.5, 0.25, 0.25]
    assert np.abs(query.fields["text"][:, 0] - expected).max() > 1e-3  # the sides' prompts differ


def test_a_passage_is_read_under_the_units_headings(folders):
    found = encoder(folders["bert"])
    given = Unit("d:0", "d", 0, "paper", ("blue", "red"), passages=(Passage("a square"),))
    alone = found.encode_units([given, unit("paper > blue > red\na square")])
    np.testing.assert_allclose(alone[0].fields["text"], alone[1].fields["text"], atol=1e-6)


def test_captions_stand_for_a_unit_without_passages_and_a_heading_for_one_without_any_words(folders, picture):
    found = encoder(folders["bert"])
    given = [
        unit(figures=[figure(picture, "a red square"), figure(picture, "grey")]),
        unit(title="paper", figures=[figure(picture)]),
        unit(figures=[figure(picture)]),
        unit("", "grey"),
    ]
    texts = [vectors.fields["text"] for vectors in found.encode_units(given)]
    expected = [
        vectors.fields["text"] for vectors in found.encode_units([unit("a red square\ngrey"), unit("paper")])
    ]
    np.testing.assert_allclose(texts[0], expected[0], atol=1e-6)
    np.testing.assert_allclose(texts[1], expected[1], atol=1e-6)
    assert texts[2].shape == (0, 1, 16)
    assert not texts[3][0].any()  # a blank passage keeps its place
    assert texts[3][1].any()


def test_a_long_passage_is_the_mean_of_its_windows_by_their_tokens(folders):
    found, model = encoder(folders["bert"]), own(SentenceTransformer, folders["bert"])
    limit = text_limit(model, "document", as_input=str)
    windows = limit.windows(LONG)
    assert len(windows) > 4
    vectors = normalised(model.encode_document(windows))
    mean = np.average(vectors, axis=0, weights=[limit.count(window) for window in windows])
    (one,) = found.encode_units([unit(LONG, "grey")])
    np.testing.assert_allclose(one.fields["text"][0, 0], normalised(mean), atol=1e-6)
    assert (found.windows, found.truncated) == (len(windows), 0)


def test_a_long_query_asks_with_every_window(folders):
    found = encoder(folders["bert"])
    query = found.encode_query(Query(texts=(LONG, "grey"), text_weights=(3.0, 1.0)))
    assert len(query.weights["text"]) > 2
    assert query.weights["text"][:-1].sum() == pytest.approx(0.75)
    assert query.weights["text"][-1] == pytest.approx(0.25)


def test_a_text_that_looks_like_an_address_or_a_path_is_words(folders, picture, monkeypatch):
    def refused(*_):
        pytest.fail("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    found = encoder(folders["clip"])
    for text in ("http://localhost/red.png", picture):
        (one,), (other,) = (
            found.encode_units([unit(words)]) for words in (text, text.replace(".png", ".txt"))
        )
        assert np.array_equal(one.fields["text"], other.fields["text"])  # both ends are unknown words


# --- many vectors ---


def test_scores_are_the_models_own_for_each_vector_of_the_query(folders):
    found, model = encoder(folders["colbert"]), own(MultiVectorEncoder, folders["colbert"])
    asked = model.encode_query(["a red circle"])
    expected = model.similarity(asked, model.encode_document(list(TEXTS))).numpy()[0] / len(asked[0])
    scores = index_scores(found, Query.of("a red circle"), [unit(text) for text in TEXTS])
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_texts_of_unequal_length_score_as_each_alone(folders):
    found = encoder(folders["colbert"])
    units = [unit(text) for text in TEXTS]
    both = index_scores(found, Query(texts=("a red circle", "grey"), text_weights=(3.0, 1.0)), units)
    alone = [index_scores(found, Query.of(text), units) for text in ("a red circle", "grey")]
    np.testing.assert_allclose(both, 0.75 * alone[0] + 0.25 * alone[1], atol=1e-6)


def test_an_item_holds_no_more_vectors_than_a_document_has_tokens(folders):
    assert encoder(folders["colbert"]).fields == (VectorField("text", 8, 16, "passage", "text"),)
    assert encoder(folders["colbert"], max_tokens_per_item=6).fields[0].tokens == 6
    assert [field.tokens for field in encoder(folders["colpali"]).fields] == [128, 128]


def test_items_over_the_budget_are_pooled_and_counted(folders):
    units = [unit(TEXTS[0]), unit(TEXTS[1]), unit(LONG)]
    found = encoder(folders["colbert"], max_tokens_per_item=6)
    vectors = [one.fields["text"] for one in found.encode_units(units)]
    assert found.pooled == 2  # the first has four words, with the prompt, and both ends
    assert all(one.shape == (1, 6, 8) for one in vectors)
    roomy = encoder(folders["colbert"])
    assert [len(np.unique(one.round(5), axis=1)[0]) for one in vectors] == [6, 6, 6]
    roomy.encode_units(units)
    assert roomy.pooled == 1  # all windows of the long one


def test_the_budget_belongs_to_the_fingerprint(folders):
    prints = {encoder(folders["colbert"], max_tokens_per_item=n).fingerprint for n in (4, 5, 16, 128)}
    assert len(prints) == 3  # 128 is more than a document has, so 16 and it are the same


def test_a_model_without_any_limit_but_its_positions_can_be_used(folders, tmp_path):
    model = own(SentenceTransformer, folders["clip"])
    model.tokenizer.model_max_length = 10**30
    found = SentenceTransformerEncoder(model, name="clip", fingerprint="1")
    found.encode_units([unit(LONG)])
    assert found.windows > 4


def test_a_budget_below_one_is_refused(folders):
    with pytest.raises(InputError, match="max_tokens_per_item must be at least 1, got 0"):
        encoder(folders["colbert"], max_tokens_per_item=0)


# --- pictures ---


def test_words_and_pictures_read_apart_are_two_fields_that_all_of_a_query_asks(folders, picture):
    found, model = encoder(folders["clip"]), own(SentenceTransformer, folders["clip"])
    assert found.fields == (
        VectorField("text", 8, 1, "passage", "joint"),
        VectorField("image", 8, 1, "figure", "joint"),
    )
    (vectors,) = found.encode_units([unit("a red square", figures=[figure(picture, "not read here")])])
    with Image.open(picture) as opened:
        seen = normalised(model.encode([opened.convert("RGB")]))
    read = normalised(model.encode([{"text": "a red square"}]))
    np.testing.assert_allclose(vectors.fields["image"][0], seen, atol=1e-6)
    np.testing.assert_allclose(vectors.fields["text"][0], read, atol=1e-6)
    query = found.encode_query(Query(("a red square",), (picture,), (1.0,), (3.0,)))
    np.testing.assert_allclose(query.fields["image"][:, 0], np.concatenate([read, seen]), atol=1e-6)
    assert query.fields["text"] is query.fields["image"]
    assert query.weights["image"].tolist() == [0.25, 0.75]


def test_ret_through_sentence_transformers_scores_as_the_ret_encoder(tmp_path, picture):
    ret = RetEncoder.load(str(save_tiny_checkpoint(tmp_path)), threads=1, precision="float32")
    model = RetMultiVectorEncoder.from_ret(tiny_model(), tiny_processor(), device="cpu")
    found = SentenceTransformerEncoder(model, name="ret", fingerprint="1")
    assert found.fields == (VectorField("joint", 8, 3, "unit", "joint"),)  # all inputs give three
    units = [
        unit(*TEXTS, title="Paper", figures=[figure(picture, "a circle")]),
        unit(LONG),
        unit(),
        unit(figures=[figure(picture), figure(picture, "red")]),
    ]
    for query in (
        Query.of("a red square"),
        Query.of(image=picture),
        Query((LONG, "red"), (picture, picture), image_weights=(3.0, 1.0)),
    ):
        expected = index_scores(ret, query, units, "ret")
        np.testing.assert_allclose(index_scores(found, query, units, "joint"), expected, atol=1e-5)


def test_a_slim_picture_is_stretched_before_a_model_scales_it_up(tmp_path):
    model = given_model("text", "image", answer=lambda given: [1.0, 0.0])
    found = SentenceTransformerEncoder(model, name="given", fingerprint="1")
    model[0].given.clear()
    for size in ((5000, 1), (1, 5000), (500, 10), (40, 30)):
        Image.new("RGB", size).save(tmp_path / "slim.png")
        found.encode_query(Query.of(image=tmp_path / "slim.png"))
    assert [given["image"].size for given in model[0].given] == [
        (5000, 100),
        (100, 5000),
        (500, 10),
        (40, 30),
    ]


def test_pictures_are_opened_a_batch_at_a_time(picture):
    model = given_model("text", "image", ("image", "text"), answer=lambda given: [1.0, 0.0])
    found = SentenceTransformerEncoder(model, name="given", fingerprint="1", batch_size=2)
    model[0].given.clear()
    (vectors,) = found.encode_units([unit("red", figures=[figure(picture, "a")] * 5)])
    assert vectors.fields["joint"].shape == (5, 1, 2)
    assert [sorted(given) for given in model[0].given] == [["image", "text"]] * 5
    assert {given["text"] for given in model[0].given} == {"a\nred"}


# --- models that cannot be used ---


def test_a_model_that_gives_no_numbers_is_named(folders):
    model = own(SentenceTransformer, folders["bert"])
    found = SentenceTransformerEncoder(model, name="broken", fingerprint="1")
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    with pytest.raises(
        ModelError, match=r"^broken gives vectors that hold NaN or infinity for a document of words"
    ):
        found.encode_units([unit("red")])
    with pytest.raises(
        ModelError, match=r"^broken gives vectors that hold NaN or infinity for a query of words"
    ):
        SentenceTransformerEncoder(model, name="broken", fingerprint="1")


def test_a_model_that_fails_is_named_with_its_reason(picture):
    def answer(given):
        if isinstance(given, dict) and "image" in given and given["image"].size != (32, 32):
            raise RuntimeError("no memory left\nsecond line")
        return [1.0, 0.0]

    model = given_model("text", "image", answer=answer)
    found = SentenceTransformerEncoder(model, name="full", fingerprint="1")
    with pytest.raises(
        ModelError, match=r"^full cannot encode a document of a picture \(RuntimeError: no memory left\)$"
    ):
        found.encode_units([unit("red", figures=[figure(picture)])])


def test_sides_of_unequal_width_are_refused():
    sides = [[StaticEmbedding(tiny_tokenizer(max_tokens=16), embedding_dim=width)] for width in (4, 6)]
    model = SentenceTransformer(modules=[Router.for_query_document(*sides)], device="cpu")
    message = "unequal width, which cannot be compared: 4 for words in a query, 6 for words in a document"
    with pytest.raises(ModelError, match=message):
        SentenceTransformerEncoder(model, name="uneven", fingerprint="1")


def test_words_and_pictures_of_unequal_width_are_refused():
    model = given_model("text", "image", answer=lambda given: [1.0] * (3 if "image" in given else 2))
    with pytest.raises(ModelError, match="2 for words in a query, 3 for a picture in a query"):
        SentenceTransformerEncoder(model, name="uneven", fingerprint="1")


def test_a_model_without_words_or_of_another_kind_is_refused(folders):
    with pytest.raises(ModelError, match="eyes reads image, but a library needs a model that reads text"):
        SentenceTransformerEncoder(
            given_model("image", answer=lambda given: [1.0]), name="eyes", fingerprint="1"
        )
    with pytest.raises(ModelError, match="expected a SentenceTransformer or MultiVectorEncoder, got Linear"):
        SentenceTransformerEncoder(torch.nn.Linear(2, 2), name="layer", fingerprint="1")


def test_a_text_of_unknown_words_only_may_be_zeros():
    static = StaticEmbedding(tiny_tokenizer(max_tokens=16), embedding_dim=4)
    static.embedding.weight.data[1] = 0  # <unk>
    model = SentenceTransformer(modules=[static], device="cpu")
    found = SentenceTransformerEncoder(model, name="static", fingerprint="1")
    (vectors,) = found.encode_units([unit("dodo", "red")])
    assert np.linalg.norm(vectors.fields["text"], axis=-1).round(5).tolist() == [[0], [1]]
    assert found.encode_query(Query.of("dodo")).fields["text"].tolist() == [[[0, 0, 0, 0]]]


# --- loading ---


def test_loading_and_asking_prints_nothing(folders, picture, capfd, caplog):
    for name, folder in folders.items():
        found = encoder(folder)
        found.encode_units([unit(LONG)])
        found.encode_query(Query.of("red", image=None if name in ("bert", "colbert") else picture))
    assert tuple(capfd.readouterr()) == ("", "")
    assert caplog.messages == []


def test_nothing_is_fetched(folders, tmp_path, monkeypatch):
    def refused(*_):
        pytest.fail("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    for folder in folders.values():
        encoder(folder)
    with pytest.raises(ModelError, match="no model 'someone/some-model'"):
        SentenceTransformerEncoder.load("someone/some-model")


def test_a_model_with_code_of_its_own_is_refused_and_not_run(folders, tmp_path):
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    for file in folders["bert"].glob("*.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    listing = json.loads((tmp_path / "modules.json").read_text())[:1]
    (tmp_path / "modules.json").write_text(json.dumps([listing[0] | {"type": "own.Module"}]))
    with pytest.raises(ModelError, match=r"needs code of its own \(own\.Module\), and plait runs no code"):
        encoder(tmp_path)
    (tmp_path / "modules.json").write_text(json.dumps(listing))
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="holds a SentenceTransformer that cannot be loaded: "):
        encoder(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_other_kinds_of_models_are_refused(folders, tmp_path):
    with no_progress_bars():
        CrossEncoder(str(folders["bert"] / "backbone"), num_labels=1, device="cpu").save(
            str(tmp_path / "cross")
        )
    with pytest.raises(ModelError, match="holds a CrossEncoder of sentence-transformers"):
        encoder(tmp_path / "cross")
    with pytest.raises(ModelError, match=r"holds a 'bert' model \(BertModel\) without modules\.json"):
        encoder(folders["bert"] / "backbone")
    with pytest.raises(
        ModelError, match=r"holds a ReT model, expected .*open it with plait\.encode\.load_encoder"
    ):
        encoder(save_tiny_checkpoint(tmp_path))


def test_weights_that_do_not_fit_are_one_clear_error(folders, tmp_path):
    save_bert(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match="holds a SentenceTransformer that cannot be loaded") as error:
        encoder(tmp_path)
    assert len(str(error.value).splitlines()) == 1


def test_weights_that_are_missing_are_never_random(tmp_path, caplog):
    save_bert(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    expected = encoder(tmp_path).encode_units([unit("red")])[0].fields["text"]
    without_pooler = {name: tensor for name, tensor in weights.items() if "pooler" not in name}
    assert len(without_pooler) < len(weights)
    save_file(without_pooler, tmp_path / "model.safetensors", metadata={"format": "pt"})
    found = encoder(tmp_path).encode_units([unit("red")])[0].fields["text"]  # no vector depends on it
    np.testing.assert_allclose(found, expected, atol=1e-6)
    del without_pooler["encoder.layer.0.attention.self.query.weight"]
    save_file(without_pooler, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks weights on which its vectors depend \(.*query\.weight.*\)"):
        encoder(tmp_path)


def test_an_adapter_is_loaded_with_the_model_that_it_extends(folders, tmp_path):
    base = save_bert(tmp_path / "base")
    with no_progress_bars():
        model = SentenceTransformer(str(base), device="cpu")
        model.add_adapter(LoraConfig(r=2, lora_alpha=500, target_modules=["query"], init_lora_weights=False))
        model.save(str(tmp_path / "adapter"))
    found = encoder(tmp_path / "adapter")
    (vectors,) = found.encode_units([unit("red")])
    expected = normalised(model.encode_document(["red"]))
    np.testing.assert_allclose(vectors.fields["text"][0], expected, atol=1e-6)
    assert (
        np.abs(vectors.fields["text"] - encoder(base).encode_units([unit("red")])[0].fields["text"]).max()
        > 1e-3
    )
    for file in base.glob("*.*"):
        file.unlink()
    with pytest.raises(ModelError, match="base"):
        encoder(tmp_path / "adapter")
