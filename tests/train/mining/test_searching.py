"""Every document is scored, however the search is cut: ranks by hand, and against a plain loop."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from PIL import Image

from plait.data.training.jsonl import JsonlSource
from plait.encode.side_vectors import NOTHING, WHOLE, WITHOUT_PICTURE, Encoded, VectorFile
from plait.train.data import to_dataset
from plait.train.mining import searching
from plait.train.mining.corpus import read_corpus
from plait.train.mining.searching import Found, Search


@pytest.fixture
def make(tmp_path):
    """Return what makes a search of rows and of vectors, in the order in which sides first come."""
    (tmp_path / "work").mkdir()
    Image.new("RGB", (4, 4), "red").save(tmp_path / "red.png")

    def made(rows, queries, documents, *, states=(), query_states=(), count=3, by_modality=False):
        file = tmp_path / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        dataset, _ = to_dataset([JsonlSource(file)], tmp_path / "cache", progress=False)
        corpus = read_corpus(dataset, (), tmp_path / "work")
        assert (len(queries), len(documents)) == (len(corpus.queries), len(corpus.documents))
        return Search(
            corpus,
            stored(tmp_path, queries, query_states),
            stored(tmp_path, documents, states),
            count=count,
            by_modality=by_modality,
            device="cpu",
        )

    return made


def stored(folder, sides, states=()):
    """Return vectors as they come from disk; a side is a vector or several."""
    width = np.atleast_2d(sides[0]).shape[1]
    for old in folder.glob("some.*"):
        old.unlink()
    file = VectorFile(folder, "some", width=width, total=len(sides))
    some = [np.asarray(side, np.float16).reshape(-1, width) for side in sides]
    states = list(states) or [WHOLE] * len(sides)
    file.append([Encoded(*one, k) for k, one in enumerate(zip(some, states, strict=True))])
    return file.read()


def row(query, positive, *negatives, **more):
    return {"query": query, "positive": positive, "negatives": negatives} | more


RED = {"image": "red.png"}
SHOWN = {"text": "b", "image": "red.png"}

# Two rows over six documents; the first number is what query q scores, the second what query r does.
ROWS = [row("q", "a", "c", "d"), row("r", "e", RED, SHOWN)]
QUERIES = [[1, 0], [0, 1]]
DOCUMENTS = [[4, 1], [6, 9], [2, 3], [3, 5], [5, 8], [1, 7]]  # a, c, d, e, RED, SHOWN


def test_ranks_and_candidates_by_hand(make):
    found = make(ROWS, QUERIES, DOCUMENTS).found(0, 2)
    # q: c 6, RED 5, a 4 (its answer), e 3, d 2, SHOWN 1.   r: c 9, RED 8, SHOWN 7, e 5, d 3, a 1.
    assert found.relevant.tolist() == [4, 5]
    assert found.rank.tolist() == [3, 4]
    assert found.places.tolist() == [[1, 4, 3], [1, 4, 5]]
    assert found.scores.tolist() == [[6, 5, 3], [9, 8, 7]]
    assert found.wrong_places.shape == (2, 0)


def test_modalities_are_kept_apart(make):
    found = make(ROWS, QUERIES, DOCUMENTS, by_modality=True).found(0, 2)
    assert found.places[0].tolist() == [1, 3, 2]  # words alone, as the answer
    assert found.places[1].tolist() == [1, 2, 0]
    assert found.scores[1].tolist() == [9, 3, 1]
    assert found.rank.tolist() == [3, 4]  # among all
    assert found.wrong_places[0, :1].tolist() == [4]
    assert found.wrong_scores[0].tolist() == [5, -math.inf, -math.inf]  # SHOWN ranks behind the answer
    assert found.wrong_places[1, :2].tolist() == [4, 5]


def test_what_is_known_to_answer_the_row_is_no_candidate_and_takes_no_rank(make):
    rows = [
        row("q", "a", label="thing"),
        row("r", "c", label="thing"),  # of the same label
        row("q", "d"),  # of the same query
        {"query": "s", "documents": ["e", "f", "g"], "grades": [1, 0, 2]},
    ]
    documents = [[4], [9], [8], [7], [6], [5]]  # a, c, d, e, f, g
    found = make(rows, [[1], [1], [1]], documents, count=6).found(0, 4)

    def candidates(k):
        return found.places[k][np.isfinite(found.scores[k])].tolist()

    assert candidates(0) == [3, 4, 5]
    assert candidates(1) == [2, 3, 4, 5]
    assert candidates(2) == [1, 3, 4, 5]
    assert candidates(3) == [1, 2, 4, 0]
    assert found.rank.tolist() == [4, 1, 2, 4]  # of a, c, d, and g, the best graded
    assert found.relevant.tolist() == [4, 9, 8, 5]


def test_damaged_documents_are_no_candidates_and_damaged_rows_have_no_score(make):
    rows = [row("q", "a", "c", "d"), row("r", "c"), row("s", "d")]
    found = make(
        rows,
        [[1], [1], np.zeros((0, 1))],
        [[4], [9], [6]],
        states=[WHOLE, WITHOUT_PICTURE, WHOLE],
        query_states=[WHOLE, WHOLE, NOTHING],
    ).found(0, 3)
    assert found.places[0, :1].tolist() == [2]
    assert found.scores[0].tolist() == [6, -math.inf, -math.inf]
    assert found.rank.tolist() == [2, 0, 0]
    assert np.isnan(found.relevant[1:]).all()


def test_a_document_without_any_vector_is_no_candidate(make):
    rows = [row("q", "a", "c"), row("r", "d")]
    found = make(rows, [[1], [1]], [[4], np.zeros((0, 1)), [3]], states=[WHOLE, NOTHING, WHOLE]).found(0, 1)
    assert found.scores[0].tolist() == [3, -math.inf, -math.inf]
    assert found.rank.tolist() == [1]


@pytest.mark.parametrize("by_modality", [False, True])
def test_blocks_change_nothing_and_a_plain_loop_finds_the_same(make, monkeypatch, by_modality):
    draw = np.random.default_rng(0)
    sides = [f"d{k}" if k % 3 else {"text": f"d{k}", "image": "red.png"} for k in range(60)]
    rows = [row(f"q{k}", sides[k], *sides[20 + 2 * k : 22 + 2 * k], label=f"l{k % 15}") for k in range(20)]

    def some(count, most):
        return [draw.normal(size=(draw.integers(1, most + 1), 8)).round(2) for _ in range(count)]

    search = make(rows, some(20, 4), some(60, 5), count=7, by_modality=by_modality)
    whole = search.found(0, 20)
    monkeypatch.setattr(searching, "_SIMILARITIES", 50)
    monkeypatch.setattr(searching, "_BLOCK_TOKENS", 11)
    for start, stop in ((0, 20), (3, 9)):
        part = search.found(start, stop)
        np.testing.assert_allclose(part.scores, whole.scores[start:stop], rtol=1e-5)
        assert (part.places == whole.places[start:stop]).all()
        assert (part.rank == whole.rank[start:stop]).all()
        assert (part.wrong_places == whole.wrong_places[start:stop])[np.isfinite(part.wrong_scores)].all()
    for k in range(20):
        expected = plainly(search, k, by_modality=by_modality)
        assert whole.places[k].tolist() == expected["places"]
        assert whole.rank[k] == expected["rank"]
        assert whole.wrong_places[k][np.isfinite(whole.wrong_scores[k])].tolist() == expected["wrong"]


def plainly(search, row, *, by_modality):
    """Return what a row's search finds, one document at a time."""
    corpus = search._corpus
    query = search.queries.of(int(corpus.query[row])).astype(np.float64)
    scores = {
        place: (query @ search.documents.of(place).astype(np.float64).T).max(1).sum()
        for place in range(len(corpus.documents))
    }
    best = int(corpus.best[row])
    label = corpus.labels[row]
    known = {int(place) for k in range(20) if corpus.labels[k] == label for place in [corpus.best[k]]}
    order = [place for place in sorted(scores, key=lambda place: -scores[place]) if place not in known]
    before = [place for place in order if scores[place] > scores[best]]
    same = [place for place in order if not by_modality or corpus.kinds[place] == corpus.kinds[best]]
    wrong = [place for place in before if by_modality and corpus.kinds[place] != corpus.kinds[best]]
    return {"places": same[:7], "rank": len(before) + 1, "wrong": wrong[:7]}


def test_scores_of_pairs_are_those_of_the_search(make):
    search = make(ROWS, QUERIES, DOCUMENTS)
    assert search.pair_scores(1, np.array([5, 0, 5])).tolist() == [7, 1, 7]


def test_what_was_found_is_read_as_it_was_written(make, tmp_path):
    found = make(ROWS, QUERIES, DOCUMENTS, by_modality=True).found(0, 2)
    found.save(tmp_path / "found.npz")
    again = Found.load(tmp_path / "found.npz")
    for name in Found.__slots__:
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert {file.name for file in tmp_path.glob("found*")} == {"found.npz"}
