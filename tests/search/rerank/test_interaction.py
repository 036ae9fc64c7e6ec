"""Late interaction over all tokens says what MaxSim of those tokens says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from PIL import Image
from tests.helpers.tiny_encoder import TEXT, TinyEncoder

from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, StoredDocument
from plait.index.lexical import term_hash, words
from plait.schema import Passage, Picture, Query, Segment, Unit
from plait.scoring.maxsim import maxsim
from plait.scoring.vectors import UnitVectors, VectorField, Vectors
from plait.search.rerank.base import shortlist
from plait.search.rerank.interaction import LateInteraction
from plait.search.searcher import Searcher

CELLS = VectorField("image_tokens", 3, 16, "figure", "image", kept="pooled")
COLOURS = np.random.default_rng(0).integers(0, 256, (4, 16, 3), np.uint8)  # of four pictures' cells


@dataclass(frozen=True)
class TokenEncoder(TinyEncoder):
    """Gives each word's random vector, and the colours of 4 x 4 cells."""

    fields: tuple[VectorField, ...] = (TEXT, CELLS)

    def token_states(self, texts: Sequence[str]) -> list[Vectors]:
        return [np.array([word_vector(word) for word in words(text)]).reshape(-1, 8) for text in texts]

    def encode_units(self, units: Sequence[Unit]) -> list[UnitVectors]:
        cells = [[cells_of(figure.picture.path) for figure in unit.figures] for unit in units]
        return [
            UnitVectors({"text": plain.fields["text"], "image_tokens": np.array(of_unit).reshape(-1, 16, 3)})
            for plain, of_unit in zip(super().encode_units(units), cells, strict=True)
        ]

    def encode_query(self, query: Query):
        plain = super().encode_query(query)
        fields = {name: vectors for name, vectors in plain.fields.items() if name == "text"}
        weights = {name: shares for name, shares in plain.weights.items() if name in ("text", "image_tokens")}
        if query.images:
            fields["image_tokens"] = np.array([cells_of(image) for image in query.images])
        return replace(plain, fields=fields, weights=weights)


def word_vector(word: str) -> Vectors:
    vector = np.random.default_rng(term_hash(word)).standard_normal(8).astype(np.float32)
    return vector / np.linalg.norm(vector)


def cells_of(path: str) -> Vectors:
    cells = np.array(Image.open(path)).reshape(16, 3).astype(np.float32)
    return cells / np.linalg.norm(cells, axis=1, keepdims=True)


@pytest.fixture
def pictures(tmp_path) -> list[str]:
    paths = [str(tmp_path / f"{at}.png") for at in range(4)]
    for path, cells in zip(paths, COLOURS, strict=True):
        Image.fromarray(cells.reshape(4, 4, 3)).save(path)
    return paths


@pytest.fixture
def searcher(tmp_path, pictures) -> Searcher:
    """Three units: two passages, one passage with two pictures, a picture alone."""
    contents = [
        (("close the valve", "grease the seal of the pump"), ()),
        (("the boiler",), pictures[:2]),
        ((), pictures[2:3]),
    ]
    units = tuple(
        Unit(
            f"guide:{at}",
            "guide",
            at,
            "Guide",
            passages=tuple(map(Passage, texts)),
            figures=tuple(Segment("image", picture=Picture(path, path, 4, 4)) for path in paths),
        )
        for at, (texts, paths) in enumerate(contents)
    )
    encoder = TokenEncoder()
    index = LanceIndex(tmp_path / "store", encoder.fields)
    stored = StoredDocument("guide", "Guide", "guide.html", {}, "0" * 64)
    index.add([Entry(stored, units, tuple(encoder.encode_units(units)))])
    return Searcher(encoder, index.snapshot())


def said(searcher: Searcher, query: Query) -> dict[int, float]:
    """Return row -> score."""
    given = shortlist(searcher.ranking(query, k=10), searcher)
    scores = LateInteraction(searcher.encoder).scores(given)
    return dict(zip(given.rows, scores.tolist(), strict=True))


def tokens(*texts: str) -> Vectors:
    return np.concatenate(TokenEncoder().token_states(texts))


def test_words_are_compared_by_maxsim_over_all_tokens_of_all_passages(searcher):
    query = Query(texts=("pump seal", "valve"), text_weights=(3, 1))
    found = said(searcher, query)
    document = tokens("Guide", "close the valve", "Guide", "grease the seal of the pump")
    pump_seal, valve = (maxsim(tokens(text)[None], document[None])[0, 0] for text in query.texts)
    assert found[0] == pytest.approx(0.75 * pump_seal / 2 + 0.25 * valve, abs=1e-6)
    assert found[0] == pytest.approx(1)  # each word of the query is there


def test_a_unit_without_passages_has_nothing_to_compare(searcher, pictures):
    words = LateInteraction(searcher.encoder)
    given = shortlist(searcher.ranking(Query.of("boiler", pictures[2]), k=10), searcher)
    (scores,) = words._of_words(given)
    assert np.isnan(scores[given.rows.index(2)])


def test_pictures_of_a_pooled_lane_are_compared_by_all_their_vectors(searcher, pictures):
    stored = searcher.snapshot.item_vectors("image_tokens", [1])[0]
    assert stored.shape == (2, 8, 3)
    found = said(searcher, Query.of("", pictures[1]))
    every = np.array([cells_of(path) for path in pictures])
    exact = maxsim(every[1:2], every[:3])[0] / 16
    assert found[1] == pytest.approx(max(exact[:2]), abs=1e-6) == pytest.approx(1, abs=1e-6)
    assert found[2] == pytest.approx(exact[2], abs=1e-6)


def test_words_and_pictures_are_added_in_deviations(searcher, pictures):
    found = said(searcher, Query.of("boiler", pictures[1]))
    assert max(found, key=found.__getitem__) == 1
    assert np.isfinite(found[2])  # by its picture alone


def test_an_encoder_that_tells_no_tokens_is_left_alone(library, figure):
    searcher = library({"guide": [(["the seal"], [figure("red")]), (["a seal"], [])]})
    assert np.isnan(list(said(searcher, Query.of("seal")).values())).all()
