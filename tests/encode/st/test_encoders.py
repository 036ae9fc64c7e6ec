"""The encoders give what the model gives, for any mixture of inputs, and survive being stored."""

from __future__ import annotations

import json
import os
import socket

import numpy as np
import pytest
import torch
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.multi_vector_encoder.evaluation import (
    MultiVectorInformationRetrievalEvaluator,
    MultiVectorTripletEvaluator,
)
from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
from sentence_transformers.sentence_transformer.modules import Normalize
from tests.helpers.ret_models import pair, ret2
from tests.helpers.tiny_ret import MAX_TOKENS, save_tiny_checkpoint, tiny_model, tiny_processor

from plait.encode import load_encoder
from plait.encode.st import RetModule, RetMultiVectorEncoder, RetSentenceTransformer
from plait.errors import InputError, ModelError
from plait.model.ret.modeling_ret import RetForRetrieval
from plait.schema import Query
from plait.scoring.maxsim import maxsim


def same(found, expected):
    return len(found) == len(expected) and all(
        torch.equal(a, b) for a, b in zip(found, expected, strict=True)
    )


def close(found, expected):
    return all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, expected, strict=True))


# --- vectors ---


def test_vectors_are_the_models_own(encoder, mixed):
    model, processor = tiny_model(), tiny_processor()
    inputs = processor(*map(list, zip(*(meant for _, meant in mixed), strict=True)))
    with torch.inference_mode():
        queries, documents = model.encode_queries(**inputs), model.encode_documents(**inputs)
    given = [one for one, _ in mixed]
    assert close(encoder.encode_query(given), queries)
    assert close(encoder.encode_document(given), documents)
    assert (queries - documents).abs().max() > 1e-2  # so each side has its own head
    assert encoder.encode_query(given)[0].shape == (3, 8)


@pytest.mark.parametrize("batch_size", [1, 2, 4, 32])
def test_mixed_batches_equal_one_by_one(encoder, single, mixed, batch_size):
    for model in (encoder, single):
        given = [one for one, _ in mixed]
        alone = [torch.as_tensor(model.encode_query(one)) for one in given]
        together = [torch.as_tensor(v) for v in model.encode_query(given, batch_size=batch_size)]
        assert close(together, alone)


def test_ret2_and_pooled_ret_give_one_vector(single, mixed):
    inputs = tiny_processor()(*map(list, zip(*(meant for _, meant in mixed), strict=True)))
    given = [one for one, _ in mixed]
    pooled = RetSentenceTransformer.from_ret(tiny_model(pooled=True), tiny_processor(), device="cpu")
    for encoder, model in ((single, ret2()), (pooled, tiny_model(pooled=True))):
        with torch.inference_mode():
            queries, documents = model.encode_queries(**inputs), model.encode_documents(**inputs)
        np.testing.assert_allclose(encoder.encode_query(given), queries, atol=1e-6)
        np.testing.assert_allclose(encoder.encode_document(given), documents, atol=1e-6)
        assert encoder.get_embedding_dimension() == queries.shape[1]
    assert np.allclose(single.encode_query(given), single.encode_document(given))  # one encoder for both
    assert np.allclose(single.encode(given), single.encode_document(given))
    with single.truncate_embeddings(4):
        assert single.encode_query("red").shape == (4,)


def test_a_model_that_gives_both_serves_both_encoders(mixed):
    model = pair(query={"output": "both"})
    given = [one for one, _ in mixed]
    tokens = RetMultiVectorEncoder.from_ret(model, tiny_processor(), device="cpu").encode_query(given)
    vectors = RetSentenceTransformer.from_ret(model, tiny_processor(), device="cpu").encode_query(given)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert [v.shape for v in tokens] == [(3, 8)] * len(given)


def test_similarity_is_maxsim(encoder, mixed):
    given = [one for one, _ in mixed]
    queries, documents = encoder.encode_query(given[:2]), encoder.encode_document(given)
    expected = maxsim(torch.stack(queries), torch.stack(documents))
    torch.testing.assert_close(encoder.similarity(queries, documents), expected)
    assert encoder.similarity_fn_name == "maxsim"


