"""What a request's answer holds: pages that stay as they were, folded copies, facets and counts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.tiny_encoder import TinyEncoder

from plait.errors import InputError, QueryError
from plait.library import Library
from plait.schema import Filter, Query, SearchRequest
from plait.settings import Settings

WORDS = "valve boiler filter basket steam water pump gauge seal hose tank drain".split()  # noqa: SIM905
ASKED = SearchRequest(Query.of("valve steam water"), k=3, fold=False)


def write(folder: Path, names: range, seed: int = 1) -> None:
    chance = random.Random(seed)
    for number in names:
        text = " ".join(chance.choices(WORDS, k=12))
        (folder / f"{number:02}.md").write_text(f"# Note {number}\n\nvalve {text}\n")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    write(tmp_path, range(12))
    with Library(tmp_path, encoder=TinyEncoder()) as opened:
        opened.add([tmp_path])
        yield opened


def paged(library: Library, request: SearchRequest) -> list[str]:
    """Return the ids of all pages, one after the other."""
    found: list[str] = []
    while True:
        hits = library.search(request)
        assert [hit.rank for hit in hits] == list(range(len(found) + 1, len(found) + len(hits) + 1))
        found += [hit.id for hit in hits]
        if not hits.next_cursor:
            return found
        request = replace(request, cursor=hits.next_cursor)


def test_pages_together_are_the_whole_answer(library: Library) -> None:
    assert paged(library, ASKED) == [hit.id for hit in library.search(replace(ASKED, k=50))]
    assert paged(library, replace(ASKED, depth=5)) == paged(library, ASKED)[:5]


def test_scores_of_a_later_page_are_those_of_the_whole_answer(library: Library) -> None:
    whole = library.search(replace(ASKED, k=6))
    first = library.search(ASKED)
    second = library.search(replace(ASKED, cursor=first.next_cursor))
    assert [*first, *second] == list(whole)


def test_pages_stay_as_they_were_while_documents_come_and_go(library: Library, tmp_path: Path) -> None:
    before = [hit.id for hit in library.search(replace(ASKED, k=50))]
    first = library.search(ASKED)
    write(tmp_path, range(20, 40), seed=2)
    library.add([tmp_path])
    assert [hit.id for hit in library.search(replace(ASKED, k=50))] != before
    last = next(d for d in library.documents() if before[-1].startswith(d.id))
    library.remove([last.id])
    found = [hit.id for hit in first]
    cursor = first.next_cursor
    while cursor:
        hits = library.search(replace(ASKED, cursor=cursor))
        found += [hit.id for hit in hits]
        cursor = hits.next_cursor
    assert found == before[:-1]


def test_copies_are_folded_across_pages(library: Library, tmp_path: Path) -> None:
    once = paged(library, replace(ASKED, fold=True))
    (tmp_path / "copy").mkdir()
    for file in sorted(tmp_path.glob("*.md")):
        (tmp_path / "copy" / file.name).write_text(file.read_text())
    library.add([tmp_path / "copy"])
    hits = library.search(replace(ASKED, k=50, fold=True))
    assert len(hits) == len(once) == 12
    assert all(len(hit.folded) == 1 for hit in hits)
    assert paged(library, replace(ASKED, fold=True)) == [hit.id for hit in hits]
    assert len(paged(library, ASKED)) == 24


def test_a_group_has_no_more_than_its_share_over_all_pages(library: Library) -> None:
    limited = replace(ASKED, k=2, per_group={"type": 3})
    assert paged(library, limited) == paged(library, ASKED)[:3]


def test_facets_count_what_filters_on_other_fields_let_through(library: Library) -> None:
    first, second = (document.id for document in library.documents()[:2])
    filters = (Filter("document", "=", first), Filter("type", "=", "markdown"))
    hits = library.search(
        replace(ASKED, query=Query(("valve",), filters=filters), facets=("document", "type"))
    )
    documents, types = hits.facets
    assert {first, second} <= {count.value for count in documents.counts}
    assert len(documents.counts) == 12
    assert [(count.value, count.documents) for count in types.counts] == [("markdown", 1)]
    assert library.count(filters) == (1, 1)
    assert library.facets(["type"])[0].counts[0].documents == 12


def test_fields_say_what_can_be_filtered(library: Library) -> None:
    kinds = {info.name: (info.kind, info.values) for info in library.fields()}
    assert kinds["type"] == ("text", 1)
    assert kinds["document"] == ("text", 12)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"cursor": "nonsense"}, InputError),
        ({"facets": ("colour",)}, QueryError),
        ({"per_group": {"colour": 1}}, QueryError),
        ({"lanes": ("sofa",)}, QueryError),
        ({"method": "magic"}, InputError),
    ],
)
def test_what_cannot_be_meant_is_refused(
    library: Library, wrong: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        library.search(replace(ASKED, **wrong))  # type: ignore[arg-type]


def test_an_empty_library_has_nothing_to_count(tmp_path: Path) -> None:
    with Library(tmp_path / "new", encoder=TinyEncoder()) as opened:
        assert (opened.count(), opened.facets(["type"]), opened.fields()) == ((0, 0), [], [])


def test_switches_of_lanes_are_settings_and_off_is_as_if_there_were_none(
    library: Library, tmp_path: Path
) -> None:
    def scores(settings: Settings) -> list[tuple[str, float]]:
        with Library(tmp_path, encoder=TinyEncoder(), settings=settings) as opened:
            whole = [(hit.id, hit.score) for hit in opened.search(replace(ASKED, k=50))]
            assert paged(opened, ASKED) == [name for name, _ in whole]
            return whole

    before = [(hit.id, hit.score) for hit in library.search(replace(ASKED, k=50))]
    assert scores(Settings(recentring=False, hub_suppression=0.0)) == before
    assert scores(Settings(hub_suppression=0.5)) != before
    with pytest.raises(InputError, match="hub_suppression must be from 0 to 1, got 2"):
        scores(Settings(hub_suppression=2.0))
