"""What stands around a unit counts, worked by hand, but never for a unit that shares no word."""

import numpy as np
import pytest

from plait.index.lexical import Bm25, term_counts
from plait.index.surroundings import SurroundedBm25, blocks_of, heading_text
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