def test_a_single_input_and_none_at_all(encoder, single, pictures):
    assert encoder.encode_query(pictures["red"]).shape == (3, 8)
    assert encoder.encode_query("red", convert_to_numpy=True).dtype == np.float32
    assert (encoder.encode_query([]), len(single.encode_query([]))) == ([], 0)
    assert encoder.preprocess([]) == {}
    raw = encoder.encode_query("red", output_value=None)
    assert raw["token_embeddings"].shape == (3, 8)
    assert raw["attention_mask"].tolist() == [True] * 3


def test_a_prompt_goes_before_each_text_and_stands_in_for_none(pictures):
    red = pictures["red"]
    bare = RetMultiVectorEncoder.from_ret(tiny_model(), tiny_processor(), device="cpu")
    prompted = RetMultiVectorEncoder.from_ret(
        tiny_model(), tiny_processor(), device="cpu", prompts={"query": "turn left "}
    )
    given = ["red", red, {"text": "red", "image": red}]
    spelled = ["turn left red", {"text": "turn left ", "image": red}, {"text": "turn left red", "image": red}]
    assert close(prompted.encode_query(given), bare.encode_query(spelled))
    assert close(bare.encode_query(given, prompt="turn left "), bare.encode_query(spelled))
    assert close(prompted.encode_document(given), bare.encode_document(given))


def test_texts_are_cut_where_asked(encoder):
    long = "red " * MAX_TOKENS
    whole = encoder.encode_query(long)
    assert torch.equal(encoder.encode_query("red " * 30), whole)
    assert encoder.max_seq_length == MAX_TOKENS
    ids = encoder.preprocess([long], max_length=5)["input_ids"]
    assert ids.tolist() == [[62, 3, 3, 3, 63]]
    assert encoder.preprocess([long], max_length=99)["input_ids"].shape == (1, MAX_TOKENS)
    assert encoder[0].processor.truncated == 4
    encoder.max_seq_length = 5
    assert not torch.allclose(encoder.encode_query(long), whole)
    for tokens in (2, MAX_TOKENS + 1):
        with pytest.raises(InputError, match=f"texts of {tokens} tokens: this text backbone reads 3 to 12"):
            encoder.max_seq_length = tokens


def test_a_backbone_that_pads_to_its_limit_takes_no_other(encoder):
    encoder[0].processor.pads_to_max = True
    assert encoder.preprocess(["red"])["input_ids"].shape == (1, MAX_TOKENS)
    with pytest.raises(InputError, match="reads 12, to which its texts are padded"):
        encoder.max_seq_length = 5
    encoder.max_seq_length = MAX_TOKENS


def test_tokens_can_be_pooled(encoder, mixed, tmp_path):
    given = [one for one, _ in mixed]
    pooling = HierarchicalTokenPooling(2, num_protected_tokens=0)
    pooled = encoder.encode_document(given, token_pooling=pooling)
    assert {v.shape for v in pooled} == {(1, 8)}
    built_in = RetMultiVectorEncoder(modules=[encoder[0], pooling], device="cpu")
    assert close(built_in.encode_document(given), pooled)
    assert close(built_in.encode_query(given), encoder.encode_query(given))
    built_in.save_pretrained(str(tmp_path))
    assert same(RetMultiVectorEncoder(str(tmp_path), device="cpu").encode_document(given), pooled)


def test_evaluators_take_texts_and_pictures(encoder, single, pictures):
    red, blue = pictures["red"], pictures["blue"]
    queries = {"q1": "red square", "q2": {"text": "blue", "image": blue}, "q3": red}
    corpus = {"d1": "red square", "d2": {"text": "blue", "image": blue}, "d3": red}
    relevant = {"q1": {"d1"}, "q2": {"d2"}, "q3": {"d3"}}
    found = MultiVectorInformationRetrievalEvaluator(queries, corpus, relevant, write_csv=False)(encoder)
    assert found["maxsim_recall@3"] == 1.0
    found = InformationRetrievalEvaluator(queries, corpus, relevant, write_csv=False)(single)
    assert found["cosine_accuracy@1"] == 1.0  # one encoder for both sides finds what is the same
    triplets = MultiVectorTripletEvaluator(["red", red], ["red", blue], ["blue", {"text": "a", "image": red}])
    assert 0 <= triplets(encoder)["maxsim_accuracy"] <= 1


# --- errors ---


@pytest.mark.parametrize(
    "bad", ["  ", {"text": "", "image": None}, float("nan"), np.zeros(9), {"audio": "a.wav"}]
)
def test_one_bad_input_in_a_batch_is_an_input_error(encoder, single, bad):
    for model in (encoder, single):
        with pytest.raises(InputError):
            model.encode_query(["red", bad])
        with pytest.raises(InputError):
            model.encode_document([bad])


