"""Mixtures hold exactly what they promise, in an order that is the same every time."""

from __future__ import annotations

from collections import Counter

import pytest

from plait.data.training.examples import BadRow, Example, Side
from plait.data.training.mixture import Mixture, Part, weighted
from plait.data.training.shuffling import Shuffled
from plait.errors import InputError


class Numbers:
    """Examples numbered from 0; every fifth row before one is bad, and the last."""

    def __init__(self, name, count):
        self.name = name
        self.count = count
        self.passes = 0

    def __iter__(self):
        self.passes += 1
        for k in range(self.count):
            if k % 5 == 4:
                yield BadRow(f"{self.name}:{k}", "bad")
            yield Example(str(k), Side(f"{self.name} {k}"), (Side(f"d {k}"),))
        yield BadRow(f"{self.name}:end", "bad")

    def fingerprint(self):
        return f"{self.name} {self.count}"


def counted(mixture):
    rows = [row for row in mixture if isinstance(row, Example)]
    return Counter((row.source, row.query.text) for row in rows), rows


def test_the_m2kr_recipe_has_exactly_its_proportions():
    evqa, okvqa, infoseek = Numbers("EVQA", 20), Numbers("OKVQA", 7), Numbers("Infoseek", 50)
    mixture = Mixture([Part(evqa, repeats=2), Part(okvqa, repeats=9), Part(infoseek, rows=13)], seed=1)
    found, rows = counted(mixture)
    assert len(rows) == 40 + 63 + 13
    assert {count for (name, _), count in found.items() if name == "EVQA"} == {2}
    assert {count for (name, _), count in found.items() if name == "OKVQA"} == {9}
    down = [int(row.id) for row in rows if row.source == "Infoseek"]
    assert len(set(down)) == 13
    assert down == sorted(down)  # each source keeps its order
    assert [row.id for row in rows if row.query.text == "OKVQA 3"] == ["3", *(f"3#{k}" for k in range(2, 10))]
    assert len({(row.source, row.id) for row in rows}) == len(rows)


def test_bad_rows_come_once_and_name_their_source():
    mixture = Mixture([Part(Numbers("a", 7), repeats=3), Part(Numbers("b", 6), rows=2)])
    bad = [row for row in mixture if isinstance(row, BadRow)]
    assert Counter((row.source, row.place) for row in bad) == {
        ("a", "a:4"): 1, ("a", "a:end"): 1, ("b", "b:4"): 1, ("b", "b:end"): 1,
    }  # fmt: skip


def test_a_mixture_is_the_same_each_time_and_another_under_another_seed():
    def rows(seed):
        return list(Mixture([Part(Numbers("a", 30)), Part(Numbers("b", 30), rows=10)], seed=seed))

    mixture = Mixture([Part(Numbers("a", 30)), Part(Numbers("b", 30), rows=10)], seed=3)
    assert list(mixture) == list(mixture) == rows(3)
    assert rows(3) != rows(4)
    down = [{row for row in rows(seed) if isinstance(row, Example) and row.source == "b"} for seed in (3, 4)]
    assert down[0] != down[1]


def test_any_stretch_holds_all_sources_in_proportion():
    rows = counted(Mixture([Part(Numbers("a", 3000)), Part(Numbers("b", 1000))]))[1]
    for start in range(0, 4000, 400):
        assert 60 < sum(row.source == "b" for row in rows[start : start + 400]) < 140


def test_rows_beyond_the_source_are_whole_repetitions_and_a_sample():
    found, rows = counted(Mixture([Part(Numbers("a", 6), rows=20)]))
    assert len(rows) == 20
    assert sorted(found.values()) == [3, 3, 3, 3, 4, 4]
    found, rows = counted(Mixture([Part(Numbers("a", 6), rows=6)]))
    assert [row.id for row in rows] == list("012345")


def test_each_row_is_as_likely_to_be_drawn():
    drawn = Counter(
        row.id
        for seed in range(600)
        for row in Mixture([Part(Numbers("a", 6), rows=2)], seed=seed)
        if isinstance(row, Example)
    )
    assert len(drawn) == 6
    assert all(150 < count < 250 for count in drawn.values())


