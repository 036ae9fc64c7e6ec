"""A library as a LlamaIndex retriever: a query bundle's words and picture are asked together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import ImageNode, NodeWithScore, QueryBundle, TextNode

from plait.integrations.told import asked, facts_of, opened, words_of
from plait.library import Library
from plait.schema import Hit, SearchRequest


class PlaitRetriever(BaseRetriever):  # type: ignore[misc]  # llama_index is not checked here
    """Finds places in illustrated documents by words, by a picture, or by both at once.

    A hit with a figure becomes an `ImageNode` that names the picture's file, any other a `TextNode`.

    Args:
        library: an open library, or the folder of one.
        k: how many hits.
        options: the rest of a request, in its JSON form: {"kind": "figure", "query": {"filters": [...]}}.

    Example:
        >>> retriever = PlaitRetriever("manuals", k=4)                                   # doctest: +SKIP
        >>> retriever.retrieve(QueryBundle("replace this", image_path="part.jpg"))       # doctest: +SKIP
    """

    def __init__(
        self, library: Library | str | Path, *, k: int = 10, options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self._library = opened(library)
        self._k = k
        self._options = dict(options or {})

    def search(self, request: SearchRequest) -> list[NodeWithScore]:
        """Return what a whole request finds."""
        hits = self._library.search(request)
        return [NodeWithScore(node=_node(hit), score=hit.score) for hit in hits]

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        images = (query_bundle.image_path,) if query_bundle.image_path else ()
        return self.search(asked(query_bundle.query_str, images, k=self._k, options=self._options))


def _node(hit: Hit) -> TextNode:
    told = {"id_": hit.id, "text": words_of(hit), "metadata": facts_of(hit)}
    return ImageNode(**told, image_path=hit.picture) if hit.picture else TextNode(**told)
