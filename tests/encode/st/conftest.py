"""A tiny ReT and a tiny ReT-2 as encoders of sentence-transformers, and inputs of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file
from tests.helpers.ret_models import ret2
from tests.helpers.tiny_ret import tiny_model, tiny_processor

from plait.encode.st import RetMultiVectorEncoder, RetSentenceTransformer


@pytest.fixture
def encoder():
    return RetMultiVectorEncoder.from_ret(tiny_model(), tiny_processor(), device="cpu")


@pytest.fixture
def single():
    return RetSentenceTransformer.from_ret(ret2(), tiny_processor(), device="cpu")


@pytest.fixture(scope="session")
def pictures():
    """Return pictures that differ in what a processor sees of them."""
    found = {}
    for k, colour in enumerate(("red", "blue", "green")):
        found[colour] = Image.new("RGB", (30 + k, 20), colour)
        found[colour].paste("white", (0, 0, 10, 10))
    return found


@pytest.fixture(scope="session")
def mixed(pictures):
    """Return inputs of every kind, of different lengths, and the (text, image) that each means."""
    red, blue, green = pictures.values()
    return [
        ("a red square", ("a red square", None)),
        (blue, (None, blue)),
        ({"text": "the blue circle of grey paper", "image": red}, ("the blue circle of grey paper", red)),
        ({"image": green}, (None, green)),
        ({"text": "turn left", "image": None}, ("turn left", None)),
        ({"text": "  ", "image": blue}, (None, blue)),
    ]


@pytest.fixture(scope="session")
def official():
    """Return a function: name of an official fixture -> (folder, inputs by side, expected values)."""
    fixtures = Path(__file__).parents[2] / "fixtures" / "ret"

    def load(name):
        given = load_file(fixtures / name / "inputs.safetensors")
        sides = {
            side: {key.partition(".")[2]: tensor for key, tensor in given.items() if key.startswith(side)}
            for side in ("query", "passage")
        }
        return fixtures / name, sides, load_file(fixtures / name / "expected.safetensors")

    return load