def test_what_encode_cannot_know_is_asked_for(encoder):
    with pytest.raises(InputError, match="heads of their own, and no task says which: use encode_query"):
        encoder.encode("red")
    with pytest.raises(InputError, match="unknown task 'passage': ReT has 'query' and 'document'"):
        encoder.encode("red", task="passage")
    assert torch.equal(encoder.encode("red", task="query"), encoder.encode_query("red"))
    with pytest.raises(InputError, match="takes no processing_kwargs, got text: leave them out"):
        encoder.encode_query("red", processing_kwargs={"text": {"max_length": 3}})


def test_each_encoder_refuses_the_others_models(tmp_path):
    with pytest.raises(ModelError, match="compares token vectors, but this model gives one: use RetSentence"):
        RetMultiVectorEncoder.from_ret(ret2(), tiny_processor())
    save_tiny_checkpoint(tmp_path)
    with pytest.raises(
        ModelError, match="compares single vectors, but this model gives tokens: use RetMulti"
    ):
        RetSentenceTransformer(str(tmp_path), local_files_only=True)
    with pytest.raises(
        ModelError, match=r"begins with a RetModule, this model with a Normalize: .* the Sentence"
    ):
        RetSentenceTransformer(modules=[Normalize()])


# --- stored and loaded ---


