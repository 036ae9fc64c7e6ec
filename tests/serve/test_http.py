"""The HTTP service over a real socket: it finds, answers, adds, removes, and shows pictures."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tests.serve.conftest import TOKEN, Service, drawn, running

from plait.library import Library
from plait.schema import Query
from plait.serve.http import create_app


def titles(reply: httpx.Response) -> list[str]:
    assert reply.status_code == 200, reply.text
    return [hit["title"] for hit in reply.json()["hits"]]


def encoded(data: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(data).decode()}


def test_words_find_their_page(shared: Service) -> None:
    reply = shared.client.post("/search", json={"query": {"texts": ["rinse the basket"]}, "k": 1})
    assert titles(reply) == ["The filter"]


def test_a_picture_finds_its_page_as_json_and_as_a_form(shared: Service) -> None:
    sent = drawn("brown", "JPEG")
    as_json = shared.client.post("/search", json={"query": {"images": [encoded(sent)]}})
    as_form = shared.client.post("/search", files={"image": ("photo.jpg", sent)})
    assert titles(as_json)[0] == titles(as_form)[0] == "The valve"
    assert as_json.json()["hits"] == as_form.json()["hits"]


def test_words_and_a_picture_are_one_question(service: Service, library: Library) -> None:
    sent = drawn("blue")
    reply = service.client.post("/search", data={"text": "once a week"}, files={"image": ("p.png", sent)})
    direct = library.search(Query(texts=("once a week",), images=(sent,)))
    assert titles(reply) == [hit.title for hit in direct]
    assert set(reply.json()["hits"][0]["lanes"]) == set(direct[0].lanes)


def test_a_query_object_travels_unchanged(shared: Service) -> None:
    query = Query(texts=("water",), images=(drawn("blue"),), text_weights=(2.0,))
    assert titles(shared.client.post("/search", json={"query": query.to_dict(), "k": 1})) == ["The filter"]


def test_filters_and_options_are_obeyed(shared: Service) -> None:
    only = {"field": "title", "operator": "glob", "value": "*valve*"}
    body = {"query": {"texts": ["water basket"], "filters": [only]}, "method": "zsum", "lanes": ["text"]}
    assert titles(shared.client.post("/search", json=body)) == ["The valve"]
    form = {"text": "water basket", "filters": json.dumps([only]), "k": "3"}
    fields = [(name, (None, value)) for name, value in form.items()]
    assert titles(shared.client.post("/search", files=fields)) == ["The valve"]


def test_hits_name_addresses_and_no_paths(service: Service, library: Library) -> None:
    reply = service.client.post("/search", json={"query": {"texts": ["safety valve"]}, "k": 1})
    (hit,) = reply.json()["hits"]
    assert str(library.folder) not in reply.text
    picture = service.client.get(hit["picture"])
    assert picture.headers["content-type"] == "image/png"
    assert picture.content == drawn("brown")


def test_a_unit_shows_only_its_own_pictures(shared: Service) -> None:
    first, second = shared.client.post("/search", json={"query": {"texts": ["the"]}}).json()["hits"]
    sha256 = second["picture"].partition("sha256=")[2]
    assert shared.client.get(f"/units/{first['unit_id']}/picture?sha256={sha256}").status_code == 404
    assert shared.client.get(f"/units/{first['unit_id']}/picture").status_code == 200
    assert shared.client.get(f"/units/{first['unit_id']}/page").status_code == 404


def test_answers_are_cited(shared: Service) -> None:
    reply = shared.client.post("/answer", json={"query": {"texts": ["when do I rinse the filter basket?"]}})
    said = reply.json()
    assert said["text"].startswith("Rinse the filter basket under warm water once a week. [1]")
    assert said["citations"][0]["title"] == "The filter"
    assert shared.client.get(said["citations"][0]["picture"]).status_code == 200


def test_status_and_documents_say_what_is_there(shared: Service) -> None:
    assert shared.client.get("/status").json()["documents"] == 2
    listed = shared.client.get("/documents").json()["documents"]
    assert [d["source"] for d in listed] == ["manual/filter.html", "manual/valve.html"]


def test_a_sent_document_is_found_replaced_and_removed(service: Service, library: Library) -> None:
    def send(text: str) -> dict[str, int]:
        sent = {"file": ("notes.md", f"# Notes\n\n{text}".encode())}
        reply = service.client.post("/documents", params={"wait": 20}, files=sent)
        assert reply.status_code == 200, reply.text
        report: dict[str, int] = reply.json()["jobs"][0]["report"]
        return report

    assert send("The lamp is violet.")["added"] == 1
    assert send("The lamp is violet.")["unchanged"] == 1
    assert send("The lamp is orange.")["updated"] == 1
    (hit,) = service.client.post("/search", json={"query": {"texts": ["orange lamp"]}, "k": 1}).json()["hits"]
    assert hit["passage"].endswith("The lamp is orange.")
    kept = library.folder / "uploads/notes.md"
    assert kept.is_file()
    assert service.client.delete(f"/documents/{hit['document_id']}").json() == {"removed": 1}
    assert not kept.exists()
    assert service.client.delete(f"/documents/{hit['document_id']}").status_code == 404
    assert service.client.get("/status").json()["documents"] == 2


def test_a_broken_file_is_reported_and_not_kept(service: Service, library: Library) -> None:
    good = ("file", ("good.md", b"# Good\n\nA violet lamp."))
    bad = ("file", ("bad.png", b"this is no picture"))
    reply = service.client.post("/documents", params={"wait": 20}, files=[bad, good])
    failed, added = reply.json()["jobs"]
    assert reply.status_code == 200
    assert (failed["state"], added["state"]) == ("failed", "added")
    assert failed["reason"]
    assert failed["remedy"]
    assert added["report"]["added"] == 1
    assert [f.name for f in (library.folder / "uploads").iterdir()] == ["good.md"]
    reply = service.client.post("/documents", params={"wait": 20}, files=[bad])
    assert (reply.status_code, reply.json()["kind"]) == (422, "NotAdded")
    assert reply.json()["detail"].startswith("bad.png: ")


def test_a_broken_replacement_leaves_the_old_document(service: Service, library: Library) -> None:
    for data, status in ((drawn("green"), 200), (b"broken", 422)):
        sent = {"file": ("lamp.png", data)}
        assert service.client.post("/documents", params={"wait": 20}, files=sent).status_code == status
    assert (library.folder / "uploads/lamp.png").read_bytes() == drawn("green")
    assert service.client.get("/status").json()["documents"] == 3


@pytest.mark.parametrize("target", ["*", ".", "%2e", "%2A", "manual", "manual%2Fvalve.html", "0" * 16])
def test_only_a_stored_id_removes(service: Service, target: str) -> None:
    service.client.delete(f"/documents/{target}")
    assert service.client.get("/status").json()["documents"] == 2


def test_many_at_once_get_their_own_answers(shared: Service) -> None:
    asked = ["rinse the basket", "safety valve"] * 8

    def ask(text: str) -> str:
        return titles(shared.client.post("/search", json={"query": {"texts": [text]}, "k": 1}))[0]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, asked)) == ["The filter", "The valve"] * 8


def test_what_goes_wrong_inside_stays_inside(library: Library, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(library, token=TOKEN)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret detail")

    with running(app) as service:
        reply = service.client.get("/broken")
    assert reply.status_code == 500
    assert reply.json()["kind"] == "InternalError"
    assert "secret" not in reply.text
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "secret detail" in caplog.text


def test_a_library_that_was_emptied_beneath_is_said_plainly(service: Service, library: Library) -> None:
    (hit,) = service.client.post("/search", json={"query": {"texts": ["valve"]}, "k": 1}).json()["hits"]
    for file in (library.folder / "pictures").glob("*/*"):
        file.unlink()
    reply = service.client.get(hit["picture"])
    assert (reply.status_code, reply.json()["kind"]) == (404, "NotFound")


def test_a_stored_path_outside_the_library_is_not_served(
    service: Service, library: Library, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes(drawn("red"))
    inside = next((library.folder / "pictures").glob("*/*.png"))
    inside.unlink()
    inside.symlink_to(outside)
    hits = service.client.post("/search", json={"query": {"texts": ["the"]}}).json()["hits"]
    (address,) = [hit["picture"] for hit in hits if inside.stem in hit["picture"]]
    assert service.client.get(address).status_code == 404
