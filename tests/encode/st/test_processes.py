"""An encoder works in other processes, after it has been used in this one."""

from __future__ import annotations

import pytest
import torch

from plait.errors import InputError


@pytest.mark.slow
def test_a_pool_of_processes_gives_the_same_vectors_and_errors(encoder, mixed):
    given = [one for one, _ in mixed]
    expected = encoder.encode_document(given)
    pool = encoder.start_multi_process_pool(["cpu"])  # pickles it for a fresh interpreter
    try:
        found = encoder.encode_document(given, pool=pool, chunk_size=2, batch_size=2)
        with pytest.raises(InputError, match="has neither text"):
            encoder.encode_document(["red", " "], pool=pool)
    finally:
        encoder.stop_multi_process_pool(pool)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, expected, strict=True))
    assert all(map(torch.equal, encoder.encode_document(given), expected))  # and here it goes on working
