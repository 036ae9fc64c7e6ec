"""The LangChain retriever, in LangChain itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.runnables import RunnableLambda

from plait.errors import NoLibraryError
from plait.integrations.langchain import PlaitRetriever
from plait.library import Library
from plait.schema import Query, SearchRequest


def test_it_finds_what_the_library_finds(library: Library) -> None:
    found = PlaitRetriever(library=library, k=2).invoke("close the valve")
    assert [one.id for one in found] == [hit.id for hit in library.search(Query.of("close the valve"), k=2)]
    assert "Close the valve" in found[0].page_content
    assert found[0].metadata["source"].endswith("valve.html")
    assert Path(found[0].metadata["picture"]).is_file()


def test_it_runs_in_a_chain_and_asynchronously(library: Library) -> None:
    chain = PlaitRetriever(library=library, k=1) | RunnableLambda(lambda found: found[0].metadata["title"])
    assert chain.invoke("filter") == "The filter"
    assert chain.batch(["filter", "valve"]) == ["The filter", "The valve"]


def test_a_whole_request_takes_pictures(library: Library, blue: Path) -> None:
    request = SearchRequest(Query.of("close", image=blue), k=1)
    assert PlaitRetriever(library=library).search(request)[0].metadata["title"] == "The filter"


def test_options_are_those_of_a_request(library: Library) -> None:
    only = {"query": {"filters": [{"field": "title", "value": "The filter"}]}}
    found = PlaitRetriever(library=library, options=only).invoke("close the valve")
    assert {one.metadata["title"] for one in found} == {"The filter"}


def test_a_folder_without_a_library_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoLibraryError):
        PlaitRetriever(library=tmp_path).invoke("valve")
