"""What plait-mini tells of each token: its own state, whatever texts are read beside it."""

from __future__ import annotations

import numpy as np
import pytest

from plait.encode.mini import MiniEncoder


@pytest.fixture(scope="module")
def encoder() -> MiniEncoder:
    return MiniEncoder.load(threads=1)


def test_each_token_has_a_state_of_unit_length(encoder):
    pump, nothing = encoder.token_states(["the pump", ""])
    assert (pump.shape, nothing.shape) == ((2, 384), (0, 384))
    np.testing.assert_allclose(np.linalg.norm(pump, axis=1), 1, atol=1e-5)


def test_states_are_those_of_the_text_alone(encoder):
    texts = ["a pump", "grease the seal of the pump", "valve"]
    for together, text in zip(encoder.token_states(texts), texts, strict=True):
        np.testing.assert_allclose(together, encoder.token_states([text])[0], atol=1e-5)


def test_a_token_is_nearer_to_its_like_than_to_another(encoder):
    seal, gasket, giraffe = encoder.token_states(
        ["seal the pump", "gasket of the pump", "giraffe in the zoo"]
    )
    assert seal[0] @ gasket[0] > seal[0] @ giraffe[0]


def test_a_long_text_is_read_in_windows_to_its_end(encoder):
    long = " ".join(["pump"] * 400) + " giraffe"
    (states,) = encoder.token_states([long])
    assert len(states) >= 401  # windows overlap
    asked = encoder.token_states(["giraffe"])[0]
    assert (states @ asked[-1]).argmax() == len(states) - 1
