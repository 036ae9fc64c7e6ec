"""The nouns every room speaks: documents and their parts, queries, hits, runs and judgements.

All are frozen dataclasses of plain values; `to_dict` and `from_dict` give the JSON form that the
command line, HTTP and evaluation share.
"""

from plait.schema.documents import (
    Attachment,
    Box,
    Document,
    Link,
    Metadata,
    Page,
    Passage,
    Picture,
    Scalar,
    Segment,
    TextRole,
    TimeSpan,
    Unit,
    compact,
    segment_from_dict,
    unit_from_dict,
)
from plait.schema.explanations import (
    Explanation,
    HeatMap,
    MatchedWord,
)
from plait.schema.hits import (
    Facet,
    FacetCount,
    FieldInfo,
    FieldKind,
    Hit,
    HitKind,
    Hits,
    Qrels,
    Run,
    SearchPlan,
)
from plait.schema.queries import (
    Filter,
    FilterOperator,
    Image,
    Query,
    asked_with,
)
from plait.schema.requests import (
    SearchRequest,
    TargetKind,
)

__all__ = [
    "Attachment",
    "Box",
    "Document",
    "Explanation",
    "Facet",
    "FacetCount",
    "FieldInfo",
    "FieldKind",
    "Filter",
    "FilterOperator",
    "HeatMap",
    "Hit",
    "HitKind",
    "Hits",
    "Image",
    "Link",
    "MatchedWord",
    "Metadata",
    "Page",
    "Passage",
    "Picture",
    "Qrels",
    "Query",
    "Run",
    "Scalar",
    "SearchPlan",
    "SearchRequest",
    "Segment",
    "TargetKind",
    "TextRole",
    "TimeSpan",
    "Unit",
    "asked_with",
    "compact",
    "segment_from_dict",
    "unit_from_dict",
]
