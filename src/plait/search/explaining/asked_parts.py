"""The parts of a query by name, and which texts and images of the resolved query each of them is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plait.index.base import Snapshot
from plait.schema import Query
from plait.search.likes import resolved


@dataclass(frozen=True, slots=True)
class Left:
    """Which of the wanted texts and images are left out, by place; frozen, so that it can be remembered."""

    texts: frozenset[int] = frozenset()
    images: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class AskedParts:
    """What a query asks, by name: "text 1", "image 1", "like 1", numbered as in the query.

    Attributes:
        wanted: name -> the texts and images among the wanted ones of the resolved query.
        unwanted: name -> its place among the unwanted parts.
    """

    wanted: dict[str, Left]
    unwanted: dict[str, int]


def asked_parts(
    query: Query, snapshot: Snapshot, pictures: Path | None, *, reads_pictures: bool
) -> AskedParts:
    """Return the parts of a query.

    Args:
        query: as it was asked, with its likes.
        pictures, reads_pictures: as of `likes.resolved`.
    """
    wanted: dict[str, Left] = {}
    unwanted: dict[str, int] = {}
    texts = images = 0
    for name, weight, like in _named(query):
        if weight < 0:
            unwanted[name] = len(unwanted)
            continue
        more_texts, more_images = (name.startswith("text"), name.startswith("image"))
        if like:
            told = resolved(Query(like=(like,)), snapshot, pictures, reads_pictures=reads_pictures).query
            more_texts, more_images = len(told.texts), len(told.images)
        wanted[name] = Left(
            frozenset(range(texts, texts + more_texts)), frozenset(range(images, images + more_images))
        )
        texts, images = texts + more_texts, images + more_images
    return AskedParts(wanted, unwanted)


def _named(query: Query) -> Iterator[tuple[str, float, str]]:
    """Give each part's name, weight, and the id that is liked, in the order in which they are resolved."""
    for kind, weights, likes in (
        ("text", query.text_weights, ()),
        ("image", query.image_weights, ()),
        ("like", query.like_weights, query.like),
    ):
        for place, weight in enumerate(weights):
            yield f"{kind} {place + 1}", weight, likes[place] if likes else ""
