"""The official release's tiny checkpoints, with inputs and what its own code makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ret"


@pytest.fixture(scope="session")
def official():
    """Return a function: checkpoint name -> (folder, inputs by side, expected)."""

    def load(name):
        given = load_file(FIXTURES / name / "inputs.safetensors")
        inputs = {
            side: {key.partition(".")[2]: tensor for key, tensor in given.items() if key.startswith(side)}
            for side in ("query", "passage")
        }
        return FIXTURES / name, inputs, load_file(FIXTURES / name / "expected.safetensors")

    return load
