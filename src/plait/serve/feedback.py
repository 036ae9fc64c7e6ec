"""Opinions about hits: which query they are about, who may leave them, and how they are kept."""

from __future__ import annotations

from collections import OrderedDict

from plait.errors import InputError
from plait.library import Library
from plait.library.feedback import Feedback, Opinion, query_id
from plait.library.listing import unit_of
from plait.schema import Query
from plait.serve.models.requests import OpinionForm
from plait.serve.refusals import Refusal

_MOST_QUERIES, _MOST_BYTES = 1000, 64_000_000  # remembered, so that an opinion need not send them again
_SETTINGS = ("off", "judgements", "clicks")


class RecentQueries:
    """The queries asked last, by their ids; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._queries: OrderedDict[str, tuple[Query, int]] = OrderedDict()
        self._bytes = 0

    def remember(self, query: Query) -> str:
        """Return the id under which a query is found from now on."""
        name = query_id(query)
        if name in self._queries:
            self._queries.move_to_end(name)
            return name
        size = sum(len(part) for part in (*query.texts, *query.images))
        self._queries[name] = query, size
        self._bytes += size
        while len(self._queries) > _MOST_QUERIES or (self._bytes > _MOST_BYTES and len(self._queries) > 1):
            self._bytes -= self._queries.popitem(last=False)[1][1]
        return name

    def find(self, name: str) -> Query:
        """Return the query of an id.

        Raises:
            Refusal: it is not remembered.
        """
        if name not in self._queries:
            raise Refusal(404, "NotFound", "this query is not remembered; search again, then judge its hits")
        return self._queries[name][0]


def check_setting(wanted: str) -> None:
    """Refuse a setting `feedback` that there is not.

    Raises:
        InputError: naming those there are.
    """
    if wanted not in _SETTINGS:
        raise InputError(f"setting feedback must be one of {', '.join(_SETTINGS)}, got {wanted!r}")


def keep_opinion(library: Library, said: OpinionForm, recent: RecentQueries) -> bool:
    """Keep what a request says of a hit; return whether it was kept: clicks are not unless that is set.

    Raises:
        InputError: it has neither a grade nor a click, or both.
        Refusal: opinions are off, or the query or the unit is unknown.
    """
    if not said.is_clear:
        raise InputError(
            'give either "grade": 0 to 3, or null to take a judgement back; or "click": true in its place'
        )
    wanted = library.settings.feedback
    if wanted == "off":
        raise Refusal(403, "FeedbackOff", "this library keeps no opinions: its setting feedback is off")
    query = recent.find(said.query)
    if said.is_click and wanted != "clicks":
        return False
    found = unit_of(library, said.unit)
    if found is None:
        raise Refusal(404, "NotFound", "no unit has this id; search again, its document may have changed")
    opinion = Opinion(
        kind="click" if said.is_click else "judgement",
        query=said.query,
        unit=found.unit.id,
        document=found.document.id,
        source=found.document.source,
        page=found.unit.page,
        grade=1 if said.is_click else said.grade,
        rank=said.rank,
    )
    Feedback(library.folder).keep(query, opinion)
    return True
