"""A library as a LangChain retriever."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field

from plait.integrations.told import asked, facts_of, opened, words_of
from plait.library import Library
from plait.schema import Hits, SearchRequest


class PlaitRetriever(BaseRetriever):
    """Finds places in illustrated documents by words; `search` takes pictures too.

    Each found document holds the words of a hit, and in its metadata where it stands, the paths of its
    pictures, and its score.

    Attributes:
        library: an open library, or the folder of one.
        k: how many hits.
        options: the rest of a request, in its JSON form: {"kind": "figure", "query": {"filters": [...]}}.

    Example:
        >>> retriever = PlaitRetriever(library="manuals", k=4)          # doctest: +SKIP
        >>> retriever.invoke("how do I replace the gasket?")            # doctest: +SKIP
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    library: Library | str | Path
    k: int = 10
    options: Mapping[str, Any] = Field(default_factory=dict)
    _opened: Library | None = None

    def search(self, request: SearchRequest) -> list[Document]:
        """Return what a whole request finds: words, pictures, or both."""
        return _documents(self._library().search(request))

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return self.search(asked(query, k=self.k, options=self.options))

    def _library(self) -> Library:
        if self._opened is None:
            self._opened = opened(self.library)
        return self._opened


def _documents(hits: Hits) -> list[Document]:
    return [Document(id=hit.id, page_content=words_of(hit), metadata=facts_of(hit)) for hit in hits]
