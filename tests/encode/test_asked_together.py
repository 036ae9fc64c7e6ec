"""Queries that several threads ask at once are encoded together, and get what each gets alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from plait.encode import mini
from plait.encode.mini import MiniEncoder
from plait.model.inference.linear import native_bfloat16
from plait.model.mini.laid_out import Way, in_bfloat16, in_float32, plainly
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
    assert (asked * tower).sum(1).min() > 0.9999


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
    assert (asked * encoder._towers.vectors([long])).sum() > 0.9999


@pytest.mark.parametrize("way", [in_bfloat16, in_float32, plainly])
def test_every_way_of_multiplying_gives_the_towers_vectors_whatever_texts_come(
    encoder: MiniEncoder, way: Way
) -> None:
    if way is in_bfloat16 and not native_bfloat16():
        pytest.skip("no such instructions")
    rows = RowsOfMiniLM(encoder._towers._text, way)
    ids = [encoding.ids for encoding in encoder._towers._encodings(list(TEXTS))]
    together = rows.pooled(ids)
    assert torch.equal(together, torch.cat([rows.pooled([one]) for one in ids]))
    tower = encoder._towers.vectors(list(TEXTS))
    assert (together.numpy() * tower).sum(1).min() > (0.9999 if way is in_bfloat16 else 1 - 1e-6)


def test_where_bytes_are_not_multiplied_figures_are_asked_for_in_floats(
    encoder: MiniEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mini, "bytes_work", lambda: False)
    plain = MiniEncoder.load(threads=1)
    texts = encoder._towers.asked(TEXTS)[:, None]
    asked = plain._questions(texts)
    assert not plain._words.is_in_bytes
    assert asked.tobytes() == np.concatenate([plain._questions(one[None]) for one in texts]).tobytes()
    np.testing.assert_allclose(asked, encoder._questions(texts), atol=1e-3)
    assert (asked * encoder._questions(texts)).sum(2).min() > 1 - 1e-6
