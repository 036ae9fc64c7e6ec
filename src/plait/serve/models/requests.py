"""What clients may send, field by field: the forms that are checked, and that /openapi.json shows.

They say what fits into a request. What it means (whether there is such a lane, whether a picture opens) is
said by the library.
"""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from plait.library.feedback import BEST_GRADE
from plait.schema import FilterOperator, TargetKind
from plait.search.fusion import Method

MAX_HITS = 200  # a page of an answer; the next comes by its cursor
MAX_DEPTH = 1000  # each is compared exactly in every lane: the work that one request may ask for
MAX_CURSOR = 200_000  # the longest that plait gives; see `SearchRequest`
MAX_PARTS = 16  # of a query; each is encoded, which takes about as long as the rest of a search
MAX_CHARACTERS = 20_000  # of a text: several pages; more is a document to add, not a question
MAX_FILTERS = 32  # each is one look at every unit
MAX_VALUES = 1000  # of a filter: what somebody may tick, not a table of ids
MAX_VALUE_CHARACTERS = 2000  # as long as the longest addresses that documents come from
MAX_FACETS = 16  # each counts every unit that passes
MAX_NAMES = 16  # lanes and rerankers: more than there are
MAX_GROUPS = 8  # fields by which hits are limited
MAX_WEIGHT = 100.0  # so that no sum of weighted scores overflows
MAX_ANSWER_HITS = 20  # what a written answer may rest on
_MAX_ID = 500  # characters of an id; plait's own have 16 and a place
_INT64 = 2**63

Name = Annotated[str, Field(min_length=1, max_length=200)]
Id = Annotated[str, Field(min_length=1, max_length=_MAX_ID)]
Weight = Annotated[float, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT)]
Share = Annotated[float, Field(ge=0, le=1)]
Value = (
    Annotated[str, Field(max_length=MAX_VALUE_CHARACTERS)]
    | bool
    | Annotated[int, Field(ge=-_INT64, lt=_INT64)]
    | float
)


def _plain(value: Any) -> Any:
    """Return a filter's value if it is one, said in one sentence; a union says it of each of its kinds."""
    several = value if isinstance(value, list) else [value]
    if len(several) <= MAX_VALUES and all(map(_is_plain, several)):
        return value
    raise PydanticCustomError(
        "plain",
        f"it should be text of at most {MAX_VALUE_CHARACTERS:,} characters, a number, true or false, or a "
        f"list of at most {MAX_VALUES:,} such",
    )


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_VALUE_CHARACTERS
    return (isinstance(value, int) and -_INT64 <= value < _INT64) or (
        isinstance(value, float) and isfinite(value)
    )


Values = Annotated[Value | Annotated[list[Value], Field(max_length=MAX_VALUES)], BeforeValidator(_plain)]


