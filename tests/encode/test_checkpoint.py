"""What a model's folder holds, told from small files made by hand; and its fingerprint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from plait.encode.checkpoint import fingerprint, kind_of
from plait.errors import ModelError

POOLING = "sentence_transformers.sentence_transformer.modules.Pooling"


def write(folder: Path, **files) -> Path:
    """Write files in JSON: config={...} becomes config.json."""
    for name, values in files.items():
        (folder / f"{name}.json").write_text(json.dumps(values))
    return folder


def modules(*types: str) -> list[dict[str, object]]:
    return [
        {"idx": k, "name": str(k), "path": f"{k}_Part" if k else "", "type": name}
        for k, name in enumerate(types)
    ]


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"config": {"model_type": "plait-mini"}}, "plait-mini"),
        ({"config": {"model_type": "plait-ret-retrieval"}}, "ReT"),
        ({"config": {"model_type": "plait-ret2-retrieval"}}, "ReT"),
        ({"config": {"model_type": "retriever"}}, "ReT"),
        (
            {
                "config": {"model_type": "plait-ret-retrieval"},
                "modules": modules("plait.encode.st.module.RetModule"),
            },
            "ReT",
        ),
        ({"config": {"model_type": "bert"}, "modules": modules(POOLING)}, "SentenceTransformer"),
        ({"modules": modules(POOLING)}, "SentenceTransformer"),
        (
            {
                "modules": modules(POOLING),
                "config_sentence_transformers": {"model_type": "MultiVectorEncoder"},
            },
            "MultiVectorEncoder",
        ),
        (
            {
                "modules": modules("pylate.models.Dense.Dense"),
                "config_sentence_transformers": {"model_type": "ColBERT"},
            },
            "MultiVectorEncoder",
        ),
        (
            {
                "config": {"model_type": "plait-ret-retrieval"},
                "modules": modules("plait.encode.st.module.RetModule"),
                "config_sentence_transformers": {
                    "model_type": "MultiVectorEncoder",
                    "prompts": {"query": "a "},
                },
            },
            "MultiVectorEncoder",  # a ReT checkpoint knows no prompts
        ),
        (
            {"modules": modules("plait.encode.st.module.RetModule"), "adapter_config": {}},
            "SentenceTransformer",
        ),
        ({"config": {"model_type": "bert", "architectures": ["HF_ColBERT"]}}, "MultiVectorEncoder"),
        (
            {"config": {"model_type": "colpali", "architectures": ["ColPaliForRetrieval"]}},
            "MultiVectorEncoder",
        ),
    ],
)
def test_the_kind_is_told_from_the_small_files(tmp_path, files, kind):
    assert kind_of(write(tmp_path, **files)) == kind


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"config": {"model_type": "bert", "architectures": ["BertModel"]}},
            r"holds a 'bert' model \(BertModel\) without",
        ),
        (
            {"config": {}},
            r"holds a 'None' model \(no architecture named\) without modules.json: give \"plait-mini\"",
        ),
        (
            {"modules": modules(POOLING), "config_sentence_transformers": {"model_type": "CrossEncoder"}},
            "holds a CrossEncoder of sentence-transformers: give",
        ),
        (
            {"modules": modules("custom_st.Transformer")},
            r"needs code of its own \(custom_st.Transformer\), and plait runs no",
        ),
        ({"modules": [{"path": ""}]}, r"modules.json is not a list of modules"),
        ({"modules": 3}, r"modules.json is not a list of modules"),
        ({"config": []}, "config.json holds a list, expected settings by name"),
    ],
)
def test_other_models_are_refused_with_what_was_found(tmp_path, files, message):
    with pytest.raises(ModelError, match=message) as error:
        kind_of(write(tmp_path, **files))
    assert len(str(error.value).splitlines()) == 1


def test_a_file_that_is_no_json_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json cannot be read"):
        kind_of(tmp_path)


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    for place in ("", "1_Part", "1_Part/inner", "onnx"):
        (folder / place).mkdir(exist_ok=True)
        save_file({"weights": np.full(3, len(place), np.float32)}, folder / place / "model.safetensors")
    write(folder, modules=modules("sentence_transformers.base.modules.Transformer", POOLING), config={"a": 1})
    return folder


def test_a_copy_has_the_same_fingerprint(model, tmp_path):
    shutil.copytree(model, tmp_path / "another name")
    assert fingerprint(tmp_path / "another name") == fingerprint(model)
    assert len(fingerprint(model)) == 64


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "1_Part/model.safetensors",
        "1_Part/inner/model.safetensors",
        "config.json",
        "vocab.txt",
    ],
)
def test_what_is_read_changes_the_fingerprint(model, name):
    before = fingerprint(model)
    (model / name).write_bytes(b"[]")
    assert fingerprint(model) != before


@pytest.mark.parametrize(
    "name", ["README.md", "onnx/model.safetensors", "pytorch_model.bin", "tf_model.h5", "eval/a.json"]
)
def test_what_is_not_read_leaves_it(model, name):
    before = fingerprint(model)
    (model / name).parent.mkdir(exist_ok=True)
    (model / name).write_bytes(b"new")
    assert fingerprint(model) == before


def test_pickled_weights_count_where_there_are_no_others(model):
    (model / "1_Part/model.safetensors").rename(model / "1_Part/pytorch_model.bin")
    before = fingerprint(model)
    (model / "1_Part/pytorch_model.bin").write_bytes(b"new")
    assert fingerprint(model) != before


def test_a_file_that_moves_changes_it(model):
    before = fingerprint(model)
    (model / "config.json").rename(model / "1_Part/config.json")
    assert fingerprint(model) != before


def test_an_adapter_changes_with_the_model_that_it_extends(model, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    write(adapter, adapter_config={"base_model_name_or_path": str(model)})
    before = fingerprint(adapter)
    (model / "config.json").write_text("{}")
    assert fingerprint(adapter) != before
    write(adapter, adapter_config={"base_model_name_or_path": str(tmp_path / "nowhere")})
    with pytest.raises(ModelError, match=r"no model '.*nowhere'"):
        fingerprint(adapter)
