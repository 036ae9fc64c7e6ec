"""Opinions about hits: which query they are about, who may leave them, and how they are kept."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any

from plait.errors import InputError
from plait.library import Library
from plait.library.feedback import Feedback, Opinion, query_id
from plait.schema import Query
from plait.serve.refusals import Refusal

_MOST_QUERIES, _MOST_BYTES = 1000, 64_000_000  # remembered, so that an opinion need not send them again
_KEYS = frozenset({"query", "unit", "grade", "click", "rank"})
_MAX_RANK = 1_000_000
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


def keep_opinion(library: Library, body: bytes, recent: RecentQueries) -> bool:
    """Keep what a request says of a hit; return whether it was kept: clicks are not unless that is set.

    The body is {"query": its id, "unit": the hit's, "rank": N} with "grade": 0 to 3, or null to take a
    judgement back; or with "click": true.

    Raises:
        InputError: it is not of that form.
        Refusal: opinions are off, or the query or the unit is unknown.
    """
    values = _values(body)
    wanted = library.settings.feedback
    if wanted == "off":
        raise Refusal(403, "FeedbackOff", "this library keeps no opinions: its setting feedback is off")
    query = recent.find(values["query"])
    is_click = values.get("click") is True
    if is_click and wanted != "clicks":
        return False
    unit = library.unit(values["unit"])
    document = next((d for d in library.documents() if unit and d.id == unit.document_id), None)
    if unit is None or document is None:
        raise Refusal(404, "NotFound", "no unit has this id; search again, its document may have changed")
    opinion = Opinion(
        kind="click" if is_click else "judgement",
        query=values["query"],
        unit=unit.id,
        document=document.id,
        source=document.source,
        page=unit.page,
        grade=1 if is_click else values["grade"],
        rank=values.get("rank", 0),
    )
    Feedback(library.folder).keep(query, opinion)
    return True


def _values(body: bytes) -> dict[str, Any]:
    """Return the fields of a request, each of its type."""
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("the body is not valid JSON") from error
    form = '{"query": "...", "unit": "...", "grade": 0 to 3 or null} or with "click": true in place of grade'
    if not isinstance(values, dict) or not {"query", "unit"} <= set(values) <= _KEYS:
        raise InputError(f"the body must be {form}")
    if not all(isinstance(values[name], str) for name in ("query", "unit")):
        raise InputError("query and unit must be strings: the ids that /search gave")
    if ("grade" in values) == ("click" in values) or values.get("click", True) is not True:
        raise InputError(f"give either a grade or a click: the body must be {form}")
    rank = values.get("rank", 0)
    if not isinstance(rank, int) or isinstance(rank, bool) or not 0 <= rank <= _MAX_RANK:
        raise InputError(f"rank must be a whole number from 0 to {_MAX_RANK:,}, got {rank!r}")
    return values
