"""What stands around a unit counts, worked by hand, but never for a unit that shares no word."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import InputError
from plait.index import postings, surroundings, text_segments
from plait.index.bm25 import Bm25
from plait.index.lexical import term_counts
from plait.index.surroundings import SurroundedBm25, blocks_of
from plait.index.text_segments import TermRows, heading_text
from plait.schema import Passage, Unit


def unit(document: str, ordinal: int, text: str, *, section: tuple[str, ...] = ()) -> Unit:
    passages = (Passage(text),) if text else ()
    return Unit(f"{document}:{ordinal}", document, ordinal, document, section, passages=passages)


UNITS = [
    unit("crop", 0, "select the area", section=("Tool",)),
    unit("crop", 1, "press enter", section=("Keys",)),
    unit("blur", 0, "the radius", section=("Tool",)),
    unit("blur", 1, "press shift", section=("Keys",)),
]


def test_the_score_is_a_quarter_own_two_fifths_block_and_the_rest_headings():
    own = Bm25.of([term_counts(one.text) for one in UNITS])
    blocks = Bm25.of([term_counts("\n".join(one.text for one in pair)) for pair in (UNITS[:2], UNITS[2:])])
    headings = Bm25.of([term_counts(text) for text in ("crop Tool", "crop Keys", "blur Tool", "blur Keys")])
    query = ["press area", "tool"]
    weights = [0.75, 0.25]
    around = blocks.scores(query, weights)[[0, 0, 1, 1]]
    expected = 0.25 * own.scores(query, weights) + 0.4 * around + 0.35 * headings.scores(query, weights)
    np.testing.assert_allclose(SurroundedBm25.of(UNITS).scores(query, weights), expected, rtol=1e-6)


def test_of_two_equal_units_the_one_whose_neighbour_matches_too_is_first():
    scores = SurroundedBm25.of(UNITS).scores(["press area"])
    assert scores[1] > scores[3] > 0


def test_a_unit_without_a_word_of_the_query_scores_nothing_whatever_its_neighbours_say():
    scores = SurroundedBm25.of(UNITS).scores(["area"])
    assert scores[0] > 0
    assert scores[1:].tolist() == [0, 0, 0]


def test_a_word_in_the_heading_outweighs_the_same_word_in_the_text():
    units = [unit("a", 0, "layers here", section=("Other",)), unit("b", 0, "other here", section=("Layers",))]
    text, heading = SurroundedBm25.of(units).scores(["layers"])
    assert heading > text > 0


def test_blocks_are_runs_of_32_units_within_a_document():
    owners = np.repeat(np.array([0, 1, 2], np.int32), [32, 33, 1])
    expected = np.repeat([0, 1, 2, 3], [32, 32, 1, 1])
    assert blocks_of(owners).tolist() == expected.tolist()


@pytest.mark.parametrize("units", [[], [unit("empty", 0, "")]])
def test_nothing_to_match_scores_nothing(units: list[Unit]):
    assert SurroundedBm25.of(units).scores(["words"]).tolist() == [0.0] * len(units)


def test_headings_are_named_once_outermost_first():
    assert heading_text("Guide", ("Guide", "", "Tools")) == "Guide > Tools"


def test_in_german_text_heading_and_query_are_all_reduced_to_german_stems():
    german = [unit("a", 0, "altes Haus", section=("Die Häuser",)), unit("b", 0, "Räume", section=("Gärten",))]
    stems = [unit("a", 0, "alt haus", section=("die haus",)), unit("b", 0, "raum", section=("gart",))]
    scores = SurroundedBm25.of(german, language="de").scores(["Häusern", "Garten"])
    assert scores.tolist() == SurroundedBm25.of(stems, language="none").scores(["haus", "gart"]).tolist()
    assert (scores > 0).all()


def test_an_unknown_language_is_refused_before_anything_is_scored():
    with pytest.raises(InputError, match="klingon"):
        SurroundedBm25(language="klingon")


QUERIES = (["red cat"], ["blue", "dog dog tree"], ["bird"])
SENTENCE = st.lists(st.sampled_from(["red", "blue", "cat", "dog", "tree", "bird"]), max_size=5).map(" ".join)
SECTION = st.sampled_from([("Red",), ("Cats", "Blue cats"), ()])
PAGES = st.lists(st.tuples(SENTENCE, SECTION), max_size=8)
CHANGES = st.lists(st.dictionaries(st.sampled_from("abcdefg"), PAGES, max_size=4), min_size=1, max_size=5)


@settings(deadline=None)  # a busy machine is no failure
@given(CHANGES, st.integers(0, 999))
def test_after_any_changes_the_scores_are_those_of_the_formula(changes, seed):
    """Each change gives some documents new pages; a document without pages goes."""
    shuffled = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_segments, "_PIECE_UNITS", 4)
        patch.setattr(text_segments, "MOST_ITEMS", 12)
        patch.setattr(surroundings, "_BLOCK_UNITS", 3)
        patch.setattr(postings, "_MANY", 3)
        patch.setattr(surroundings, "_KEPT_BYTES", 200)  # of five words of ten units
        documents: dict[str, list[Unit]] = {}
        bm25, before = SurroundedBm25(), []
        for change in changes:
            documents |= {name: pages_of(name, pages) for name, pages in change.items()}
            now = [one for name in sorted(documents) for one in documents[name]]
            bm25, before = changed(bm25, before, now, shuffled), now
            assert all(len(segment) <= 12 for segment, _ in bm25._placed)
            mask = np.array([shuffled.random() < 0.5 for _ in now], np.bool_)
            assert_same(bm25, now, mask)


def pages_of(name: str, pages: list[tuple[str, tuple[str, ...]]]) -> list[Unit]:
    return [unit(name, number, text, section=section) for number, (text, section) in enumerate(pages)]


def changed(bm25: SurroundedBm25, before: list[Unit], now: list[Unit], shuffled: random.Random):
    """Pass what is new in batches of any order; the same object is the same unit."""
    was = {id(one): row for row, one in enumerate(before)}
    kept = np.array([was.get(id(one), -1) for one in now], np.int32)
    new = np.flatnonzero(kept < 0).tolist()
    shuffled.shuffle(new)
    size = shuffled.randint(1, 5)
    parts = [new[first : first + size] for first in range(0, len(new), size)]
    batches = [TermRows.of([now[row] for row in rows], np.array(rows, np.int32)) for rows in parts]
    return bm25.changed(kept, batches, owners=owners_of(now))


def owners_of(units: list[Unit]) -> np.ndarray:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(one.document_id, len(numbers)) for one in units], np.int32)


def assert_same(bm25: SurroundedBm25, units: list[Unit], mask: np.ndarray) -> None:
    assert len(bm25) == len(units)
    for query in QUERIES:
        scores = expected_scores(units, query)
        assert bm25.scores(query).tolist() == scores.tolist()
        np.testing.assert_array_equal(bm25.scores(query, mask=mask), np.where(mask, scores, np.nan))


def expected_scores(units: list[Unit], query: list[str]) -> np.ndarray:
    """The formula, of three plain BM25s."""
    block_of = blocks_of(owners_of(units))
    texts = [[one.text for one, its in zip(units, block_of, strict=True) if its == b] for b in set(block_of)]
    own = Bm25.of([term_counts(one.text) for one in units]).scores(query)
    blocks = Bm25.of([term_counts(" ".join(block)) for block in texts]).scores(query)
    headings = Bm25.of([term_counts(heading_text(one.title, one.section)) for one in units]).scores(query)
    return np.where(own > 0, 0.25 * own + 0.4 * blocks[block_of] + 0.35 * headings, 0)


def test_many_threads_get_the_scores_that_one_gets(monkeypatch):
    monkeypatch.setattr(surroundings, "_KEPT_BYTES", 4 * 40 * 2)  # two words of forty units
    units = [unit("abcd"[row // 10], row % 10, f"red cat{row % 3} tree dog{row % 2}") for row in range(40)]
    queries = [["red"], ["tree dog1"], ["cat2 red dog1"], ["cat1 tree"], ["bird red tree"]]
    alone = [SurroundedBm25.of(units).scores(query).tobytes() for query in queries]
    shared = SurroundedBm25.of(units)

    def ask(number: int) -> bool:
        query = queries[number % len(queries)]
        named = shared.word_weights(query, [1.0])
        return shared.scores(query).tobytes() == alone[number % len(queries)] and "bird" not in named

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(400)))


def test_after_many_small_additions_there_are_few_segments():
    bm25 = SurroundedBm25()
    units: list[Unit] = []
    for number in range(100):
        units = [*units, unit(f"d{number:03}", 0, "red cat")]
        bm25 = changed(bm25, units[:-1], units, random.Random(0))
    assert len(bm25) == 100
    assert len(bm25._placed) <= 8  # about as many as 100 has binary digits


@pytest.mark.parametrize(
    ("kept", "given"),
    [
        ([0, -1, 2, 3], [1]),  # a part of a document kept
        ([0, 1, 2, 2], []),  # a unit kept twice
        ([0, 2, 1, 3], []),  # units that changed documents
        ([0, 1, -1, -1], [2]),  # the terms of a new unit missing
        ([0, 1, -1, -1], [2, 3, 3]),  # given twice
        ([0, 1, -1, -1], [1, 2, 3]),  # given although kept
    ],
)
def test_a_change_that_does_not_add_up_is_refused(kept, given):
    batch = TermRows.of([UNITS[row] for row in given], np.array(given, np.int32))
    with pytest.raises(InputError):
        SurroundedBm25.of(UNITS).changed(np.array(kept, np.int32), [batch], owners=owners_of(UNITS))


def test_a_document_kept_in_two_places_is_refused():
    bm25 = SurroundedBm25.of([unit("a", 0, "red cat")])
    with pytest.raises(InputError, match="kept twice"):
        bm25.changed(np.array([0, 0], np.int32), [], owners=np.array([0, 1], np.int32))


def test_a_large_segment_is_left_alone_by_a_small_addition():
    units = [unit(f"d{number}", 0, "red cat") for number in range(5)]
    before = SurroundedBm25.of(units[:4])
    after = changed(before, units[:4], units, random.Random(0))
    assert len(after._placed) == 2
    assert after._placed[0][0] is before._placed[0][0]
