"""Matryoshka models at a smaller size: what is kept of the vectors, and that a library works with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from tests.helpers.tiny_ret import save_tiny_checkpoint

from plait.encode import load_encoder
from plait.encode.shortened import ShortenedEncoder, size_in
from plait.errors import ModelError
from plait.library import Library
from plait.schema import Passage, Query, Unit
from plait.scoring.vectors import QueryVectors, UnitVectors, VectorField


@dataclass(frozen=True)
class Fixed:
    """An encoder that gives the vectors it was made with, whatever is asked."""

    vectors: np.ndarray
    name: str = "fixed"
    fingerprint: str = "1"
    mixture: None = None
    windows: int = 3
    truncated: int = 0

    @property
    def fields(self):
        return (VectorField("ret", self.vectors.shape[2], self.vectors.shape[1], "unit", "joint"),)

    def encode_units(self, units):
        return [UnitVectors({"ret": self.vectors}) for _ in units]

    def encode_query(self, query):
        return QueryVectors({"ret": self.vectors}, {"ret": np.ones(len(self.vectors), np.float32)})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"))


def test_the_first_tokens_and_numbers_are_kept_at_unit_length():
    whole = np.array([[[3, 4, 0, 9], [0, 2, 5, 5], [1, 1, 1, 1]]], np.float32)
    encoder = ShortenedEncoder(Fixed(whole), 2, 2)
    kept = [[[0.6, 0.8], [0, 1]]]
    np.testing.assert_allclose(encoder.encode_units([None])[0].fields["ret"], kept)
    np.testing.assert_allclose(encoder.encode_query(Query.of("any")).fields["ret"], kept)
    assert encoder.fields == (VectorField("ret", 2, 2, "unit", "joint"),)
    assert (encoder.name, encoder.fingerprint, encoder.windows) == ("fixed@2x2", "1@2x2", 3)


def test_tokens_of_zeros_stay_so_and_a_query_keeps_its_mean():
    whole = np.array([[[3, 4, 1], [0, 0, 0]], [[0, 2, 0], [4, 3, 0]]], np.float32)
    encoder = ShortenedEncoder(Fixed(whole), 2, 2)
    assert encoder.encode_units([None])[0].fields["ret"][0, 1].tolist() == [0, 0]
    query = encoder.encode_query(Query.of("any")).fields["ret"]
    np.testing.assert_allclose(query[0], [[1.2, 1.6], [0, 0]])  # twice as long, as zeros halve the mean
    np.testing.assert_allclose(query[1], [[0, 1], [0.8, 0.6]])


def test_the_whole_size_changes_no_vector(checkpoint):
    whole = load_encoder(str(checkpoint), threads=1, precision="float32")
    same = load_encoder(f"{checkpoint}@3x8", threads=1, precision="float32")
    query = Query.of("a red square")
    np.testing.assert_allclose(
        same.encode_query(query).fields["ret"], whole.encode_query(query).fields["ret"], atol=1e-6
    )
    assert same.fingerprint != whole.fingerprint


def test_a_library_of_a_shortened_model_opens_and_finds_again(checkpoint, tmp_path):
    (tmp_path / "notes.md").write_text("# Red\n\na red square\n\n# Blue\n\nthe blue circle\n")
    name = f"{checkpoint}@2x4"
    with Library(tmp_path, encoder=load_encoder(name, threads=1, precision="float32")) as library:
        assert library.add([tmp_path / "notes.md"]).added == 1
    with Library(tmp_path) as library:
        assert library.encoder().name == name
        hits = library.search(Query.of("a red square"), lanes=["ret"])
        assert len(hits) == 2
        assert set(hits[0].lanes) == {"ret"}


@pytest.mark.parametrize("size", ["4x8", "3x9", "0x8", "3x0"])
def test_a_size_that_the_model_has_not_is_refused(checkpoint, size):
    with pytest.raises(ModelError, match=f"cannot be cut to {size}: it makes 3 tokens of 8 numbers"):
        load_encoder(f"{checkpoint}@{size}", threads=1)


def test_a_model_of_several_fields_is_not_cut():
    with pytest.raises(ModelError, match="plait-mini cannot be cut to 1x64: only models of one vector field"):
        load_encoder("plait-mini@1x64")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("runs/ret@8x64", ("runs/ret", (8, 64))),
        ("org/model@main", ("org/model@main", None)),
        ("@8x64", ("@8x64", None)),
        ("a@8x64@4x32", ("a@8x64", (4, 32))),
        ("plait-mini", ("plait-mini", None)),
    ],
)
def test_a_size_is_told_by_its_form(name, expected):
    assert size_in(name) == expected


def test_units_without_items_have_none(checkpoint):
    encoder = load_encoder(f"{checkpoint}@2x4", threads=1, precision="float32")
    vectors = encoder.encode_units(
        [Unit("d:0", "d", 0, "", passages=(Passage("red"),)), Unit("d:1", "d", 1, "")]
    )
    assert [v.fields["ret"].shape for v in vectors] == [(1, 2, 4), (0, 2, 4)]
