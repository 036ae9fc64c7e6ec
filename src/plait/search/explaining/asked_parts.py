"""The parts of a query by name, and which texts and images each of them is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from plait.schema import Query
from plait.search.ranking import Ranking


@dataclass(frozen=True, slots=True)
class Left:
    """Which of the wanted texts and images are left out, by place."""

    texts: frozenset[int] = frozenset()
    images: frozenset[int] = frozenset()


def wanted_parts(ranking: Ranking) -> dict[str, Left]:
    """Return name ("text 1", "image 1", "like 1") -> the texts and images it is; a like may be several."""
    query = ranking.query
    texts = _kept(ranking.text_origins, query.text_weights)
    images = _kept(ranking.image_origins, query.image_weights)
    return {name: Left(_of(name, texts), _of(name, images)) for name in dict.fromkeys((*texts, *images))}


def unwanted_parts(query: Query) -> list[str]:
    """Return the names of a query's unwanted parts, in the order in which a comparison has them."""
    return [name for name, weight in _named(query) if weight < 0]


def _named(query: Query) -> Iterator[tuple[str, float]]:
    for kind, weights in (
        ("text", query.text_weights),
        ("image", query.image_weights),
        ("like", query.like_weights),
    ):
        for number, weight in enumerate(weights, start=1):
            yield f"{kind} {number}", weight


def _kept(origins: Sequence[str], weights: Sequence[float]) -> list[str]:
    return [name for name, weight in zip(origins, weights, strict=True) if weight > 0]


def _of(name: str, origins: Sequence[str]) -> frozenset[int]:
    return frozenset(place for place, origin in enumerate(origins) if origin == name)
