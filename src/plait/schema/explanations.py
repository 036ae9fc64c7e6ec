"""Why a hit was found: its words, the place in its picture, and what each part of the query did for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from plait.schema.documents import Box


@dataclass(frozen=True, slots=True)
class MatchedWord:
    """A word of the shown passage that speaks for the hit.

    Attributes:
        text: as it stands.
        start, end: where, in characters of the passage; the end is the first that is not of it.
        weight: how much it speaks, of the strongest, in (0, 1].
        by: "word", where the query has it in some form, or "meaning", where it only means the like.
    """

    text: str
    start: int
    end: int
    weight: float
    by: str = "word"


@dataclass(frozen=True, slots=True)
class HeatMap:
    """How much each field of a grid over a picture speaks for the hit.

    Attributes:
        picture: path of the figure that it lies over.
        rows, columns: of the grid.
        values: row by row from the top left, in [0, 1], of the strongest.
        box: place of the figure on its page; None where unknown.
        query_image: the part of the query whose image the strongest field answers: "image 1", "like 1".
        query_box: the region of that image that it looks like; None where unknown.
    """

    picture: str
    rows: int
    columns: int
    values: tuple[float, ...]
    box: Box | None = None
    query_image: str = ""
    query_box: Box | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one hit was found.

    Shares are measured by leaving one out: how much the hit's score, against that of the units around it,
    falls without it. They sum to 1, but for those below 0, of what speaks against the hit.

    Attributes:
        id: of the hit, as `Hit.id`.
        unit_id: the unit that is shown for it.
        score, confidence: as of the hit.
        parts: "text 1", "image 1", "like 1" ... -> its share.
        lanes: lane -> its share.
        sides: "text" and "image" -> the share of the unit's words and of its pictures; in a field that reads
            both together, of the query's.
        gates: as the recurrent cell of a ReT model reports them, "text" and "image"; empty for others.
        passage: the words that matched best.
        words: of the passage, in order.
        page, box: where the passage stands.
        page_picture: path of its page's image; None if there is none.
        heat: over the figure that matched best; None without one.
    """

    id: str
    unit_id: str
    score: float
    confidence: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    lanes: Mapping[str, float] = field(default_factory=dict)
    sides: Mapping[str, float] = field(default_factory=dict)
    gates: Mapping[str, float] = field(default_factory=dict)
    passage: str = ""
    words: tuple[MatchedWord, ...] = ()
    page: int | None = None
    box: Box | None = None
    page_picture: str | None = None
    heat: HeatMap | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)