class Form(BaseModel):
    """A JSON object of just these fields, each of just its type."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class BoxForm(Form):
    """A region of an image, in fractions of its width and height from the top left; it must have an area."""

    left: Share
    top: Share
    right: Share
    bottom: Share


class FilterForm(Form):
    """A condition that every hit fulfils; GET /fields names the fields."""

    field: Name
    operator: FilterOperator = "="
    value: Values


class SentImage(Form):
    """The bytes of a PNG, JPEG, WebP or the like."""

    base64: str


class UploadedImage(Form):
    """A file of the multipart form that this request came in."""

    upload: int = Field(ge=0, lt=MAX_PARTS, description='which of the files in its fields "image", from 0')


def _sent(value: Any) -> Any:
    if isinstance(value, dict) and len(value) == 1:
        place = value.get("upload")
        if isinstance(value.get("base64"), str) or (type(place) is int and 0 <= place < MAX_PARTS):
            return value
    said = 'an image must be {"base64": ...} or {"upload": 0}; pictures are sent, never named by a path'
    raise PydanticCustomError("image", said)


ImageForm = Annotated[SentImage | UploadedImage, BeforeValidator(_sent)]
Filters = Annotated[list[FilterForm], Field(max_length=MAX_FILTERS)]
Weights = Annotated[list[Weight], Field(max_length=MAX_PARTS, description="one for each, or none; not 0")]
Names = Annotated[list[Name], Field(max_length=MAX_NAMES)]


class QueryForm(Form):
    """What is asked: at least one text, image or liked part of a weight above 0."""

    texts: list[Annotated[str, Field(max_length=MAX_CHARACTERS)]] = Field([], max_length=MAX_PARTS)
    images: list[ImageForm] = Field([], max_length=MAX_PARTS)
    text_weights: Weights = []
    image_weights: Weights = []
    image_boxes: list[BoxForm | None] = Field(
        [], max_length=MAX_PARTS, description="for each image the region that is meant, or null for all of it"
    )
    like: list[Id] = Field([], max_length=MAX_PARTS, description="ids of hits: more like these")
    like_weights: Weights = []
    filters: Filters = []


class OptionsForm(Form):
    """How an answer shall be made."""

    k: int = Field(10, ge=1, le=MAX_HITS, description="how many hits")
    kind: TargetKind | None = Field(None, description="what is to be found; null: pages and sections")
    method: Method | None = Field(None, description="how lanes are combined")
    lanes: Names | None = Field(None, description="only these speak")
    weights: dict[Name, Annotated[float, Field(ge=0, le=MAX_WEIGHT)]] | None = Field(
        None, max_length=MAX_NAMES, description="what each lane counts; 1 where it is not named"
    )
    recall: float | None = Field(None, gt=0, le=1, description="share of the exact best hits to find")
    per_group: dict[Name, Annotated[int, Field(ge=1, le=MAX_HITS)]] = Field(
        {}, max_length=MAX_GROUPS, description='at most so many hits of one value: {"document": 2}'
    )
    facets: list[Name] = Field([], max_length=MAX_FACETS, description="fields whose values are counted")
    fold: bool = Field(True, description="show hits that are nearly the same once")
    depth: int = Field(200, ge=1, le=MAX_DEPTH, description="how many hits may be paged through in all")
    cursor: str = Field("", max_length=MAX_CURSOR, description="next_cursor of the answer before")
    distant: bool = Field(False, description="also give hits that are probably not good")
    rerank: Names | None = Field(None, description="names of rerankers; [] for none")


class SearchForm(OptionsForm):
    """A query and how to answer it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"query": {"texts": ["rinse the filter"]}, "k": 3},
                {
                    "query": {
                        "texts": ["valve", "brass"],
                        "text_weights": [1, -0.5],
                        "filters": [{"field": "title", "operator": "glob", "value": "*valve*"}],
                    },
                    "facets": ["type"],
                    "per_group": {"document": 2},
                },
            ]
        }
    )
    query: QueryForm


class SimilarForm(OptionsForm):
    """More like a hit, found among what the filters let through."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "0123456789abcdef:0", "k": 3}]})
    id: Id
    filters: Filters = []


class ExplainForm(Form):
    """A request as it was searched with, and one of its hits."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"request": {"query": {"texts": ["valve"]}}, "id": "0123456789abcdef:0"}]
        }
    )
    request: SearchForm
    id: Id


class CountForm(Form):
    """Conditions; none lets everything through."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"filters": [{"field": "title", "operator": "glob", "value": "*valve*"}]}]
        }
    )
    filters: Filters = []


class FacetsForm(CountForm):
    """Fields whose values are counted among what the filters on other fields let through."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"fields": ["type"]}]})
    fields: list[Name] = Field(min_length=1, max_length=MAX_FACETS)


class OpinionForm(Form):
    """What somebody says of a hit: either a grade, null to take it back, or that it was opened."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["grade"]}, {"required": ["click"]}],
            "examples": [{"query": "0123456789abcdef", "unit": "0123456789abcdef:0", "grade": 1, "rank": 1}],
        }
    )
    query: Id = Field(description="query_id of the answer")
    unit: Id = Field(description="unit_id of the hit")
    grade: int | None = Field(None, ge=0, le=BEST_GRADE, description="0 is wrong")
    click: Literal[True] = True
    rank: int = Field(0, ge=0, le=1_000_000, description="of the hit")

    @property
    def is_click(self) -> bool:
        """Whether it says that the hit was opened."""
        return "click" in self.model_fields_set

    @property
    def is_clear(self) -> bool:
        """Whether it says one thing, a grade or a click."""
        return self.is_click != ("grade" in self.model_fields_set)
