"""What is asked: texts, pictures and stored parts, each wanted or unwanted so much, and filters."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from plait.errors import QueryError
from plait.schema.documents import Box, Scalar

Image = str | bytes  # a path, or the encoded bytes of a picture (PNG, JPEG, ...)

FilterOperator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "glob"]
_FILTER_KEYS = {"field", "operator", "value"}


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on a unit that must hold before it is ranked.

    Attributes:
        field: a key of the document's metadata, or one of "source", "title", "document", "section",
            "page", "tenant", "version". A unit without the field never passes, except under "!=".
        operator: "glob" takes a shell pattern; both sides of "<", "<=", ">", ">=" are compared as numbers
            or as ISO dates when both are, else as text. 2024-05-01 is <= 2024 and >= 2024.
        value: several where one may hold; under "!=", none; a range takes one.
    """

    field: str
    operator: FilterOperator
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked: texts, pictures, stored parts, or several of them, each with a weight.

    The one query object of Python, the command line, HTTP, MCP and evaluation. A part of weight 2 counts
    twice as much as one of weight 1; one of a weight below 0 is unwanted: what is like it ranks lower.

    Attributes:
        texts: what is asked in words; empty strings are dropped.
        images: paths or encoded bytes.
        text_weights, image_weights: one number other than 0 for each text and image; () means all 1.
        filters: all must hold.
        image_boxes: for each image, the region of it that is meant, None for all of it; () means all.
        like: ids of stored parts ("D:4", "D:4.f0"): more like this, or less.
        like_weights: as the other weights.

    Raises:
        QueryError: nothing is wanted; weights or boxes that do not match, are 0 or not finite; a box
            without area or outside the image.
    """

    texts: tuple[str, ...] = ()
    images: tuple[Image, ...] = ()
    text_weights: tuple[float, ...] = ()
    image_weights: tuple[float, ...] = ()
    filters: tuple[Filter, ...] = ()
    image_boxes: tuple[Box | None, ...] = ()
    like: tuple[str, ...] = ()
    like_weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        texts, text_weights, _ = _weighted(self.texts, self.text_weights, "text")
        images, image_weights, kept = _weighted(self.images, self.image_weights, "image")
        like, like_weights, _ = _weighted(self.like, self.like_weights, "liked part")
        if not texts and not images and not like:
            raise QueryError("the query is empty: give it a text, an image, or both")
        if not any(weight > 0 for weight in (*text_weights, *image_weights, *like_weights)):
            raise QueryError("the query says only what is unwanted: give one part a weight above 0")
        object.__setattr__(self, "image_boxes", _boxes(self.image_boxes, len(self.images), kept))
        object.__setattr__(self, "texts", texts)
        object.__setattr__(self, "text_weights", text_weights)
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "image_weights", image_weights)
        object.__setattr__(self, "like", like)
        object.__setattr__(self, "like_weights", like_weights)
        object.__setattr__(self, "filters", tuple(self.filters))

    @classmethod
    def of(cls, text: str = "", image: Image | Path | None = None, **filters: Scalar) -> Query:
        """Return the common query: one text, one image, or both; keyword filters mean equality."""
        images = () if image is None else (str(image) if isinstance(image, Path) else image,)
        wanted = tuple(Filter(name, "=", value) for name, value in filters.items())
        return cls(texts=(text,), images=images, filters=wanted)

    @property
    def wanted(self) -> Query:
        """The query without its unwanted parts."""
        return self._where(lambda weight: weight > 0)

    @property
    def unwanted(self) -> Query | None:
        """What is unwanted, as a query of weights above 0; None if nothing is."""
        if all(weight > 0 for weight in (*self.text_weights, *self.image_weights, *self.like_weights)):
            return None
        opposite = replace(
            self,
            text_weights=tuple(-weight for weight in self.text_weights),
            image_weights=tuple(-weight for weight in self.image_weights),
            like_weights=tuple(-weight for weight in self.like_weights),
        )
        return opposite.wanted

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; image bytes become {"base64": ...}. Boxes and likes only where there are."""
        values: dict[str, Any] = {
            "texts": list(self.texts),
            "images": [
                {"base64": base64.b64encode(i).decode()} if isinstance(i, bytes) else {"path": i}
                for i in self.images
            ],
            "text_weights": list(self.text_weights),
            "image_weights": list(self.image_weights),
            "filters": [asdict(f) for f in self.filters],
        }
        if any(self.image_boxes):
            values["image_boxes"] = [None if box is None else asdict(box) for box in self.image_boxes]
        if self.like:
            values |= {"like": list(self.like), "like_weights": list(self.like_weights)}
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Query:
        """Return the query that `to_dict` wrote, or that a client sent.

        Raises:
            QueryError: an unknown key, a wrong type, or anything the constructor refuses.
        """
        if unknown := set(values) - set(_READ):
            raise QueryError(
                f"unknown key in the query: {', '.join(sorted(unknown))}; it takes {', '.join(_READ)}"
            )
        for name in values:
            if not isinstance(values[name], list | tuple):
                raise QueryError(f"{name} must be a list, got {type(values[name]).__name__}")
        try:
            return cls(**{name: tuple(map(_READ[name], given)) for name, given in values.items()})
        except QueryError:
            raise
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise QueryError(f"the query is not of the expected form: {error!r}") from error

    def _where(self, holds: Callable[[float], bool]) -> Query:
        """Return the query of those parts whose weight a function lets through."""

        def kept(items: Sequence[Any], weights: Sequence[float]) -> tuple[Any, ...]:
            return tuple(item for item, weight in zip(items, weights, strict=True) if holds(weight))

        return replace(
            self,
            texts=kept(self.texts, self.text_weights),
            text_weights=tuple(filter(holds, self.text_weights)),
            images=kept(self.images, self.image_weights),
            image_weights=tuple(filter(holds, self.image_weights)),
            image_boxes=kept(self.image_boxes, self.image_weights),
            like=kept(self.like, self.like_weights),
            like_weights=tuple(filter(holds, self.like_weights)),
        )