def test_what_is_stored_comes_back_bit_by_bit(encoder, single, mixed, tmp_path):
    encoder.prompts["query"] = "turn left "
    encoder.max_seq_length = 7
    given = [one for one, _ in mixed]
    for model, folder in ((encoder, tmp_path / "tokens"), (single, tmp_path / "single")):
        model.save_pretrained(str(folder))
        loaded = type(model)(str(folder), device="cpu")
        assert type(loaded[0].model) is type(model[0].model)
        assert (loaded.prompts, loaded.max_seq_length) == (model.prompts, model.max_seq_length)
        for name, weight in model.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], weight)
        queries = [torch.as_tensor(v) for v in model.encode_query(given)]
        assert same([torch.as_tensor(v) for v in loaded.encode_query(given)], queries)
        again = folder.with_name(folder.name + "-again")
        loaded.save_pretrained(str(again))
        assert sorted(os.listdir(again)) == sorted(os.listdir(folder))
        assert (again / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_half_precision_is_stored_and_loaded(encoder, mixed, tmp_path):
    given = [one for one, _ in mixed]
    encoder.bfloat16().save_pretrained(str(tmp_path))
    loaded = RetMultiVectorEncoder(str(tmp_path), device="cpu", model_kwargs={"dtype": torch.bfloat16})
    assert loaded.dtype == torch.bfloat16
    assert same(loaded.encode_query(given), encoder.encode_query(given))
    wide = RetMultiVectorEncoder(str(tmp_path), device="cpu", model_kwargs={"dtype": torch.float32})
    assert (wide.dtype, wide.encode_query("red").dtype) == (torch.float32, torch.float32)


def test_bare_checkpoints_load_ours_and_the_official_releases(official, tmp_path, mixed):
    given = [one for one, _ in mixed]
    ours = save_tiny_checkpoint(tmp_path / "ours")
    expected = RetMultiVectorEncoder.from_ret(tiny_model(), tiny_processor(), device="cpu").encode_query(
        given
    )
    assert same(RetMultiVectorEncoder(str(ours), device="cpu").encode_query(given), expected)
    ret2().save_pretrained(tmp_path / "two")
    tiny_processor().save_pretrained(tmp_path / "two")
    assert RetSentenceTransformer(str(tmp_path / "two"), device="cpu").encode_query(given).shape == (6, 8)

    folder, inputs, values = official("clip_vit_b")
    theirs = tmp_path / "theirs"
    tiny_processor().save_pretrained(theirs)
    for file in ("config.json", "model.safetensors"):
        (theirs / file).write_bytes((folder / file).read_bytes())
    loaded = RetMultiVectorEncoder(str(theirs), device="cpu")
    for task, side in (("query", "query"), ("document", "passage")):
        found = loaded(dict(inputs[side]), task=task)["token_embeddings"]
        torch.testing.assert_close(found, values[f"{side}.masked.normalized"], rtol=1e-4, atol=1e-5)


def test_a_stored_encoder_is_a_ret_checkpoint_too(encoder, tmp_path):
    encoder.save_pretrained(str(tmp_path))
    assert torch.equal(
        RetForRetrieval.from_pretrained(tmp_path).query_head.projection.weight,
        encoder[0].model.query_head.projection.weight,
    )
    ours = load_encoder(str(tmp_path), precision="float32").encode_query(Query(texts=("a red square",)))
    (vectors,) = ours.fields.values()
    np.testing.assert_allclose(vectors[0], encoder.encode_query("a red square"), atol=1e-6)


def test_only_our_own_module_needs_no_trust(encoder, tmp_path, monkeypatch):
    encoder.save_pretrained(str(tmp_path))
    with pytest.raises(ValueError, match="trust_remote_code=True"):
        MultiVectorEncoder(str(tmp_path), device="cpu")  # theirs knows only its own classes
    trusted = MultiVectorEncoder(str(tmp_path), device="cpu", trust_remote_code=True)
    assert torch.equal(trusted.encode_query("red"), encoder.encode_query("red"))

    (tmp_path / "foreign.py").write_text("raise SystemExit('ran')")
    listing = json.loads((tmp_path / "modules.json").read_text())
    for name in ("foreign.Module", "plait.encode.st.module.torch", "plait.encode.st.foreign.RetModule"):
        listing[0]["type"] = name
        (tmp_path / "modules.json").write_text(json.dumps(listing))
        with pytest.raises(ValueError, match=f"references the module class '{name}'.*\n.*trust_remote_code"):
            RetMultiVectorEncoder(str(tmp_path), device="cpu")


def test_folders_without_a_usable_checkpoint_say_so(tmp_path):
    def refused(message, **options):
        with pytest.raises(ModelError, match=message):
            RetMultiVectorEncoder(str(tmp_path), device="cpu", local_files_only=True, **options)

    refused(r"holds no readable config\.json: give the folder of a ReT checkpoint")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    refused("holds a 'bert' model, expected ReT or ReT-2")
    tiny_model().save_pretrained(tmp_path)
    refused("holds no tokenizer")
    (tmp_path / "model.safetensors").write_bytes(b"")
    refused("model.safetensors is damaged|cannot be loaded")


def test_options_that_do_not_exist_are_refused(tmp_path):
    folder = str(save_tiny_checkpoint(tmp_path))
    with pytest.raises(InputError, match="processor_kwargs are do_resize, but ReT takes only max_tokens"):
        RetMultiVectorEncoder(folder, device="cpu", processor_kwargs={"do_resize": False})
    with pytest.raises(InputError, match=r"config_kwargs {'hidden_size': 3}: expected 'torch', and none"):
        RetMultiVectorEncoder(folder, device="cpu", config_kwargs={"hidden_size": 3})
    with pytest.raises(InputError, match=r"model_kwargs nonsense: .* leave out what is unknown"):
        RetMultiVectorEncoder(folder, device="cpu", model_kwargs={"nonsense": 1})
    with pytest.raises(InputError, match="backend 'onnx'"):
        RetMultiVectorEncoder(folder, device="cpu", backend="onnx")
    short = RetMultiVectorEncoder(folder, device="cpu", processor_kwargs={"max_tokens": 4})
    assert short.max_seq_length == 4
    with pytest.raises(InputError, match="stored as safetensors only"):
        short.save_pretrained(str(tmp_path / "again"), safe_serialization=False)


def test_folders_are_loaded_and_stored_without_the_network(encoder, tmp_path, monkeypatch):
    def refused(*_):
        pytest.fail("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.chdir(tmp_path)
    encoder.save_pretrained("folder/model")  # a relative path looks like a name on the hub
    loaded = RetMultiVectorEncoder("folder/model")
    loaded.save_pretrained("folder/again")
    tiny_model().save_pretrained("folder/bare")
    tiny_processor().save_pretrained("folder/bare")
    RetMultiVectorEncoder("folder/bare").save_pretrained("folder/again")


def test_modalities_are_announced(encoder, single):
    for model in (encoder, single):
        assert model.modalities == ["text", "image", "message"]
        assert model.supports(("image", "text"))
        assert not model.supports("audio")
    assert isinstance(single, SentenceTransformer)
    assert isinstance(encoder[0], RetModule)
