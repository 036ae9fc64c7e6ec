"""The compiled step, where a C++ compiler is there to compile it."""

from __future__ import annotations

import shutil
import warnings

import pytest
import torch
from tests.helpers.ret_models import MIXED, batch, pair

from plait.model.inference.fast import FastRet, prepare

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_compiled_step_gives_the_same_vectors_at_every_batch_size(precision):
    model = pair()
    plain = prepare(model, precision=precision)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what torch deprecates in itself while it compiles
        fast = prepare(model, precision=precision, compile=True)
        for inputs in (batch(3), batch(4) | MIXED, batch(1)):
            torch.testing.assert_close(
                fast.encode_queries(**inputs), plain.encode_queries(**inputs), atol=1e-2, rtol=0
            )


def test_bucketed_texts_give_the_same_vectors():
    model, inputs = pair(), batch()
    plain = prepare(model, precision="float32")
    for bucket in (4, 16, 64):  # 5 tokens become 8, 16, and the backbone's limit of 16
        wide = FastRet(plain.module, "float32", "float32", bucket=bucket)
        torch.testing.assert_close(
            wide.encode_queries(**inputs), plain.encode_queries(**inputs), atol=2e-6, rtol=0
        )
        ids, mask = wide._widened(inputs["input_ids"], None)
        assert ids.shape == mask.shape == (4, {4: 8, 16: 16, 64: 16}[bucket])
        assert mask.sum() == 20