def test_mixtures_nest_and_keep_the_innermost_name():
    inner = Mixture([Part(Numbers("a", 4)), Part(Numbers("b", 4), rows=2)], name="inner")
    found, rows = counted(Mixture([Part(inner, repeats=2), Part(Numbers("c", 5))]))
    assert Counter(name for name, _ in found.elements()) == {"a": 8, "b": 4, "c": 5}
    assert len({(row.source, row.id) for row in rows}) == 17


def test_weights_share_out_all_rows():
    sources = [(Numbers("a", 10), 1), (Numbers("b", 10), 1.0), (Numbers("c", 40), 4)]
    _, rows = counted(weighted(sources, rows=21))
    assert Counter(row.source for row in rows) == {"a": 4, "b": 3, "c": 14}  # 3.5, 3.5 and 14
    for bad in ([(Numbers("a", 10), 0)], [], [(Numbers("a", 10), -1), (Numbers("b", 10), 2)]):
        with pytest.raises(InputError, match="expected numbers above 0"):
            weighted(bad, rows=5)
    with pytest.raises(InputError, match="2 rows give some of the 3 sources none"):
        weighted(sources, rows=2)


def test_amounts_that_make_no_sense_are_errors():
    with pytest.raises(InputError, match="repeats 0, rows None: expected 1 or more"):
        Part(Numbers("a", 1), repeats=0)
    with pytest.raises(InputError, match="repeats 1, rows 0: expected 1 or more"):
        Part(Numbers("a", 1), rows=0)
    with pytest.raises(InputError, match="give repeats or rows, not both"):
        Part(Numbers("a", 1), repeats=2, rows=3)
    with pytest.raises(InputError, match="has no parts"):
        Mixture([])
    with pytest.raises(InputError, match="sources named a, b, a: expected a name of its own for each"):
        Mixture([Part(Numbers(name, 1)) for name in "aba"])
    with pytest.raises(InputError, match="a: 3 rows wanted, but none can be used"):
        list(Mixture([Part(Numbers("a", 0), rows=3)]))
    assert [row.place for row in Mixture([Part(Numbers("a", 0))])] == ["a:end"]


def test_sources_are_counted_once():
    source = Numbers("a", 10)
    mixture = Mixture([Part(source, repeats=2)])
    list(mixture)
    list(mixture)
    assert source.passes == 1 + 2 + 2


def test_fingerprints_tell_the_recipe_apart():
    def of(**options):
        return Mixture([Part(Numbers("a", 10), **options)], seed=options.get("rows") or 0).fingerprint()

    assert of() == of()
    assert len({of(), of(repeats=2), of(rows=3), Shuffled(Numbers("a", 10)).fingerprint()}) == 4
    assert Shuffled(Numbers("a", 10), seed=1).fingerprint() != Shuffled(Numbers("a", 10)).fingerprint()

    class Plain(Numbers):
        fingerprint = None

        def __getattribute__(self, name):
            if name == "fingerprint":
                raise AttributeError(name)
            return super().__getattribute__(name)

    assert Mixture([Part(Plain("a", 1)), Part(Numbers("b", 1))]).fingerprint() is None
    assert Shuffled(Plain("a", 1)).fingerprint() is None


# --- shuffling ---


def test_shuffling_loses_nothing_and_is_the_same_each_time():
    source = Numbers("a", 200)
    shuffled = Shuffled(source, seed=2, buffer=50)
    rows = list(shuffled)
    assert rows == list(shuffled)
    assert Counter(rows) == Counter(source)
    assert rows != list(source)
    assert rows != list(Shuffled(source, seed=3, buffer=50))
    assert list(Shuffled(source, buffer=1)) == list(source)
    order = {row: place for place, row in enumerate(source)}
    assert all(order[row] - place <= 50 for place, row in enumerate(rows))
    with pytest.raises(InputError, match="a buffer of 0 rows"):
        Shuffled(source, buffer=0)
