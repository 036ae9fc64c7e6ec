"""What is found: ranked hits, how they were found, and what there is to choose from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from plait.schema.documents import Box, Metadata, TimeSpan

HitKind = Literal["page", "section", "passage", "figure", "table", "document"]
Run = Mapping[str, Mapping[str, float]]  # query id -> document id -> score, higher is better
Qrels = Mapping[str, Mapping[str, int]]  # query id -> document id -> relevance, 0 = not relevant


@dataclass(frozen=True, slots=True)
class Hit:
    """One ranked unit, and where to look at it.

    Attributes:
        rank: from 1.
        score: higher is better; comparable within one answer only.
        passage: the words that matched best; "" if the unit has no text.
        page, box, anchor: the place of that passage, or of the figure when only it matched.
        picture: path of the figure that matched best, or of the unit's first; None if it has none.
        caption: that figure's caption.
        page_picture: path of the page's image; None if there is none.
        lanes: what each lane contributed, by lane name ("bm25", "text", "image", ...), as raw scores.
        time: in a recording, when that passage is said or that figure is shown.
        kind: what is ranked: "page", "section", "passage", "figure", "table" or "document".
        part_id: id of the ranked part where it is a part of a unit ("D:4.f0") or a document ("D"); "" where
            it is the unit.
        confidence: how likely it is that the hit is good, in [0, 1], comparable over queries and over
            documents of text, of pictures and of both; None where the model was never calibrated.
        folded: ids of hits further down that are nearly the same and are not listed on their own.
    """

    rank: int
    score: float
    unit_id: str
    document_id: str
    title: str
    source: str
    section: tuple[str, ...] = ()
    page: int | None = None
    box: Box | None = None
    anchor: str = ""
    passage: str = ""
    picture: str | None = None
    caption: str = ""
    page_picture: str | None = None
    lanes: Mapping[str, float] = field(default_factory=dict)
    metadata: Metadata = field(default_factory=dict)
    time: TimeSpan | None = None
    kind: HitKind = "section"
    part_id: str = ""
    confidence: float | None = None
    folded: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """What was ranked, by which a query may like it: the part, or else the unit."""
        return self.part_id or self.unit_id

    @property
    def place(self) -> str:
        """Where to look, in words: "page 3", "1:20-1:45", "Section > Subsection", or several of them."""
        parts = [f"page {self.page}"] if self.page is not None else []
        parts += [str(self.time)] if self.time is not None else []
        if self.section:
            parts.append(" > ".join(self.section))
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, with the id and the place in words."""
        return {
            "id": self.id,
            **_fields(self),
            "box": None if self.box is None else _fields(self.box),
            "lanes": dict(self.lanes),
            "metadata": dict(self.metadata),
            "time": None if self.time is None else _fields(self.time),
            "place": self.place,
        }


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """How an answer was found.

    Attributes:
        units: how many could be found: those that the filters let through and some lane speaks of.
        rescored: how many of them were compared exactly in every lane.
        recall: the share of the exact best hits that was asked for.
        expected_recall: the share that the answer holds, as the scores seen let one expect; 1 is exact.
        lanes: lane -> "exact", or "rough" where a lane's small codes chose what was compared exactly.
    """

    units: int
    rescored: int
    recall: float
    expected_recall: float
    lanes: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_exact(self) -> bool:
        """Whether every unit was compared exactly."""
        return self.rescored == self.units

    def __str__(self) -> str:
        if self.is_exact:
            return f"exact: compared with all {self.units:,} units"
        return (
            f"compared with {self.rescored:,} of {self.units:,} units exactly, chosen by rough scores; "
            f"expected recall {self.expected_recall:.4f}, asked {self.recall:g}"
        )


@dataclass(frozen=True, slots=True)
class FacetCount:
    """How much has one value of a field.

    Attributes:
        value: as a filter would have it.
        units, documents: how many have it.
    """

    value: str
    units: int
    documents: int


@dataclass(frozen=True, slots=True)
class Facet:
    """The values of a field among all units that a query's filters let through, counted exactly.

    Filters on the field itself are left aside, so that what else could be chosen is seen.

    Attributes:
        counts: the values with most documents first, equal ones by value.
        more: how many values are not listed.
    """

    field: str
    counts: tuple[FacetCount, ...]
    more: int = 0


FieldKind = Literal["number", "date", "text"]


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """A field that filters and facets may name.

    Attributes:
        kind: what all its values are.
        values: how many different ones there are.
        least, greatest: of them, in the order of their kind; "" where there are none.
    """

    name: str
    kind: FieldKind
    values: int
    least: str = ""
    greatest: str = ""


class Hits(list[Hit]):
    """Ranked hits, best first.

    Attributes:
        plan: how they were found.
        facets: one for each field that was asked.
        next_cursor: asks for the hits after these; "" where there are none.
        distant: how many hits were left out because they are probably not good; `SearchRequest.distant`
            asks for them too.
    """

    def __init__(
        self,
        hits: Iterable[Hit],
        plan: SearchPlan,
        *,
        facets: Sequence[Facet] = (),
        next_cursor: str = "",
        distant: int = 0,
    ) -> None:
        super().__init__(hits)
        self.plan = plan
        self.facets = tuple(facets)
        self.next_cursor = next_cursor
        self.distant = distant

    @property
    def nothing_good(self) -> bool:
        """Whether there are hits, but none that is probably good."""
        return not self and self.distant > 0

    def changed(self, change: Callable[[Hit], Hit]) -> Hits:
        """Return the same answer with every hit put through a function."""
        return Hits(
            map(change, self),
            self.plan,
            facets=self.facets,
            next_cursor=self.next_cursor,
            distant=self.distant,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, which the command line, HTTP and MCP share."""
        return {
            "hits": [hit.to_dict() for hit in self],
            "nothing_good": self.nothing_good,
            "distant": self.distant,
            "next_cursor": self.next_cursor,
            "facets": [asdict(facet) for facet in self.facets],
            "plan": {**_fields(self.plan), "lanes": dict(self.plan.lanes)},
        }


def _fields(record: Hit | Box | TimeSpan | SearchPlan) -> dict[str, Any]:
    """Return its fields as they are; `asdict` copies every value, which takes far longer."""
    return {name: getattr(record, name) for name in record.__slots__}
