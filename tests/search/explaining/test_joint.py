"""Explanations where words and pictures are read together, into one vector, as by ReT."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from tests.helpers.tiny_encoder import IMAGE, TEXT, TinyEncoder

from plait.index.backends.lancedb import LanceIndex
from plait.index.base import Entry, StoredDocument
from plait.library.explaining import explain
from plait.schema import Passage, Query, SearchRequest, Unit
from plait.scoring.vectors import QueryVectors, UnitVectors, VectorField
from plait.search.searcher import Searcher

JOINT = VectorField("ret", TEXT.width + IMAGE.width, 1, "unit", "joint")


@dataclass(frozen=True)
class JointEncoder(TinyEncoder):
    """Words and colours side by side; a side that is not there is zeros. Counts the queries it encodes."""

    fields: tuple[VectorField, ...] = (JOINT,)
    asked: tuple[Query, ...] = ()

    def encode_units(self, units):
        return [
            UnitVectors({"ret": joint(one.fields["text"], one.fields["image"])})
            for one in TinyEncoder().encode_units(units)
        ]

    def encode_query(self, query):
        object.__setattr__(self, "asked", (*self.asked, query))
        fields = TinyEncoder().encode_query(query).fields
        none = np.zeros((0, 1, 1), np.float32)
        texts, images = fields.get("text", none), fields.get("image", none)
        if len(texts) or len(images) < 2:
            return QueryVectors({"ret": joint(texts, images)}, {"ret": np.ones(1, np.float32)})
        each = np.concatenate([joint(none, image[None]) for image in images])
        return QueryVectors({"ret": each}, {"ret": np.full(len(each), 1 / len(each), np.float32)})

    def gates(self, query):
        return {"text": 0.25, "image": 0.5} if query.images else {"text": 0.75}


def joint(texts, images):
    text = texts.sum(axis=0, keepdims=True) if len(texts) else np.zeros((1, 1, TEXT.width), np.float32)
    image = images[:1] if len(images) else np.zeros((1, 1, IMAGE.width), np.float32)
    both = np.concatenate([text, image], axis=2)
    return both / np.linalg.norm(both, axis=2, keepdims=True)


@pytest.fixture
def searcher(tmp_path, figure):
    encoder = JointEncoder()
    contents = [
        ("turn the brass valve", figure("red")),
        ("the pump needs oil", figure("green")),
        ("words in an index", figure("grey")),
    ]
    units = tuple(
        Unit(f"a:{at}", "a", at, "A", passages=(Passage(text),), figures=(shown,))
        for at, (text, shown) in enumerate(contents)
    )
    index = LanceIndex(tmp_path / "store", encoder.fields)
    document = StoredDocument("a", "A", "a.html", {}, "0" * 64)
    index.add([Entry(document, units, tuple(encoder.encode_units(units)))])
    return Searcher(encoder, index.snapshot())


def why(searcher, query, id, **options):
    return explain(searcher, SearchRequest(query, **options), id, path_of=str)


def test_what_is_read_together_is_told_apart_by_encoding_the_query_without_it(searcher, picture):
    query = Query(texts=("brass valve",), images=(picture("green"),))

    by_words = why(searcher, query, "a:0", lanes=("ret",))
    assert len(searcher.encoder.asked) == 3  # the query, and without each part; sides need no more
    by_picture = why(searcher, query, "a:1", lanes=("ret",))

    assert by_words.parts["text 1"] > 0.9
    assert by_words.sides["text"] > 0.9
    assert by_picture.parts["image 1"] > 0.9
    assert by_picture.sides["image"] > 0.9
    assert by_picture.lanes == {"ret": 1.0}


def test_pictures_that_are_parts_of_their_own_are_left_out_without_encoding_again(searcher, picture):
    query = Query(images=(picture("green"), picture("grey")))

    found = why(searcher, query, "a:1")

    assert found.parts["image 1"] > 0.9
    assert found.sides == {"image": 1.0}
    assert len(searcher.encoder.asked) == 1


def test_gates_are_those_of_the_encoder(searcher, picture):
    assert why(searcher, Query.of("brass valve"), "a:0").gates == {"text": 0.75}
    both = Query(texts=("brass",), images=(picture("red"),))
    assert why(searcher, both, "a:0").gates == {"text": 0.25, "image": 0.5}
