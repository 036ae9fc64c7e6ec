"""The Haystack component, in a Haystack pipeline."""

from __future__ import annotations

from pathlib import Path

from haystack import Pipeline
from haystack.dataclasses import ByteStream

from plait.integrations.haystack import PlaitRetriever
from plait.library import Library
from plait.schema import Query


def test_it_finds_what_the_library_finds(library: Library) -> None:
    found = PlaitRetriever(library, k=2).run(query="close the valve")["documents"]
    hits = library.search(Query.of("close the valve"), k=2)
    assert [(one.id, one.score) for one in found] == [(hit.id, hit.score) for hit in hits]
    assert "Close the valve" in found[0].content
    assert Path(found[0].meta["picture"]).is_file()


def test_it_runs_in_a_pipeline_with_a_picture(library: Library, blue: Path) -> None:
    pipeline = Pipeline()
    pipeline.add_component("retriever", PlaitRetriever(library, k=1))
    for image in (str(blue), ByteStream(blue.read_bytes(), mime_type="image/png")):
        found = pipeline.run({"retriever": {"images": [image]}})["retriever"]["documents"]
        assert [one.meta["title"] for one in found] == ["The filter"]


def test_a_pipeline_survives_being_written(library: Library) -> None:
    pipeline = Pipeline()
    pipeline.add_component("retriever", PlaitRetriever(library, k=3, options={"kind": "figure"}))
    again = Pipeline.loads(pipeline.dumps(), unsafe=True)
    written = again.get_component("retriever").to_dict()["init_parameters"]
    assert written == {"library": str(library.folder.parent), "k": 3, "options": {"kind": "figure"}}
