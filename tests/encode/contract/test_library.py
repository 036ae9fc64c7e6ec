"""Every encoder in a real library: what is added is found by it, and no other model may answer for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.encode.contract.conftest import drawn
from tests.helpers.encoders import CASES, Case, only

from plait import Library, Query
from plait.encode import Encoder
from plait.errors import LibraryFormatError, QueryError
from plait.schema import SearchRequest
from plait.search.searcher import BM25
from plait.settings import Settings

PAGES = {
    "boiler": ("red", "Descale the boiler with citric acid every month, so that no chalk builds up."),
    "grinder": ("blue", "Turn the collar to the left to set the grind finer."),
    "warranty": ("green", "Keep the receipt: the guarantee lasts for two years."),
}


@pytest.fixture(scope="session")
def manual(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of three pages, each with a drawing, as a library filled by the encoder."""
    folder = tmp_path_factory.mktemp("manual")
    for name, (colour, text) in PAGES.items():
        drawn(folder / f"{name}.png", colour)
        (folder / f"{name}.html").write_text(
            f"<html><head><title>Manual</title></head><body><h1>{name}</h1><p>{text}</p>"
            f'<figure><img src="{name}.png" alt=""><figcaption>Drawing</figcaption></figure></body></html>'
        )
    with Library(folder, encoder=encoder) as library:
        report = library.add([folder])
        assert (report.added, report.failed) == (3, ())
    return folder


@pytest.fixture
def library(manual: Path, encoder: Encoder) -> Iterator[Library]:
    with Library(manual, encoder=encoder, create=False) as opened:
        yield opened


def found_by_vectors(library: Library, encoder: Encoder, query: Query) -> list[str]:
    """Return the sources found by the encoder's own lanes, best first; each must have spoken of each hit."""
    sides = {"text": bool(query.texts), "image": bool(query.images), "joint": True}
    lanes = [field.name for field in encoder.fields if sides[field.asks]]
    hits = library.search(SearchRequest(query, lanes=tuple(lanes), distant=True))
    assert all(set(hit.lanes) == set(lanes) for hit in hits)
    return [hit.source for hit in hits]


def test_words_find_what_means_the_same(case: Case, library: Library, encoder: Encoder) -> None:
    sources = found_by_vectors(library, encoder, Query.of("how to get rid of limescale"))
    assert sorted(sources) == ["boiler.html", "grinder.html", "warranty.html"]
    if case.is_trained:
        assert sources[0] == "boiler.html"


def test_a_picture_finds_the_page_that_shows_it(
    case: Case, library: Library, encoder: Encoder, manual: Path
) -> None:
    query = Query.of(image=manual / "grinder.png")
    if not case.reads_pictures:
        with pytest.raises(QueryError, match=r"reads only text: ask in words"):
            library.search(query)
        return
    sources = found_by_vectors(library, encoder, query)
    assert len(sources) == 3
    if case.is_symmetric:
        assert sources[0] == "grinder.html"


def test_words_and_a_picture_are_asked_together(case: Case, library: Library, manual: Path) -> None:
    query = Query.of("set the grind finer", image=manual / "grinder.png")
    if not case.reads_pictures:
        with pytest.raises(QueryError, match="reads no pictures"):
            library.search(query)
        return
    assert library.search(query)[0].source == "grinder.html"


def test_a_hit_shows_the_passage_and_the_figure(library: Library) -> None:
    (hit,) = (hit for hit in library.search(Query.of("guarantee")) if hit.source == "warranty.html")
    assert "two years" in hit.passage
    assert hit.caption == "Drawing"
    assert BM25 in hit.lanes


@only(tuple(case for case in CASES if case.opens_by_name))
def test_the_library_opens_its_encoder_again_by_name(library: Library, manual: Path) -> None:
    query = Query.of("set the grind finer")
    expected = [(hit.unit_id, pytest.approx(hit.score, abs=1e-3)) for hit in library.search(query)]
    with Library(manual, create=False, settings=Settings(precision="float32")) as again:
        assert [(hit.unit_id, hit.score) for hit in again.search(query)] == expected


def test_the_same_kind_with_other_weights_is_refused(
    case: Case, manual: Path, saved: Path, tmp_path: Path
) -> None:
    shutil.copytree(saved, tmp_path / "other", symlinks=True)
    case.other_weights(tmp_path / "other")
    with pytest.raises(LibraryFormatError, match="vectors of two models cannot be compared"):
        Library(manual, encoder=case.load(tmp_path / "other"))
