"""Choosing what is shown: repetitions are folded under the best, and groups are limited."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.errors import QueryError
from plait.schema import Query
from plait.search.folding import Groups, chosen
from plait.search.ranking import Place
from plait.search.sameness import content, nearly_same

VALVE = "Close the safety valve before you open the boiler and drain all of the water that is left"
FILTER = "Rinse the filter basket under warm water once a week and let it dry on a clean cloth"


def others(count: int) -> list[tuple[list[str], list[object]]]:
    """Return units that say different things of valves."""
    words = random.Random(5)
    return [
        ([f"valve {' '.join(''.join(words.choices('abcdefgh', k=5)) for _ in range(12))}"], [])
        for _ in range(count)
    ]


@pytest.fixture
def copies(library):
    """A searcher over a manual, a copy of it in another document, and other manuals."""
    manual = [([VALVE], []), ([FILTER], [])]
    return library({"a": manual, "b": manual, "c": others(4)}, {"a": {"lang": "en"}, "b": {"lang": "en"}})


def found(searcher, text: str, *, fold: bool = True, k: int = 10, limits: dict[str, int] | None = None):
    ranking = searcher.ranking(Query.of(text), k=k)
    values = {name: searcher.snapshot.groups(name) for name in limits or {}}
    cut = chosen(
        ranking.places,
        searcher.snapshot,
        k=k,
        fold=fold,
        groups=Groups(limits or {}, values),
        pictures=None,
    )

    def names(places):
        return [unit.id for unit, _ in searcher.snapshot.units([place.row for place in places])]

    return names(cut.places), [names(same) for same in cut.folded], names(cut.rest)


def test_a_copy_is_folded_under_the_first(copies) -> None:
    shown, folded, _ = found(copies, "safety valve boiler")
    assert (shown[0], folded[0]) == ("a:0", ["b:0"])
    assert "b:0" not in shown


def test_without_folding_both_are_shown(copies) -> None:
    shown, folded, _ = found(copies, "safety valve boiler", fold=False)
    assert shown[:2] == ["a:0", "b:0"]
    assert not any(folded)


def test_what_is_folded_is_not_left_for_the_next_page(copies) -> None:
    shown, folded, rest = found(copies, "safety valve boiler", k=1)
    assert (shown, folded) == (["a:0"], [["b:0"]])
    assert "b:0" not in rest


def test_a_document_has_no_more_hits_than_it_may(copies) -> None:
    shown, _, rest = found(copies, "valve", limits={"document": 1}, fold=False)
    assert sorted(shown) == ["a:0", "b:0", next(name for name in shown if name[0] == "c")]
    assert not rest


def test_documents_that_share_a_value_are_one_group_and_those_without_are_in_none(copies) -> None:
    shown, _, _ = found(copies, "valve", limits={"lang": 1}, fold=False)
    assert sorted(name[0] for name in shown) == ["a", "c", "c", "c", "c"]


@pytest.mark.parametrize("field", ["colour", "section", "page"])
def test_a_limit_on_what_documents_do_not_have_is_refused(copies, field: str) -> None:
    with pytest.raises(QueryError, match=field):
        found(copies, "valve", limits={field: 1})


@given(st.lists(st.integers(-1, 3), max_size=20), st.integers(1, 3))
def test_no_group_is_ever_over_its_limit_and_none_is_cut_short(codes: list[int], limit: int) -> None:
    groups = Groups({"x": limit}, {"x": codes})
    taken = [code for row, code in enumerate(codes) if groups.take(row)]
    for code in set(codes):
        wanted = codes.count(code) if code < 0 else min(limit, codes.count(code))
        assert taken.count(code) == wanted


def test_all_that_is_nearly_the_same_and_scores_so_is_folded_whatever_is_read(library) -> None:
    """The same as comparing every place with every other, of texts that share from none to all words."""
    draw = random.Random(3)
    vocabulary = ["".join(draw.choices("abcdefgh", k=4)) for _ in range(300)]
    seeds = [[draw.choice(vocabulary) for _ in range(40)] for _ in range(2)]

    def changed() -> str:
        said = list(draw.choice(seeds))
        for _ in range(draw.choice([0, 0, 1, 1, 2, 3, 8, 30])):
            said[draw.randrange(len(said))] = draw.choice(vocabulary)
        return " ".join(["valve", *said])

    searcher = library({f"d{n}": [([changed()], []) for _ in range(3)] for n in range(12)})
    numbers = searcher.ranking(Query.of("valve"), k=36).places
    lanes = [
        {"a": draw.choice([0.5, 0.52, 0.9])} | ({"b": 3.0} if draw.random() < 0.8 else {}) for _ in numbers
    ]
    places = [Place(one.row, one.score, said) for one, said in zip(numbers, lanes, strict=True)]
    cut = chosen(places, searcher.snapshot, k=9, fold=True, groups=Groups({}, {}), pictures=None)
    assert [(cut.places[n], cut.folded[n]) for n in range(9)] == plainly(places, searcher.snapshot)[:9]
    assert sum(map(len, cut.folded)) > 3
    assert len(cut.rest) == 36 - 9 - sum(map(len, cut.folded))


def plainly(places, snapshot) -> list[tuple[Place, list[Place]]]:
    """Return every place that is shown and those under it, all compared with all."""
    contents = {place.row: content(snapshot.units([place.row])[0][0]) for place in places}

    def same(one: Place, other: Place) -> bool:
        near = one.lanes.keys() == other.lanes.keys() and all(
            math.isclose(score, other.lanes[lane], abs_tol=0.05, rel_tol=0.15)
            for lane, score in one.lanes.items()
        )
        return near and nearly_same(contents[one.row], contents[other.row], None)

    left, shown = list(places), []
    while left:
        best = left.pop(0)
        folded = [place for place in left if same(best, place)]
        left = [place for place in left if place not in folded]
        shown.append((best, folded))
    return shown
