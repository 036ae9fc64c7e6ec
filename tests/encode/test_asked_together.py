"""Queries that several threads ask at once are encoded together, and get what each gets alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from plait.encode.mini import MiniEncoder
from plait.model.mini import minilm_rows
from plait.model.mini.minilm_rows import RowsOfMiniLM
from plait.schema import Query

TEXTS = (
    "wxButton Types",
    "where {host} and {port} represent the hostname and port number on which Tomcat is running",
    "a",
    "Reshaping and pivot tables",
    "the mean of the first distribution is less than the mean of the second distribution",
    "Größe und Übersicht, 表格",
    "being iterated over. elements",
)


@pytest.fixture(scope="module")
def encoder() -> MiniEncoder:
    return MiniEncoder.load(threads=1)


@pytest.fixture(scope="module")
def alone(encoder: MiniEncoder) -> list[dict[str, np.ndarray]]:
    return [dict(encoder.encode_query(Query.of(text)).fields) for text in TEXTS]


def test_a_query_gets_the_vector_of_the_tower(
    encoder: MiniEncoder, alone: list[dict[str, np.ndarray]]
) -> None:
    tower = np.concatenate([encoder._towers.vectors([text]) for text in TEXTS])
    asked = np.concatenate([fields["text"][:, 0] for fields in alone])
    np.testing.assert_allclose(asked, tower, atol=1e-6)


def test_a_vector_does_not_depend_on_the_texts_beside_it(
    encoder: MiniEncoder, alone: list[dict[str, np.ndarray]]
) -> None:
    rng = np.random.default_rng(0)
    for _ in range(8):
        some = rng.permutation(len(TEXTS))[: rng.integers(2, len(TEXTS) + 1)]
        together = encoder._asked([(TEXTS[place],) for place in some])
        for place, fields in zip(some, together, strict=True):
            for name, vectors in fields.items():
                assert vectors.tobytes() == alone[place][name].tobytes()


def test_texts_of_one_query_get_what_each_gets_alone(
    encoder: MiniEncoder, alone: list[dict[str, np.ndarray]]
) -> None:
    fields = encoder.encode_query(Query(TEXTS)).fields
    for name in ("text", "figure_words"):
        assert fields[name].tobytes() == np.concatenate([one[name] for one in alone]).tobytes()


def test_threads_get_what_one_gets(encoder: MiniEncoder, alone: list[dict[str, np.ndarray]]) -> None:
    order = [place % len(TEXTS) for place in range(28)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda place: encoder.encode_query(Query.of(TEXTS[place])).fields, order))
    for place, fields in zip(order, found, strict=True):
        assert all(fields[name].tobytes() == there.tobytes() for name, there in alone[place].items())


def test_a_long_text_is_read_in_windows_as_before(encoder: MiniEncoder) -> None:
    long = " ".join(f"{text} {number}" for number in range(4) for text in TEXTS)
    asked = encoder.encode_query(Query.of(long)).fields["text"][:, 0]
    np.testing.assert_allclose(asked, encoder._towers.vectors([long]), atol=1e-6)


def test_without_onednn_the_plain_product_gives_the_same(
    encoder: MiniEncoder, alone: list[dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minilm_rows, "_laid_out", lambda weight, bias: None)
    plain = RowsOfMiniLM(encoder._towers._text)
    ids = [encoding.ids for encoding in encoder._towers._encodings(list(TEXTS))]
    together = plain.pooled(ids)
    assert torch.equal(together, torch.cat([plain.pooled([one]) for one in ids]))
    np.testing.assert_allclose(together.numpy(), np.concatenate([f["text"][:, 0] for f in alone]), atol=1e-6)
