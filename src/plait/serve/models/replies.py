"""What the service answers: one schema for each form, most of them those of the library's own objects."""

from __future__ import annotations

from plait.data.parts import Part
from plait.index.base import StoredDocument
from plait.library.reports import LibraryStatus
from plait.rag.answer import Answer, Citation
from plait.schema import (
    Explanation,
    Facet,
    FieldInfo,
    HeatMap,
    Hit,
    Passage,
    SearchPlan,
    Segment,
)
from plait.serve.callers import Caller
from plait.serve.jobs import Job
from plait.serve.models.described import Schema, described, listed, record, reference

_TEXT: Schema = {"type": "string"}
_TRUTH: Schema = {"type": "boolean"}
_SECONDS: Schema = {"type": "number", "minimum": 0}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_ADDRESS: Schema = {
    "type": ["string", "null"],
    "format": "uri-reference",
    "description": "address of a PNG or JPEG on this service, asked for with the same key; null if none",
}
_NEXT: Schema = {"type": "string", "description": "`after` of the next page; empty on the last"}


def replies() -> dict[str, Schema]:
    """Return the schemas of all answers, and of what they hold, by name."""
    schemas: dict[str, Schema] = {}
    pictures = {"picture": _ADDRESS, "page_picture": _ADDRESS}
    hit = described(Hit, schemas, id=_TEXT, place=_TEXT, **pictures)
    described(HeatMap, schemas, picture=_ADDRESS)
    described(Explanation, schemas, page_picture=_ADDRESS)
    described(Citation, schemas, **pictures)
    described(Answer, schemas)
    described(Segment, schemas, picture=_ADDRESS)
    described(Part, schemas, picture=_ADDRESS)
    for kind in (Passage, StoredDocument, Job, FieldInfo, Facet, SearchPlan):
        described(kind, schemas)
    described(LibraryStatus, schemas, **_status(schemas))
    schemas["Problem"] = _problem()
    schemas["Unit"] = _unit(schemas)
    schemas["Found"] = record(
        "Hits, best first, and how they were found.",
        hits=listed(hit),
        nothing_good={**_TRUTH, "description": "whether there are hits, but none that is probably good"},
        distant={**_COUNT, "description": "hits left out as probably not good; `distant` asks for them"},
        next_cursor={**_TEXT, "description": "`cursor` of the next page; empty where there is none"},
        facets=listed(reference("Facet")),
        plan=reference("SearchPlan"),
        seconds=_SECONDS,
        query_id={**_TEXT, "description": "names the query in POST /feedback"},
    )
    schemas["Documents"] = record(
        "Stored documents by source.", documents=listed(reference("StoredDocument")), total=_COUNT, next=_NEXT
    )
    schemas["PartsPage"] = record(
        "Parts of a document in its order.", parts=listed(reference("Part")), total=_COUNT, next=_NEXT
    )
    schemas["JobList"] = record("Files that were sent.", jobs=listed(reference("Job")))
    schemas["Facets"] = record("Fields with their values.", facets=listed(reference("Facet")))
    schemas["Fields"] = record("What filters and facets may name.", fields=listed(reference("FieldInfo")))
    schemas["Counted"] = record("Exact numbers.", documents=_COUNT, units=_COUNT)
    schemas["Removed"] = record("What went.", removed={"const": 1})
    schemas["Cancelled"] = record("What was forgotten.", cancelled={"const": True})
    schemas["Kept"] = record("Whether it was kept: clicks are not unless that is set.", kept=_TRUTH)
    schemas["Health"] = record("It answers.", ok={"const": True})
    return schemas


def _problem() -> Schema:
    """Return the schema of `refusals.Refusal.body`; source: RFC 9457."""
    schema = record(
        "Why a request was refused, and what to do.",
        type=_TEXT,
        title={**_TEXT, "description": "the status in words"},
        status={"type": "integer", "minimum": 400, "maximum": 599},
        detail={**_TEXT, "description": "for people: what was wrong, and the next step"},
        kind={**_TEXT, "description": "for programs"},
    )
    detail = "no document has this id; GET /documents lists them"
    example = {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": detail,
        "kind": "NotFound",
    }
    return {**schema, "examples": [example]}


def _unit(schemas: dict[str, Schema]) -> Schema:
    metadata = schemas["StoredDocument"]["properties"]["metadata"]
    return record(
        "What is ranked: one page or section, with its passages and figures.",
        id=_TEXT,
        document_id=_TEXT,
        ordinal={**_COUNT, "description": "position within the document, from 0"},
        title={**_TEXT, "description": "of the document"},
        section=listed(_TEXT, "headings that contain it, outermost first"),
        page={"type": ["integer", "null"]},
        passages=listed(reference("Passage")),
        figures=listed(reference("Segment")),
        tables=listed(reference("Segment")),
        page_picture=_ADDRESS,
        previous={**_TEXT, "description": "id of the unit before; empty at the beginning"},
        next={**_TEXT, "description": "id of the unit after; empty at the end"},
        source={**_TEXT, "description": "of the document"},
        metadata=metadata,
    )


def _status(schemas: dict[str, Schema]) -> dict[str, Schema]:
    """Return what GET /status says beside the library's own status."""
    rights = described(Caller, schemas, rights=listed(_TEXT))
    numbers = {"type": "object", "additionalProperties": _COUNT}
    return {
        "folder": {**_TEXT, "description": "where it lies; empty for keys without the right admin"},
        "jobs": {**numbers, "description": "state -> how many"},
        "feedback": {"enum": ["off", "judgements", "clicks"]},
        "answers": {"enum": ["quoted", "written"], "description": "how POST /answer answers"},
        "caller": rights,
        "limits": {**numbers, "description": "the largest request in MB, and what a query may hold"},
    }