def asked_with(text: object, image: object) -> str:
    """Return what a query has of both, by which evaluations tell kinds of queries: "text", "image",
    "text+image", or "" for neither.
    """
    return "+".join(side for side, there in (("text", text), ("image", image)) if there)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise QueryError(f"a text of the query must be a string, got {type(value).__name__}")
    return value


def _image(value: Any) -> Image:
    if isinstance(value, str | bytes):
        return value
    if "base64" in value:
        try:
            return base64.b64decode(value["base64"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise QueryError("an image of the query is not valid base64") from error
    return str(value["path"])


def _like(value: Any) -> str:
    if not isinstance(value, str):
        raise QueryError(f"what a query likes must be the id of a hit, got {type(value).__name__}")
    return value


def _box(value: Any) -> Box | None:
    form = 'a box is {"left": 0.1, "top": 0.2, "right": 0.5, "bottom": 0.6}, in fractions of the image'
    if value is None or isinstance(value, Box):
        return value
    sides = ("left", "top", "right", "bottom")
    if not isinstance(value, Mapping) or set(value) != set(sides):
        raise QueryError(f"cannot read the box {value!r}: {form}")
    return Box(*(float(value[side]) for side in sides))


def _filter(values: Any) -> Filter:
    form = 'a filter is {"field": "year", "operator": ">=", "value": 2020}, or a list as its value'
    if not isinstance(values, Mapping) or not {"field", "value"} <= set(values) <= _FILTER_KEYS:
        seen = ", ".join(map(str, values)) if isinstance(values, Mapping) else repr(values)
        raise QueryError(f"cannot read a filter of {seen or 'nothing'}: {form}")
    field, operator, value = values["field"], values.get("operator", "="), values["value"]
    if operator not in get_args(FilterOperator):
        known = " ".join(get_args(FilterOperator))
        raise QueryError(f"unknown filter operator {operator!r}: use one of {known}")
    several = value if isinstance(value, list | tuple) else [value]
    if not isinstance(field, str) or not all(isinstance(one, str | int | float) for one in several):
        raise QueryError(f"cannot filter {field!r} by {value!r}: {form}, of text, numbers, true or false")
    return Filter(field, operator, tuple(several) if isinstance(value, list | tuple) else value)


_READ: dict[str, Callable[[Any], Any]] = {
    "texts": _text,
    "images": _image,
    "text_weights": float,
    "image_weights": float,
    "filters": _filter,
    "image_boxes": _box,
    "like": _like,
    "like_weights": float,
}


def _weighted(items: Sequence[Any], weights: Sequence[float], what: str) -> tuple[Any, Any, list[int]]:
    """Return the non-empty items, their weights, all 1 when none are given, and their places."""
    if weights and len(weights) != len(items):
        raise QueryError(
            f"{len(items)} {what}s but {len(weights)} weights: give one weight for each, or none"
        )
    if any(not math.isfinite(w) or w == 0 for w in weights):
        raise QueryError(f"{what} weights must be numbers other than 0, got {list(weights)}")
    kept = [at for at, item in enumerate(items) if (item.strip() if isinstance(item, str) else item)]
    every = [float(weight) for weight in weights] or [1.0] * len(items)
    return tuple(items[at] for at in kept), tuple(every[at] for at in kept), kept


def _boxes(boxes: Sequence[Box | None], images: int, kept: Sequence[int]) -> tuple[Box | None, ...]:
    """Return the box of each kept image."""
    if boxes and len(boxes) != images:
        raise QueryError(f"{images} images but {len(boxes)} boxes: give a box or none for each, or no boxes")
    for box in boxes:
        if box is not None and not (0 <= box.left < box.right <= 1 and 0 <= box.top < box.bottom <= 1):
            raise QueryError(
                "a box must lie inside the image and have an area, with left < right and top < bottom in "
                f"0 to 1, got {box}"
            )
    return tuple(boxes[at] if boxes else None for at in kept)
