"""A library as a Haystack component: words and pictures in, documents out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.dataclasses import ByteStream

from plait.integrations.told import asked, facts_of, opened, words_of
from plait.library import Library


@component
class PlaitRetriever:
    """Finds places in illustrated documents by words, by pictures, or by both at once.

    Each found document holds the words of a hit, its score, and in its meta where it stands and the paths of
    its pictures.

    Args:
        library: the folder of a library, or an open one.
        k: how many hits.
        options: the rest of a request, in its JSON form: {"kind": "figure", "query": {"filters": [...]}}.
    """

    def __init__(
        self, library: Library | str | Path, *, k: int = 10, options: Mapping[str, Any] | None = None
    ) -> None:
        self._named = library
        self._library: Library | None = None
        self._k = k
        self._options = dict(options or {})

    def warm_up(self) -> None:
        """Open the library and load its model."""
        if self._library is None:
            self._library = opened(self._named)
            self._library.encoder()

    @component.output_types(documents=list[Document])  # type: ignore[untyped-decorator]
    def run(
        self,
        query: str = "",
        images: Sequence[str | Path | ByteStream] | None = None,
        k: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> dict[str, list[Document]]:
        """Return {"documents": [...]}, best first.

        Args:
            query: words; may be empty where there are images.
            images: files, or their bytes.
            k, options: in place of those of the component.
        """
        self.warm_up()
        assert self._library is not None
        pictures = tuple(one.data if isinstance(one, ByteStream) else str(one) for one in images or ())
        request = asked(
            query,
            pictures,
            k=self._k if k is None else k,
            options=self._options if options is None else options,
        )
        return {
            "documents": [
                Document(id=hit.id, content=words_of(hit), meta=facts_of(hit), score=hit.score)
                for hit in self._library.search(request)
            ]
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the form that a pipeline writes; an open library is named by its folder."""
        folder = self._named.folder.parent if isinstance(self._named, Library) else self._named
        form: dict[str, Any] = default_to_dict(self, library=str(folder), k=self._k, options=self._options)
        return form

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PlaitRetriever:
        """Return the component that `to_dict` wrote."""
        return default_from_dict(cls, data)  # type: ignore[no-any-return]
