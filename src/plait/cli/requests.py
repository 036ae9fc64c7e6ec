"""A search as it is written on the command line: parts with weights and boxes, groups, a whole request."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.cli.conditions import condition

if TYPE_CHECKING:
    from plait.schema import Box, Query, SearchRequest

_WEIGHT = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\*(?=\S)(.*)", re.DOTALL)
_BOX = re.compile(r"(.+)#([^#]*,[^#]*)", re.DOTALL)
_PAIR = re.compile(r"([^=]+)=(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Written:
    """The parts of a query as they stand on the command line.

    Attributes:
        words: one text of weight 1, taken as it is.
        texts, images, likes: wanted, each with the weight written before it.
        not_texts, not_images, not_likes: unwanted.
        where: conditions.
    """

    words: Sequence[str] = ()
    texts: Sequence[str] = ()
    images: Sequence[str] = ()
    likes: Sequence[str] = ()
    not_texts: Sequence[str] = ()
    not_images: Sequence[str] = ()
    not_likes: Sequence[str] = ()
    where: Sequence[str] = ()

    def query(self) -> Query:
        """Return the query.

        Raises:
            QueryError: a part that cannot be read, or anything that `Query` refuses.
        """
        from plait.schema import Query

        texts = [(" ".join(self.words), 1.0), *_weighted(self.texts, self.not_texts)]
        images = [(*boxed(image), weight) for image, weight in _weighted(self.images, self.not_images)]
        likes = _weighted(self.likes, self.not_likes)
        return Query(
            texts=tuple(text for text, _ in texts),
            text_weights=tuple(weight for _, weight in texts),
            images=tuple(image for image, _, _ in images),
            image_boxes=tuple(box for _, box, _ in images),
            image_weights=tuple(weight for _, _, weight in images),
            like=tuple(part_id for part_id, _ in likes),
            like_weights=tuple(weight for _, weight in likes),
            filters=tuple(condition(text) for text in self.where),
        )

    def request(self, options: Mapping[str, Any]) -> SearchRequest:
        """Return the whole search.

        Args:
            options: the other attributes of a request.

        Raises:
            QueryError, InputError: as of `query`, or what `SearchRequest` refuses.
        """
        from plait.schema import SearchRequest

        return SearchRequest(self.query(), **options)


def weighted(text: str) -> tuple[str, float]:
    """Return what stands after "2*", and 2; a text without such a number has weight 1.

    Of "1*2*x", the rest is "2*x": so a text that begins with a number and * can be asked.
    """
    match = _WEIGHT.fullmatch(text)
    return (match[2], float(match[1])) if match else (text, 1.0)


def boxed(text: str) -> tuple[str, Box | None]:
    """Return the file that stands before "#left,top,right,bottom", and that box, in fractions of the image.

    A file whose whole name reads so is itself.

    Raises:
        QueryError: what stands after "#" is no box.
    """
    from plait.errors import QueryError
    from plait.schema import Box

    match = _BOX.fullmatch(text)
    if match is None or os.path.exists(text):
        return text, None
    try:
        left, top, right, bottom = map(float, match[2].split(","))
    except ValueError:
        raise QueryError(
            f"cannot read the box {match[2]!r} of {match[1]}: write left,top,right,bottom in fractions of "
            "the image, as in part.jpg#0.1,0.2,0.5,0.6"
        ) from None
    return match[1], Box(left, top, right, bottom)


def numbers(option: str, pairs: Iterable[str]) -> dict[str, float]:
    """Return the numbers of an option that takes name=number, by name.

    Raises:
        InputError: one that is not of that form, or a name twice.
    """
    from plait.errors import InputError

    found: dict[str, float] = {}
    for pair in pairs:
        match = _PAIR.fullmatch(pair)
        try:
            name, number = (match[1].strip(), float(match[2])) if match else ("", math.nan)
        except ValueError:
            name, number = "", math.nan
        if not name or not math.isfinite(number):
            raise InputError(
                f"cannot read {option} {pair!r}: write a name and a number, as in {_EXAMPLES[option]}"
            )
        if name in found:
            raise InputError(f"{option} names {name} twice: give it one number")
        found[name] = number
    return found


def counts(option: str, pairs: Iterable[str]) -> dict[str, int]:
    """Return the whole numbers of an option that takes name=number, by name.

    Raises:
        InputError: as of `numbers`, or one that is not whole.
    """
    from plait.errors import InputError

    found = numbers(option, pairs)
    for name, number in found.items():
        if number != int(number):
            raise InputError(f"{option} of {name} must be a whole number, got {number:g}")
    return {name: int(number) for name, number in found.items()}


def read_request(file: str, written: Written, options: Mapping[str, Any]) -> SearchRequest:
    """Return the request that a JSON file holds, or standard input where the file is "-".

    Args:
        written, options: what was given beside it, which must be nothing.

    Raises:
        InputError: there is something, or the file cannot be read.
        QueryError: it holds no request.
    """
    from plait.errors import InputError, QueryError
    from plait.schema import Query, SearchRequest

    usual = SearchRequest(Query.of("-"))
    if written != Written() or any(value != getattr(usual, name) for name, value in options.items()):
        raise InputError("--request is a whole search: write the other parts and options into it")
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the request {file}: {error}") from error
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise QueryError(f"the request {file} is not JSON: {error}") from error
    if not isinstance(values, dict):
        kind = type(values).__name__
        raise QueryError(f'a request is an object such as {{"query": {{"texts": ["..."]}}}}, got a {kind}')
    return SearchRequest.from_dict(values)


def _weighted(wanted: Sequence[str], unwanted: Sequence[str]) -> list[tuple[str, float]]:
    less = [(text, -weight) for text, weight in map(weighted, unwanted)]
    return [*map(weighted, wanted), *less]


_EXAMPLES = {"--per": "--per document=2", "--weight": "--weight bm25=0.5"}
