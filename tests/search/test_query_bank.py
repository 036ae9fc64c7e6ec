"""A bank of queries made of the units of a library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from tests.helpers.tiny_encoder import TinyEncoder

from plait.schema import Query
from plait.scoring.vectors import UnitVectors
from plait.search.query_bank import bank_scores


@dataclass(frozen=True)
class Titled(TinyEncoder):
    """Reads the title of a unit that has no passage, as real encoders do."""

    def encode_units(self, units):
        every = super().encode_units(units)
        titles = [self.encode_query(Query.of(unit.title)).fields["text"] for unit in units]
        return [
            UnitVectors(dict(one.fields) | ({} if len(one.fields["text"]) else {"text": title}))
            for one, title in zip(every, titles, strict=True)
        ]


def test_a_unit_is_asked_of_all_others_by_its_first_words_and_its_first_figure(library, figure) -> None:
    searcher = library(
        {
            "a": [(["valve pump", "seal"], [])],
            "b": [(["valve"], [figure("red"), figure("blue")])],
            "c": [(["seal"], [figure("blue")])],
        }
    )
    bank = dict(bank_scores(searcher.encoder, searcher.snapshot))
    half = np.sqrt(0.5)
    np.testing.assert_allclose(
        bank["text"], [[np.nan, half, 0], [half, np.nan, 0], [1, 0, np.nan]], atol=1e-3
    )
    red, blue = (
        searcher.encoder.encode_query(Query(images=(figure(colour).picture.path,))).fields["image"][0, 0]
        for colour in ("red", "blue")
    )
    expected = [[np.nan, np.nan, red @ blue], [np.nan, 1, np.nan]]
    np.testing.assert_allclose(bank["image"], expected, atol=1e-3)
    assert bank["image_tokens"].shape == (2, 3)


def test_what_a_library_has_nothing_of_is_not_asked(library) -> None:
    searcher = library({"a": [(["valve"], [])], "b": [([" "], [])]})
    bank = dict(bank_scores(searcher.encoder, searcher.snapshot))
    assert list(bank) == ["text"]
    assert len(bank["text"]) == 1


@pytest.mark.parametrize("library", ["in memory"], indirect=True)
def test_a_unit_of_headings_alone_asks_nothing(library, monkeypatch) -> None:
    monkeypatch.setattr("tests.search.conftest.TinyEncoder", Titled)
    searcher = library({"a": [(["valve"], [])], "b": [([], [])]})
    assert searcher.snapshot.holding("passage").all()
    assert len(dict(bank_scores(searcher.encoder, searcher.snapshot))["text"]) == 1
