"""Documents are divided whole, and a gain must be sure before it counts."""

import numpy as np
import pytest

from plait.errors import InputError
from plait.evaluation.intervals import Interval
from plait.schema import Passage, Unit
from plait.train.adapting.parts import affordable, parts_of
from plait.train.adapting.report import KindGain, gains, mean_gain, verdict


def units(documents: int, words: int = 10) -> list[Unit]:
    return [
        Unit(f"d{n}:{k}", f"d{n}", k, "Title", passages=(Passage("word " * words),))
        for n in range(documents)
        for k in range(3)
    ]


def test_every_document_is_in_one_part_and_each_part_holds_about_a_third():
    parts = parts_of(units(20))
    assert set(parts) == {f"d{n}" for n in range(20)}
    sizes = [list(parts.values()).count(part) for part in ("learn", "choose", "judge")]
    assert sizes == [7, 6, 7]


def test_the_parts_do_not_depend_on_the_order_of_the_units():
    assert parts_of(units(9)) == parts_of(units(9)[::-1])
    assert parts_of(units(40)) != parts_of(units(40), seed=1)


def test_too_few_documents_cannot_be_divided():
    with pytest.raises(InputError, match="at least 6 documents"):
        parts_of(units(5))


def test_what_can_be_afforded_is_whole_documents_in_order():
    every = units(30, words=1000)  # 0.52 seconds a unit, 1.56 a document
    assert affordable(every, cpu_seconds=1e6) == every
    some = affordable(every, cpu_seconds=16.0)
    names = {unit.document_id for unit in some}
    assert len(names) == 10
    assert some == [unit for unit in every if unit.document_id in names]


def test_six_documents_are_read_however_little_time_there_is():
    assert len({unit.document_id for unit in affordable(units(30), cpu_seconds=0.0)}) == 6


def test_the_mean_gain_counts_kinds_alike_and_only_the_four():
    before = {"text": [0.0] * 30, "image": [0.5], "vague": [1.0]}
    after = {"text": [0.2] * 30, "image": [0.9], "vague": [0.0]}
    found = mean_gain(before, after)
    assert found.mean == pytest.approx(0.3)
    assert (found.low, found.high) == pytest.approx((0.3, 0.3))
    assert found.count == 31


def test_each_kind_is_compared_question_by_question():
    rng = np.random.default_rng(0)
    before = rng.uniform(size=50).tolist()
    found = gains({"text": before}, {"text": [value + 0.1 for value in before]})["text"]
    assert found.questions == 50
    assert found.after - found.before == pytest.approx(0.1)
    assert (found.gain.low, found.gain.high) == pytest.approx((0.1, 0.1))


def kind(low: float, high: float) -> KindGain:
    return KindGain(9, 0.5, 0.5, Interval((low + high) / 2, low, high, 9))


@pytest.mark.parametrize(
    ("kinds", "gain", "accepted", "reason"),
    [
        ({"text": kind(-0.1, 0.2)}, Interval(0.02, 0.01, 0.03, 9), True, "Adapted"),
        ({"text": kind(-0.1, 0.2)}, Interval(0.02, -0.01, 0.05, 9), False, "not surely above 0"),
        (
            {"text": kind(0.1, 0.2), "vague": kind(-0.3, -0.1)},
            Interval(0.02, 0.01, 0.03, 9),
            False,
            "vague would surely lose",
        ),
    ],
)
def test_the_verdict_asks_for_a_sure_gain_and_no_sure_loss(kinds, gain, accepted, reason):
    verdict_, said = verdict(kinds, gain)
    assert verdict_ is accepted
    assert reason in said
