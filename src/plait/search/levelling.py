"""Lanes levelled before they are fused, by kinds of units and by hubs, where a switch says so.

Both switches add to what a lane says of a unit a number that is fixed before any rough score is made exact:
so a unit's score does not depend on which others are compared exactly. They move what is said of the wanted
parts; what is unwanted, and what hits are worth, goes by raw scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from plait.encode.base import Encoder
from plait.errors import InputError
from plait.index.base import Scores, Snapshot
from plait.search.asking import Asked
from plait.search.fusion import Lanes
from plait.search.hubs import Hubs
from plait.search.query_bank import bank_scores
from plait.search.recentring import Groups, Rows, centring, kinds_of_units


@dataclass(frozen=True)
class Levelling:
    """What is done to the vector lanes of one snapshot; BM25 stays, as its 0 means that no word matches.

    Attributes:
        encoder, snapshot: as of a searcher.
        recentring: whether units of text, of figures and of both are moved to one centre.
        hub_suppression: the share of what a unit is nearer to a bank of queries than units are on average
            that is taken off its scores, in [0, 1]; 0 asks no bank.
    """

    encoder: Encoder
    snapshot: Snapshot
    recentring: bool = False
    hub_suppression: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.hub_suppression <= 1:
            raise InputError(f"hub_suppression must be from 0 to 1, got {self.hub_suppression}: 0 is off")

    def moves(self, asked: Asked) -> dict[str, Scores]:
        """Return lane -> (N,) what is to be added to its scores; a lane that stays is not there."""
        lanes = asked.vectors.fields
        moves: dict[str, Scores] = {}
        if self.hub_suppression and lanes:  # no bank is made for words alone
            moves = self._hubs.moves(lanes, strength=self.hub_suppression)
        if self.recentring:
            none = np.zeros(len(self.snapshot), np.float32)
            for lane in lanes:
                before = moves.get(lane, none)
                moves[lane] = before + centring(self._kinds, partial(_moved, asked, lane, before))
        return moves

    @cached_property
    def _hubs(self) -> Hubs:
        return Hubs.of(bank_scores(self.encoder, self.snapshot))

    @cached_property
    def _kinds(self) -> Groups:
        return kinds_of_units(self.snapshot)


def levelled(lanes: Lanes, moves: Lanes, rows: Rows | None = None) -> Lanes:
    """Return the lanes with what is to be added to them; the very same where that is nothing.

    Args:
        lanes: lane -> (R,) scores.
        moves: lane -> (N,) what is added to a unit's.
        rows: (R,) which units they are of; None: all.
    """
    if not moves:
        return lanes
    return {lane: there + _at(moves[lane], rows) if lane in moves else there for lane, there in lanes.items()}


def _at(moves: Scores, rows: Rows | None) -> Scores:
    return moves if rows is None else moves[rows]


def _moved(asked: Asked, lane: str, moves: Scores, rows: Rows) -> Scores:
    moved: Scores = asked.exact_scores(lane, rows) + moves[rows]
    return moved
