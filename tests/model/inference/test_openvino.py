"""Exported graphs give the model's own vectors, whatever the rows hold and however many they are."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
import torch
from tests.helpers.ret_models import TEXT, VISION, batch, packed, pair, ret2

from plait.errors import InputError, MissingExtraError, ModelError
from plait.model.inference.openvino import OpenVinoRet, export_openvino

pytestmark = pytest.mark.slow  # tracing a graph takes seconds, however small

TWO_LAYERS = {"text_layers": [0, 1], "vision_layers": [0, 1]}
ONE_LAYER = {
    "text_config": TEXT | {"num_hidden_layers": 1},
    "vision_config": VISION | {"num_hidden_layers": 1},
    "text_layers": [0],
    "vision_layers": [0],
}


def needs_openvino():
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("openvino is not installed")


KINDS = {"text_mask": torch.tensor([1, 1, 0, 1]), "image_mask": torch.tensor([1, 0, 1, 0])}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    needs_openvino()
    model, folder = pair(query=TWO_LAYERS), tmp_path_factory.mktemp("exported")
    export_openvino(model, folder)
    return model, folder


@pytest.mark.parametrize("side", ["encode_queries", "encode_documents"])
@pytest.mark.parametrize(("precision", "cosine"), [("float32", 0.99999), ("auto", 0.999)])
def test_graphs_read_from_a_folder_encode_as_the_model(exported, side, precision, cosine):
    model, folder = exported
    graphs = OpenVinoRet(folder, threads=1, precision=precision)
    for inputs in (batch(1), batch(4) | KINDS, batch(32), packed(batch(4), KINDS)):
        found, expected = getattr(graphs, side)(**inputs), getattr(model, side)(**inputs)
        assert found.shape == expected.shape
        assert torch.nn.functional.cosine_similarity(found, expected, dim=-1).min() >= cosine


def test_a_missing_attention_mask_means_no_padding(exported):
    model, folder = exported
    ids = batch(4)["input_ids"]
    torch.testing.assert_close(
        OpenVinoRet(folder, precision="float32").encode_queries(input_ids=ids),
        model.encode_queries(input_ids=ids),
        atol=1e-3,
        rtol=0,
    )


def test_a_shared_side_is_exported_once_and_gives_its_one_vector(tmp_path):
    needs_openvino()
    model = ret2(**ONE_LAYER)
    export_openvino(model, tmp_path)
    assert sorted(file.stem for file in tmp_path.glob("*.xml")) == [
        "query-image",
        "query-text",
        "query-text_image",
    ]
    found = OpenVinoRet(tmp_path, precision="float32").encode_documents(**batch())
    torch.testing.assert_close(found, model.encode_documents(**batch()), atol=1e-3, rtol=0)


def test_what_cannot_be_encoded_or_read_is_refused_with_the_way_out(exported, tmp_path):
    _, folder = exported
    with pytest.raises(InputError, match="row 3 has neither text nor image"):
        OpenVinoRet(folder).encode_queries(
            **batch(), text_mask=torch.tensor([1, 1, 1, 0]), image_mask=torch.zeros(4)
        )
    with pytest.raises(InputError, match="the text mask marks rows with text, but no text tensors"):
        OpenVinoRet(folder).encode_queries(text_mask=torch.ones(2))
    with pytest.raises(ModelError, match="export a model into it with export_openvino"):
        OpenVinoRet(tmp_path)
    with pytest.raises(ModelError, match="precision 'int8': use one of auto, float32"):
        OpenVinoRet(folder, precision="int8")


def test_nothing_is_reported_to_openvinos_makers(tmp_path):
    needs_openvino()
    program = (
        "import sys; from plait.errors import ModelError\n"
        "from plait.model.inference.openvino import OpenVinoRet\n"
        "try: OpenVinoRet(sys.argv[1])\n"
        "except ModelError: print('openvino' in sys.modules, sys.modules['openvino_telemetry'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True None"


def test_without_openvino_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r'pip install "plait\[openvino\]"'):
        export_openvino(pair(), tmp_path)
