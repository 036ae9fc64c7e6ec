"""What was read last."""

from __future__ import annotations

from plait.index.unit_cache import LastRead
from plait.schema import Unit


def unit(number: int) -> Unit:
    return Unit(f"d:{number}", "d", number, "")


def test_those_not_asked_for_longest_go_first() -> None:
    last = LastRead[Unit](most=3)
    last.keep({number: unit(number) for number in range(3)})
    assert last.known([0]) == {0: unit(0)}
    last.keep({7: unit(7)})
    assert last.known([0, 1, 2, 7]) == {0: unit(0), 2: unit(2), 7: unit(7)}
    assert len(last) == 3


def test_more_than_fit_leave_the_last() -> None:
    last = LastRead[Unit](most=2)
    last.keep({number: unit(number) for number in range(50)})
    assert last.known(range(50)) == {48: unit(48), 49: unit(49)}
