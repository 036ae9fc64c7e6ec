"""Searching processes: the same answers, errors as they are, nothing old after a renewal, nobody lost."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.libraries import write_titled
from tests.helpers.tiny_encoder import TinyEncoder
from tests.serve.conftest import app_of, drawn, running
from tests.serve.crew_process import FATAL

from plait.errors import InputError, LibraryError, NoLibraryError, QueryError
from plait.library import Library
from plait.schema import Filter, Query, SearchRequest
from plait.serve.crew import Crew, crew_for
from plait.serve.crew.frames import sendable
from plait.serve.refusals import Refusal

PROGRAM = (sys.executable, "-m", "tests.serve.crew_process")
WORDS = ("safety valve", "filter basket", "boiler", "warm water once a week", "open the valve under water")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes find the tests' own encoder."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


@contextmanager
def crew_of(folder: Path, library: Library, processes: int = 2) -> Iterator[Crew]:
    crew = Crew(folder, library.settings, processes, program=PROGRAM)
    crew.start()
    try:
        yield crew
    finally:
        crew.stop()


def asked(*words: str, **options: object) -> SearchRequest:
    return replace(SearchRequest(Query(texts=words), k=2, distant=True), **options)  # type: ignore[arg-type]


@pytest.mark.usefixtures("here")
def test_processes_answer_as_the_library_does_and_tell_errors_as_they_are(library: Library) -> None:
    requests = [asked(words) for words in WORDS * 4]
    requests += [
        SearchRequest(Query(texts=("valve",), images=(drawn("brown"),)), k=2),
        SearchRequest(Query(texts=("valve",), filters=(Filter("type", "=", "html"),)), facets=("type",)),
        asked("valve", kind="passage"),
    ]
    wrong = [asked("valve", lanes=("nose",)), asked("valve", facets=("nowhere",))]
    with crew_of(library.folder, library) as crew:
        crew.wait()
        answers = [crew.ask(request) for request in [*requests, *wrong]]
        for request, answer in zip(requests, answers, strict=False):
            assert answer.result(60).to_dict() == library.search(request).to_dict()
        for answer, name in zip(answers[len(requests) :], ("nose", "nowhere"), strict=True):
            with pytest.raises(QueryError, match=name):
                answer.result(60)
        hit = library.search(requests[0])[0]
        told = crew.ask(requests[0], explain=hit.id).result(60)
        assert told.to_dict() == library.explain(requests[0], hit.id).to_dict()
        assert crew.asked == 0


@pytest.mark.usefixtures("here")
def test_what_was_written_is_found_after_a_renewal(library: Library) -> None:
    page = library.folder.parent / "manual" / "gasket.html"
    with crew_of(library.folder, library) as crew:
        assert "gasket" not in str(crew.ask(asked("gasket")).result(60).to_dict())
        library.also_renew(crew.renew)
        write_titled(page.parent, "gasket", "Grease the gasket of the pump.", drawn("green"))
        library.add([page])
        library.renew()
        for _ in range(4):  # whichever of the processes it is
            assert crew.ask(asked("gasket")).result(60)[0].title == "The gasket"


@pytest.mark.usefixtures("here")
def test_what_a_killed_process_was_at_is_answered_by_another(library: Library) -> None:
    with crew_of(library.folder, library) as crew:
        crew.wait()
        before = set(crew.pids)
        answers = [crew.ask(asked(words)) for words in WORDS * 4]
        os.kill(min(before), signal.SIGKILL)
        assert all(answer.result(60) for answer in answers)
        assert crew.ask(asked("boiler")).result(60)
        assert len(crew.pids) == 2
        assert set(crew.pids) != before


@pytest.mark.usefixtures("here")
def test_a_query_that_ends_processes_is_given_up_and_the_others_go_on(library: Library) -> None:
    with crew_of(library.folder, library, 1) as crew:
        crew.wait()
        fatal, next_one = crew.ask(asked(FATAL)), crew.ask(asked("boiler"))
        with pytest.raises(LibraryError, match="signal 9"):
            fatal.result(60)
        assert next_one.exception(60) is None or "signal 9" in str(next_one.exception())
        assert crew.ask(asked("boiler")).result(60)


@pytest.mark.usefixtures("here")
def test_a_library_that_cannot_be_opened_is_told_and_no_process_is_started_for_ever(
    library: Library, tmp_path: Path
) -> None:
    with crew_of(tmp_path / "nothing" / ".plait", library) as crew:
        with pytest.raises(NoLibraryError):
            crew.wait()
        with pytest.raises(LibraryError):
            crew.ask(asked("boiler")).result(60)


@pytest.mark.usefixtures("here")
def test_processes_end_with_the_crew(library: Library) -> None:
    with crew_of(library.folder, library) as crew:
        crew.wait()
        pids = crew.pids
    with pytest.raises(LibraryError, match="ending"):
        crew.ask(asked("boiler")).result(60)
    for pid in pids:  # children of this process: reaped by the crew's threads
        deadline = 100
        while _runs(pid) and deadline:
            signal.sigtimedwait([], 0.05)
            deadline -= 1
        assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(("wanted", "processes"), [(0, 0), (1, 0), (2, 2), (64, 64)])
def test_the_setting_says_how_many_processes_there_are(library: Library, wanted: int, processes: int) -> None:
    library._settings = replace(library.settings, search_processes=wanted)
    crew = crew_for(library)
    assert (len(crew) if crew else 0) == processes  # two pages are no large library


@pytest.mark.parametrize("wanted", [-1, 65])
def test_a_number_of_processes_that_cannot_be_meant_is_refused(library: Library, wanted: int) -> None:
    library._settings = replace(library.settings, search_processes=wanted)
    with pytest.raises(InputError, match=f"from 0 to 64, got {wanted}"):
        crew_for(library)


def test_an_error_that_cannot_travel_arrives_as_what_it_said() -> None:
    arrived = sendable(Refusal(404, "Gone", "it is not here"))
    assert "it is not here" in str(arrived)
    assert isinstance(sendable(QueryError("no")), QueryError)


@pytest.mark.usefixtures("here")
def test_over_http_searches_explanations_and_removals_go_through_the_processes(library: Library) -> None:
    crew = Crew(library.folder, library.settings, 2, program=PROGRAM)
    body = {"query": {"texts": ["boiler"]}, "k": 2, "distant": True}
    with running(app_of(library, crew=crew)) as service:
        found = service.client.post("/search", json=body).json()
        expected = library.search(asked("boiler")).to_dict()
        assert [hit["id"] for hit in found["hits"]] == [hit["id"] for hit in expected["hits"]]
        hit = found["hits"][0]
        told = service.client.post("/explain", json={"request": body, "id": hit["id"]})
        assert told.status_code == 200, told.text
        assert service.client.delete(f"/documents/{hit['document_id']}").status_code == 200
        for _ in range(4):
            again = service.client.post("/search", json=body).json()["hits"]
            assert hit["id"] not in [one["id"] for one in again]
        refused = service.client.post("/search", json={**body, "lanes": ["nose"]})
        assert refused.status_code == 400
        assert refused.headers["content-type"] == "application/problem+json"
        answer = service.client.post("/answer", json=body)
        assert answer.status_code == 200, answer.text
    assert crew.pids == []


def test_searches_asked_for_together_are_those_asked_for_one_by_one(library: Library) -> None:
    class Together(TinyEncoder):
        def encode_queries(self, queries):  # type: ignore[no-untyped-def]
            return [self.encode_query(query) for query in queries]

    requests = [asked(words) for words in WORDS]
    requests += [
        asked("valve", lanes=("nose",)),
        asked("valve", lanes=("bm25",)),
        asked("valve", "-", weights={}),
    ]
    with Library(library.folder.parent, encoder=Together()) as together:
        several = list(together.search_each(requests))
        for request, hits in zip(requests, several, strict=True):
            if request.lanes == ("nose",):
                assert isinstance(hits, QueryError)
            else:
                assert not isinstance(hits, Exception)
                assert hits.to_dict() == library.search(request).to_dict()
