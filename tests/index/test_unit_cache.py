"""Units that were read last."""

from __future__ import annotations

from plait.index.unit_cache import UnitCache
from plait.schema import Unit


def unit(number: int) -> Unit:
    return Unit(f"d:{number}", "d", number, "")


def test_those_not_asked_for_longest_go_first() -> None:
    cache = UnitCache(most=3)
    cache.keep({number: unit(number) for number in range(3)})
    assert cache.known([0]) == {0: unit(0)}
    cache.keep({7: unit(7)})
    assert cache.known([0, 1, 2, 7]) == {0: unit(0), 2: unit(2), 7: unit(7)}
    assert len(cache) == 3


def test_more_than_fit_leave_the_last() -> None:
    cache = UnitCache(most=2)
    cache.keep({number: unit(number) for number in range(50)})
    assert cache.known(range(50)) == {48: unit(48), 49: unit(49)}
