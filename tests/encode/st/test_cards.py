"""The model card tells how to load and ask the model, and its code runs."""

from __future__ import annotations

import re

import pytest
from PIL import Image
from tests.helpers.tiny_ret import tiny_model, tiny_processor

from plait.encode.st import RetMultiVectorEncoder
from plait.encode.st.cards import RetMultiVectorCardData


def snippet(folder):
    """Return the Python code of a stored model's card."""
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), flags=re.DOTALL)
    return code


@pytest.mark.parametrize("kind", ["encoder", "single"])
def test_the_cards_code_runs_and_prints_what_it_says(kind, request, tmp_path, capsys):
    model = request.getfixturevalue(kind)
    model.save_pretrained(str(tmp_path))
    code = snippet(tmp_path)
    assert code.startswith(
        f'# pip install "plait[embedders]"\nfrom plait.encode.st import {type(model).__name__}\n'
    )
    named = re.sub(r'"\w+_model_id"|"\w+_transformers_model_id"', repr(str(tmp_path)), code)
    assert named != code
    exec(compile(named, "card", "exec"), {})
    printed = capsys.readouterr().out.replace("torch.Size([", "(").replace("])", ")")
    promised = "".join(
        line.removeprefix("# ") + "\n" for line in code.splitlines() if line.startswith("# tensor")
    )
    assert promised
    assert promised.replace("])", ")").strip() in printed


def test_a_pushed_cards_code_names_the_repository_and_fetches_its_pictures(encoder, tmp_path):
    red, blue = Image.new("RGB", (20, 20), "red"), Image.new("RGB", (20, 20), "blue")
    card = encoder.model_card_data
    card.usage_examples = ["a red square", {"text": None, "image": red}, {"text": "red", "image": blue}]
    card.set_model_id("owner/name")
    encoder.save_pretrained(str(tmp_path))
    code = snippet(tmp_path)
    assert 'model = RetMultiVectorEncoder("owner/name")' in code
    assert "from huggingface_hub import hf_hub_download\n" in code
    assert "    'a red square',\n" in code
    assert "    hf_hub_download('owner/name', 'assets/image_0.jpg'),\n" in code
    assert "    {'text': 'red', 'image': hf_hub_download('owner/name', 'assets/image_1.jpg')},\n" in code
    with Image.open(tmp_path / "assets" / "image_0.jpg") as stored:
        assert stored.size == (20, 20)


def test_the_tip_of_a_pull_request_imports_from_here(encoder, single):
    for model in (encoder, single):
        tip = model._push_to_hub_usage_tip("owner/name")
        assert f"from plait.encode.st import {type(model).__name__}\n" in tip
        assert "from sentence_transformers" not in tip
        assert f'model = {type(model).__name__}(\n    "owner/name",' in tip


def test_a_cards_own_settings_are_kept(tmp_path):
    card = RetMultiVectorCardData(
        model_name="Ours", license="apache-2.0", tags=["ret"], generate_widget_examples=False
    )
    model = RetMultiVectorEncoder.from_ret(tiny_model(), tiny_processor(), device="cpu", card=card)
    model.save_pretrained(str(tmp_path))
    text = (tmp_path / "README.md").read_text()
    assert "# Ours" in text
    assert "license: apache-2.0" in text
