"""Asking: the runs are what the real search and the lanes' exact scores say, cut as trec_eval would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers.small_collection import write_collection
from tests.helpers.tiny_encoder import TinyEncoder

from plait.data.collections.base import LabelledQuery
from plait.evaluation.measures import ranking
from plait.evaluation.systems import System
from plait.library.evaluating.answering import Search, ask_search, ask_systems, best
from plait.library.evaluating.copying import copied
from plait.library.evaluating.corpora import Labelled, _Documents, opened
from plait.schema import Query
from plait.search.searcher import Searcher
from plait.settings import Settings


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Searcher, Labelled]]:
    folder = tmp_path_factory.mktemp("answering")
    corpus = opened(str(write_collection(folder / "c")))
    copy = copied(
        corpus, folder, fingerprint=corpus.fingerprint(), encoder=TinyEncoder(), settings=Settings()
    )
    with copy.library:
        yield copy.library.searcher(), corpus.labelled(copy.library)


scores = st.lists(st.sampled_from([np.nan, -1.0, 0.0, 0.5, 0.5, 2.0]), min_size=1, max_size=60)


@given(scores=scores, depth=st.integers(1, 5), documents=st.integers(1, 9), seed=st.integers(0, 99))
def test_the_best_items_are_those_of_all_scores_ranked_and_cut(
    scores: list[float], depth: int, documents: int, seed: int
) -> None:
    owners = [f"d{n}" for n in np.random.default_rng(seed).integers(0, documents, len(scores))]
    every: dict[str, float] = {}
    for owner, score in zip(owners, scores, strict=True):
        if not np.isnan(score):
            every[owner] = max(score, every.get(owner, score))
    found = best(np.array(scores, np.float32), _Documents(owners), "q", depth)
    assert list(found) == ranking(every)[:depth]
    assert found == {name: every[name] for name in found}


def test_a_run_is_what_the_search_of_a_user_finds_a_document_once(ready: tuple[Searcher, Labelled]) -> None:
    searcher, labelled = ready
    answers = ask_search(searcher, labelled.items, labelled.queries, Search(), depth=2)
    for query in labelled.queries:
        hits = searcher.search(query.query, k=2, per_document=1)
        assert answers.run[query.id] == {hit.document_id: hit.score for hit in hits}
    assert set(answers.seconds) == {query.id for query in labelled.queries}
    assert not answers.failed
    assert not answers.unasked


def test_lanes_that_a_query_does_not_ask_leave_it_unasked_and_a_broken_picture_fails(
    ready: tuple[Searcher, Labelled], tmp_path: Path
) -> None:
    searcher, labelled = ready
    (tmp_path / "broken.png").write_bytes(b"no picture")
    broken = LabelledQuery("x", Query.of("acid", str(tmp_path / "broken.png")), "text+image")
    queries = [broken, *labelled.queries]
    by_image = ask_search(searcher, labelled.items, queries, Search(lanes=("image",)), depth=9)
    assert by_image.unasked == {"t1", "t2", "u1"}
    assert list(by_image.failed) == ["x"]
    assert "broken.png" in by_image.failed["x"]
    assert list(by_image.run) == ["i1", "b1"]
    weights = {"bm25": 0.0, "text": 0.0}
    weighted = ask_search(searcher, labelled.items, queries[1:], Search(weights=weights), depth=9)
    assert weighted.unasked == {"t1", "t2", "u1"}


def test_systems_say_what_their_lanes_exact_scores_say(ready: tuple[Searcher, Labelled]) -> None:
    searcher, labelled = ready
    systems = (System("words", ("bm25",)), System("both", ("bm25", "image"), "rrf"))
    answers = ask_systems(searcher, labelled.items, labelled.queries, systems, depth=9)
    assert answers["words"].unasked == {"i1"}
    assert list(answers["words"].run["t2"]) == ["warranty"]
    assert list(answers["words"].run["b1"]) == ["boiler", "hose"]  # the shorter of two with the word
    b1 = answers["both"].run["b1"]
    assert b1["hose"] == pytest.approx(1 / 62 + 1 / 61)  # second by its words, first by its picture
    assert not answers["both"].unasked


def test_a_model_that_reads_no_pictures_is_not_made_for_queries_of_pictures_alone(
    ready: tuple[Searcher, Labelled],
) -> None:
    searcher, labelled = ready
    fields = tuple(field for field in searcher.encoder.fields if field.asks == "text")
    blind = Searcher(TinyEncoder(fields=fields), searcher.snapshot)
    answers = ask_search(blind, labelled.items, labelled.queries[:3], Search(), depth=9)
    assert answers.unasked == {"i1"}
    assert not answers.failed
