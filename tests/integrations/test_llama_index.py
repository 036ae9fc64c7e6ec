"""The LlamaIndex retriever, in LlamaIndex itself."""

from __future__ import annotations

from pathlib import Path

from llama_index.core.schema import ImageNode, QueryBundle

from plait.integrations.llama_index import PlaitRetriever
from plait.library import Library
from plait.schema import Query


def test_it_finds_what_the_library_finds(library: Library) -> None:
    found = PlaitRetriever(library, k=2).retrieve("close the valve")
    hits = library.search(Query.of("close the valve"), k=2)
    assert [(one.node.node_id, one.score) for one in found] == [(hit.id, hit.score) for hit in hits]
    assert "Close the valve" in found[0].node.get_content()


def test_words_and_a_picture_are_asked_together(library: Library, blue: Path) -> None:
    found = PlaitRetriever(library, k=1).retrieve(QueryBundle("close", image_path=str(blue)))
    assert isinstance(found[0].node, ImageNode)
    assert Path(found[0].node.image_path).is_file()
    assert found[0].node.metadata["title"] == "The filter"


def test_options_are_those_of_a_request(library: Library) -> None:
    only = {"query": {"filters": [{"field": "title", "value": "The filter"}]}}
    found = PlaitRetriever(library, options=only).retrieve("close the valve")
    assert {one.node.metadata["title"] for one in found} == {"The filter"}
