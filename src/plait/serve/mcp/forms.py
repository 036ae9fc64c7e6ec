"""What the tools take, field by field: the forms that are checked, and that an assistant sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from plait.errors import InputError
from plait.serve.models.requests import (
    MAX_CHARACTERS,
    MAX_FACETS,
    MAX_PARTS,
    BoxForm,
    Filters,
    Form,
    Id,
    Name,
    OptionsForm,
    QueryForm,
    SentImage,
)

F = TypeVar("F", bound=Form)

_SHOWN = 300  # characters of a complaint
_MAX_IMAGE_CHARACTERS = 44_000_000  # of base64: 32 MB
_MAX_PATH = 4096
_FILTERS = 'conditions such as {"field": "year", "operator": ">=", "value": 2020}; status names the fields'

Path = Annotated[str, Field(min_length=1, max_length=_MAX_PATH)]
Pictures = Annotated[int, Field(ge=0, le=8, description="how many pictures of the best hits to show")]


class PathImage(Form):
    """A picture file on this machine."""

    path: Path


class AskedForm(QueryForm):
    """The whole query: texts, images, regions of images and hits to be like, each with a weight.

    What has a weight below 0 is unwanted.
    """

    images: list[SentImage | PathImage] = Field([], max_length=MAX_PARTS)  # type: ignore[assignment]


class NothingForm(Form):
    """Takes nothing."""


class SearchForm(OptionsForm):
    """A question in words, by a picture, or by both; or a whole query. The options are of both."""

    text: str = Field("", max_length=MAX_CHARACTERS, description="what to look for, in words")
    image_path: str = Field("", max_length=_MAX_PATH, description="a picture file on this machine")
    image_base64: str = Field(
        "", max_length=_MAX_IMAGE_CHARACTERS, description="the bytes of a PNG, JPEG or WebP"
    )
    filters: Filters = Field([], description=_FILTERS)
    query: AskedForm | None = Field(
        None, description="in place of text, image and filters: the whole query, with weights"
    )
    pictures: Pictures = 3


class SimilarForm(OptionsForm):
    """What is like a hit."""

    id: Id = Field(description="of a hit, a figure, a page or a document")
    filters: Filters = Field([], description=_FILTERS)
    pictures: Pictures = 3


class PageForm(Form):
    """A page or section: by the id of a hit, or by its document and number."""

    id: str = Field("", max_length=500, description="of a hit, a figure, a page or a document")
    document_id: str = Field("", max_length=500)
    page: int | None = Field(None, ge=1, le=10_000_000, description="its number, from 1")


class CropForm(Form):
    """A region of a page or figure, enlarged."""

    id: Id = Field(description="of a figure or table, or of a page or hit for its page's image")
    box: BoxForm | None = Field(
        None,
        description="the region, in fractions of the picture from its top left; null: all of a figure, "
        "and of a page the place of the passage that the id names, if it names one",
    )


class ListForm(Form):
    """Documents that the filters let through, by source."""

    filters: Filters = Field([], description=_FILTERS)
    after: str = Field("", max_length=10_000, description="`next` of the answer before")
    limit: int = Field(50, ge=1, le=500)


class CountForm(Form):
    """What the filters let through, counted exactly."""

    filters: Filters = Field([], description=_FILTERS)
    fields: list[Name] = Field(
        [], max_length=MAX_FACETS, description="fields whose values are counted one by one, too"
    )


class AddForm(Form):
    """Files and folders to read."""

    paths: list[Path] = Field(min_length=1, max_length=100, description="files or folders on this machine")


def read(form: type[F], arguments: Mapping[str, Any]) -> F:
    """Return a tool's arguments, checked.

    Raises:
        InputError: they are not of the form.
    """
    try:
        return form.model_validate(arguments)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))[:_SHOWN] or "the arguments"
        if first["type"] == "extra_forbidden":
            raise InputError(f"unknown {place!r}: it takes {', '.join(form.model_fields)}") from error
        raise InputError(f"{place}: {str(first['msg'])[:_SHOWN]}") from error


def schema_of(form: type[Form]) -> dict[str, Any]:
    """Return the JSON schema of a form, without the titles that only repeat names."""
    schema: dict[str, Any] = _untitled(form.model_json_schema())
    return schema


def _untitled(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        kept = {
            name: value for name, value in schema.items() if name != "title" or not isinstance(value, str)
        }
        return {name: _untitled(value) for name, value in kept.items()}
    return [_untitled(one) for one in schema] if isinstance(schema, list) else schema
