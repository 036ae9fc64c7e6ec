"""Every address answers what it says, to those who may ask it: listings, parts, numbers, jobs, counters."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import anyio
import httpx
import lancedb
import pytest
from tests.helpers.tiny_encoder import TinyEncoder
from tests.serve.conftest import TOKEN, Service, app_of, drawn, running

from plait.library import Library
from plait.schema import Query, SearchRequest
from plait.serve.keys import Keys
from plait.serve.models.requests import OptionsForm, QueryForm

GLOB = {"field": "title", "operator": "glob", "value": "*valve*"}


def said(reply: httpx.Response, status: int = 200) -> Any:
    assert reply.status_code == status, reply.text
    return reply.json()


@pytest.fixture(scope="module")
def ids(shared: Service) -> dict[str, str]:
    """Return title -> id of the two documents."""
    return {d["title"]: d["id"] for d in said(shared.client.get("/documents"))["documents"]}


def ask(service: Service, **request: Any) -> Any:
    return said(service.client.post("/search", json=request))


def sent(request: Any, *images: bytes, **fields: str) -> list[tuple[str, Any]]:
    """Return the fields of a form that holds a request and the images it names."""
    words = {"request": json.dumps(request), **fields}
    texts = [(name, (None, text)) for name, text in words.items()]
    return [*texts, *(("image", (f"{place}.png", image)) for place, image in enumerate(images))]


# Documents and what they consist of


def test_documents_come_page_by_page_while_others_come_and_go(service: Service, library: Library) -> None:
    first = said(service.client.get("/documents?limit=1"))
    assert [d["source"] for d in first["documents"]] == ["manual/filter.html"]
    assert first["total"] == 2
    library.remove([first["documents"][0]["id"]])
    (library.folder.parent / "manual/zinc.md").write_text("# Zinc\n\nA metal.")
    library.add([library.folder.parent / "manual/zinc.md"])
    rest = said(service.client.get("/documents", params={"after": first["next"]}))
    assert [d["source"] for d in rest["documents"]] == ["manual/valve.html", "manual/zinc.md"]
    assert rest["next"] == ""


def test_documents_are_filtered_and_found_one_by_one(shared: Service, ids: dict[str, str]) -> None:
    listed = said(shared.client.get("/documents", params={"filters": json.dumps([GLOB])}))
    assert ([d["title"] for d in listed["documents"]], listed["total"]) == (["The valve"], 1)
    assert said(shared.client.get(f"/documents/{ids['The valve']}")) == listed["documents"][0]
    assert said(shared.client.get("/documents/nobody"), 404)["kind"] == "NotFound"


def test_a_unit_is_shown_with_its_neighbours_and_pictures(shared: Service, ids: dict[str, str]) -> None:
    name = f"{ids['The valve']}:0"
    unit = said(shared.client.get(f"/units/{name}"))
    assert [p["text"] for p in unit["passages"]] == ["Close the safety valve before you open the boiler."]
    assert (unit["id"], unit["title"], unit["previous"], unit["next"]) == (name, "The valve", "", "")
    assert unit["source"] == "manual/valve.html"
    (figure,) = unit["figures"]
    assert figure["caption"] == "A valve"
    assert shared.client.get(figure["picture"]).content == drawn("brown")
    assert shared.client.get(f"/units/{name}/picture").content == drawn("brown")


def test_a_unit_has_its_neighbours_also_where_one_was_lost(service: Service, library: Library) -> None:
    paragraphs = "".join(f"# Part {n}\n\nThe lamp number {n} is violet.\n\n" for n in range(5))
    (library.folder.parent / "long.md").write_text(paragraphs)
    library.add([library.folder.parent / "long.md"])
    (hit,) = ask(service, query={"texts": ["lamp number 3"]}, k=1)["hits"]
    document = hit["document_id"]
    unit = said(service.client.get(f"/units/{document}:3"))
    assert (unit["previous"], unit["next"]) == (f"{document}:2", f"{document}:4")
    store = lancedb.connect(library.folder / "store").open_table("units")
    store.delete(f"id = '{document}:1'")
    unit = said(service.client.get(f"/units/{document}:3"))
    assert (unit["id"], unit["previous"], unit["next"]) == (f"{document}:3", f"{document}:2", f"{document}:4")
    assert said(service.client.get(f"/units/{document}:2"))["previous"] == f"{document}:0"
    assert said(service.client.get(f"/units/{document}:1"), 404)


def test_parts_are_listed_by_kind_and_page(shared: Service, ids: dict[str, str]) -> None:
    document = ids["The valve"]
    address = f"/documents/{document}/parts"
    every = said(shared.client.get(address))
    assert [p["id"] for p in every["parts"]] == [document] + [
        f"{document}:0{end}" for end in ("", ".p0", ".f0")
    ]
    page = said(shared.client.get(address, params={"limit": 3}))
    rest = said(shared.client.get(address, params={"limit": 3, "after": page["next"]}))
    assert page["parts"] + rest["parts"] == every["parts"]
    (figure,) = said(shared.client.get(address, params={"kind": "figure"}))["parts"]
    assert figure["text"] == "A valve"
    assert said(shared.client.get(f"/parts/{figure['id']}")) == figure
    assert shared.client.get(figure["picture"]).content == drawn("brown")
    assert said(shared.client.get(address, params={"after": "x"}), 400)["kind"] == "InputError"
    assert said(shared.client.get("/documents/nobody/parts"), 404)


# Numbers


def test_numbers_are_exact(shared: Service) -> None:
    client = shared.client
    assert said(client.post("/count", json={})) == {"documents": 2, "units": 2}
    assert said(client.post("/count", json={"filters": [GLOB]})) == {"documents": 1, "units": 1}
    (facet,) = said(client.post("/facets", json={"fields": ["title"], "filters": []}))["facets"]
    assert facet["counts"] == [
        {"value": "The filter", "units": 1, "documents": 1},
        {"value": "The valve", "units": 1, "documents": 1},
    ]
    told = {f["name"]: (f["kind"], f["values"]) for f in said(client.get("/fields"))["fields"]}
    assert told["title"] == ("text", 2)
    assert said(client.post("/facets", json={"fields": ["colour"]}), 400)["kind"] == "QueryError"


def test_the_counters_count(library: Library) -> None:
    with running(app_of(library)) as service:
        service.client.get("/documents")
        service.client.get("/documents/nobody")
        service.stranger.get("/documents")
        ask(service, query={"texts": ["valve"]})
        lines = service.client.get("/metrics").text.splitlines()
    assert 'plait_requests_total{method="GET",route="/documents",status="200"} 1.0' in lines
    assert 'plait_requests_total{method="GET",route="/documents/{document_id}",status="404"} 1.0' in lines
    assert 'plait_requests_total{method="GET",route="other",status="401"} 1.0' in lines
    assert 'plait_request_seconds_count{method="POST",route="/search"} 1.0' in lines
    assert {"plait_documents 2.0", "plait_units 2.0", "plait_searches_in_flight 0.0"} <= set(lines)
    assert 'plait_jobs{state="waiting"} 0.0' in lines
    assert any(line.startswith("plait_process_resident_memory_bytes ") for line in lines)


# Asking


def test_a_request_and_its_pictures_come_as_a_form(shared: Service) -> None:
    brown, blue = drawn("brown"), drawn("blue", "JPEG")
    weights = {
        "image_weights": [1, -0.5],
        "image_boxes": [{"left": 0, "top": 0, "right": 0.5, "bottom": 1}, None],
    }
    as_form = {"query": {"images": [{"upload": 1}, {"upload": 0}], **weights}, "k": 2}
    encoded = [{"base64": base64.b64encode(image).decode()} for image in (brown, blue)]
    as_json = {"query": {"images": encoded, **weights}, "k": 2}
    formed = said(shared.client.post("/search", files=sent(as_form, blue, brown)))
    assert formed["hits"] == ask(shared, **as_json)["hits"]
    assert formed["hits"][0]["title"] == "The valve"


@pytest.mark.parametrize("named", [[], [{"upload": 1}], [{"upload": 0}, {"upload": 0}], [{"upload": -1}]])
def test_files_and_images_that_do_not_fit_are_refused(shared: Service, named: list[Any]) -> None:
    request = {"query": {"texts": ["valve"], "images": named}}
    assert said(shared.client.post("/search", files=sent(request, drawn("blue"))), 400)


def test_what_a_form_holds_besides_is_refused(shared: Service) -> None:
    request = {"query": {"texts": ["valve"]}}
    for more in ({"text": "basket"}, {"id": "D:0"}):
        assert said(shared.client.post("/search", files=sent(request, **more)), 400)["kind"] == "InputError"
    twice = [*sent(request), *sent(request)]
    assert "once" in said(shared.client.post("/search", files=twice), 400)["detail"]
    assert said(shared.client.post("/search", files={"text": ("a.png", drawn("blue"))}), 400)


def test_pages_of_an_answer_go_on_where_the_one_before_ended(shared: Service) -> None:
    whole = ask(shared, query={"texts": ["the"]}, distant=True)
    first = ask(shared, query={"texts": ["the"]}, distant=True, k=1)
    second = ask(shared, query={"texts": ["the"]}, distant=True, k=1, cursor=first["next_cursor"])
    assert [h["id"] for h in first["hits"] + second["hits"]] == [h["id"] for h in whole["hits"]]
    assert [h["rank"] for h in second["hits"]] == [2]


def test_facets_come_with_the_hits(shared: Service) -> None:
    found = ask(shared, query={"texts": ["valve"], "filters": [GLOB]}, facets=["title", "type"])
    assert [(f["field"], len(f["counts"])) for f in found["facets"]] == [("title", 2), ("type", 1)]


def test_more_like_a_hit_is_found(shared: Service, ids: dict[str, str]) -> None:
    liked = f"{ids['The valve']}:0.f0"
    found = said(shared.client.post("/similar", json={"id": liked, "distant": True}))
    asked = ask(shared, query={"like": [liked]}, distant=True)
    assert [h["id"] for h in found["hits"]] == [h["id"] for h in asked["hits"]] != []
    other = {"field": "title", "operator": "!=", "value": "The filter"}
    only = said(shared.client.post("/similar", json={"id": liked, "filters": [other], "distant": True}))
    assert "The filter" not in [h["title"] for h in only["hits"]]
    assert said(shared.client.post("/similar", json={"id": "nobody:0"}), 400)["kind"] == "QueryError"


def test_a_hit_is_explained_as_json_and_as_a_form(shared: Service, ids: dict[str, str]) -> None:
    brown = drawn("brown")
    words = {"texts": ["safety valve"], "images": [{"base64": base64.b64encode(brown).decode()}]}
    hit = f"{ids['The valve']}:0"
    as_json = said(shared.client.post("/explain", json={"request": {"query": words}, "id": hit}))
    request = {"query": {"texts": ["safety valve"], "images": [{"upload": 0}]}}
    assert said(shared.client.post("/explain", files=sent(request, brown, id=hit))) == as_json
    assert as_json["id"] == hit
    assert [word["text"] for word in as_json["words"] if word["by"] == "word"] == ["safety", "valve"]
    assert set(as_json["parts"]) == {"text 1", "image 1"}
    pictured = {"request": {"query": {"images": words["images"]}}, "id": hit}
    heat = said(shared.client.post("/explain", json=pictured))["heat"]
    assert heat is None or shared.client.get(heat["picture"]).content == brown
    whole = {"request": {"query": {"texts": ["valve"]}, "kind": "document"}, "id": ids["The valve"]}
    assert said(shared.client.post("/explain", json=whole))["page_picture"] is None
    nobody = {"request": {"query": {"texts": ["valve"]}}, "id": "nobody:0"}
    assert said(shared.client.post("/explain", json=nobody), 400)["kind"] in ("InputError", "QueryError")


# Jobs


def test_a_sent_file_is_a_job_until_it_is_forgotten(service: Service) -> None:
    client = service.client
    (job,) = said(client.post("/documents", files={"file": ("a.md", b"# A\n\nA lamp.")}), 202)["jobs"]
    while (job := said(client.get(f"/jobs/{job['id']}")))["state"] in ("waiting", "adding"):
        threading.Event().wait(0.02)
    assert (job["state"], job["source"]) == ("added", ".plait/uploads/a.md")
    assert said(client.get("/jobs", params={"state": "added"}))["jobs"] == [job]
    assert said(client.get("/jobs", params={"state": "failed"}))["jobs"] == []
    assert said(client.get("/status"))["jobs"]["added"] == 1
    assert said(client.delete(f"/jobs/{job['id']}")) == {"cancelled": True}
    assert said(client.delete(f"/jobs/{job['id']}"), 404)
    assert said(client.get(f"/jobs/{job['id']}"), 404)
    assert said(client.post("/count", json={}))["documents"] == 3


def test_nothing_is_kept_of_a_form_that_is_refused(service: Service) -> None:
    good, nameless = ("file", ("a.md", b"# A")), ("file", ("noextension", b"# B"))
    for files in ([good, nameless], [good, ("other", ("b.md", b"# B"))], [("file", (None, "# A"))]):
        assert said(service.client.post("/documents", files=files), 400)
    assert said(service.client.get("/jobs"))["jobs"] == []


# Who may


RIGHTS = {
    "search": [
        ("GET", "/status"),
        ("GET", "/fields"),
        ("GET", "/documents"),
        ("GET", "/documents/D"),
        ("GET", "/documents/D/parts"),
        ("GET", "/parts/D"),
        ("GET", "/units/D:0"),
        ("GET", "/units/D:0/page"),
        ("GET", "/units/D:0/picture"),
        ("POST", "/search"),
        ("POST", "/similar"),
        ("POST", "/explain"),
        ("POST", "/answer"),
        ("POST", "/count"),
        ("POST", "/facets"),
        ("POST", "/feedback"),
    ],
    "add": [("POST", "/documents"), ("GET", "/jobs"), ("GET", "/jobs/x"), ("DELETE", "/jobs/x")],
    "remove": [("DELETE", "/documents/D")],
    "admin": [("GET", "/metrics")],
}


@pytest.fixture(scope="module")
def keyed(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, dict[str, str]]]:
    """A service, and a key for each right alone."""
    copy = tmp_path_factory.mktemp("keyed") / "shelf"
    shutil.copytree(shelf, copy)
    with Library(copy, encoder=TinyEncoder()) as opened:
        keys = {right: Keys(opened.folder).add(right, [right]) for right in RIGHTS}
        with running(app_of(opened)) as started:
            yield started, keys


@pytest.mark.parametrize("right", RIGHTS)
def test_each_address_takes_a_key_of_its_right_alone(
    keyed: tuple[Service, dict[str, str]], right: str
) -> None:
    service, keys = keyed
    for needed, routes in RIGHTS.items():
        for method, path in routes:
            headers = {"Authorization": f"Bearer {keys[right]}"}
            status = service.stranger.request(method, path, headers=headers).status_code
            assert (status == 403) == (needed != right), (method, path, status)


def test_every_address_stands_in_the_table_of_rights(shared: Service) -> None:
    told = said(shared.client.get("/openapi.json"))["paths"]
    described = {(method.upper(), path) for path, all in told.items() for method in all}
    tried = {(method, path) for routes in RIGHTS.values() for method, path in routes}
    assert len(described - {("GET", "/health")}) == len(tried)


def test_only_who_may_manage_sees_where_the_library_lies(keyed: tuple[Service, dict[str, str]]) -> None:
    service, keys = keyed
    assert said(service.client.get("/status"))["folder"]
    reply = said(service.stranger.get("/status", headers={"Authorization": f"Bearer {keys['search']}"}))
    assert reply["folder"] == ""
    assert reply["caller"] == {"name": "search", "tenant": "", "rights": ["search"]}


# What must not be asked


def query(**fields: Any) -> dict[str, Any]:
    return {"query": {"texts": ["valve"], **fields}}


EQUAL = {"field": "title", "value": "x"}
TOO_MUCH = [
    {"query": {"texts": ["a"] * 17}},
    {"query": {"texts": ["a" * 20_001]}},
    query(like=["D"] * 17),
    query(like=["D" * 501]),
    query(images=[{"base64": ""}] * 17),
    query(filters=[EQUAL] * 33),
    query(filters=[{"field": "title", "value": ["x"] * 1001}]),
    query(filters=[{"field": "title", "value": "x" * 2001}]),
    query(filters=[{"field": "page", "operator": "<", "value": 10**400}]),
    query(filters=[{"field": "x" * 201, "value": 1}]),
    query(text_weights=[101]),
    query(text_weights=[1e308]),
    {**query(), "k": 201},
    {**query(), "depth": 1001},
    {**query(), "facets": ["title"] * 17},
    {**query(), "lanes": ["text"] * 17},
    {**query(), "rerank": ["x"] * 17},
    {**query(), "weights": {"text": 101}},
    {**query(), "per_group": {f"f{n}": 1 for n in range(9)}},
    {**query(), "cursor": "x" * 200_001},
]
WRONG = [
    {**query(), "k": "10"},
    {**query(), "k": 1.5},
    {**query(), "kind": "book"},
    {**query(), "kind": ["page"]},
    {**query(), "weights": {"text": -1}},
    {**query(), "weights": ["text"]},
    {**query(), "recall": 0},
    {**query(), "per_group": {"document": 0}},
    {**query(), "facets": "title"},
    {**query(), "fold": 1},
    {**query(), "distant": None},
    {**query(), "cursor": "made up"},
    {**query(), "cursor": "AA=="},
    {**query(), "tenant": "other"},
    query(image_boxes=[None]),
    query(like=[7]),
    query(like=["../../etc/passwd"]),
    query(like=["\x00"]),
    query(filters=[{"field": "title", "operator": "<", "value": ["a", "b"]}]),
    query(filters=[{"field": "title", "operator": "regex", "value": "(a+)+$"}]),
    query(filters=[{"field": "nothing", "value": "x"}]),
    query(filters=[{**EQUAL, "sql": "1=1"}]),
    {"query": {"images": [{"upload": 0}]}},
]


@pytest.mark.parametrize("body", TOO_MUCH + WRONG, ids=lambda body: json.dumps(body)[:50])
def test_too_much_and_what_makes_no_sense_are_refused(shared: Service, body: dict[str, Any]) -> None:
    reply = shared.client.post("/search", json=body)
    assert set(said(reply, 400)) == {"type", "title", "status", "detail", "kind"}
    assert reply.headers["content-type"] == "application/problem+json"
    assert len(reply.content) < 2000
    assert said(shared.client.post("/explain", json={"request": body, "id": "D:0"}), 400)


HOSTILE = (
    b'{"query": {"texts": ["\\ud800"]}}',
    b'{"query": {"texts": ["\xff\xfe"]}}',
    b'{"query": {"texts": [' + b"[" * 3000 + b"]}}",
    b'{"query": {"texts": ["a"], "filters": [{"field": "page", "value": 1e999}]}}',
    b'{"query": {"texts": ["a"]}, "k": ' + b"9" * 5000 + b"}",
    b'{"__proto__": {"admin": true}, "query": {"texts": ["a"]}}',
    b"\x00",
    b"\xef\xbb\xbf{}",
)


@pytest.mark.parametrize(
    "path", ["/search", "/similar", "/explain", "/answer", "/count", "/facets", "/feedback"]
)
def test_what_is_hostile_is_refused_everywhere(shared: Service, path: str) -> None:
    for body in (b"", b"null", b"[]", b'"x"', b'{"unknown": 1}', *HOSTILE):
        reply = shared.client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert said(reply, 400)["kind"] in ("InputError", "QueryError"), body[:40]
    for kind in (
        "multipart/form-data",
        "multipart/form-data; boundary=b",
        "text/xml",
        "application/json;x=" * 99,
    ):
        reply = shared.client.post(path, content=b"--b\r\nx", headers={"Content-Type": kind})
        assert reply.status_code == 400, (kind, reply.text)


def test_words_that_are_only_strange_are_answered(shared: Service) -> None:
    strange = ["\x00", "\u202e", "'; DROP TABLE units; --", "<script>", "🙂" * 500, "\n", "a\u0300" * 300]
    for text in strange:
        assert shared.client.post("/search", json={"query": {"texts": [f"valve {text}"]}}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/documents?limit=0", 400),
        ("/documents?limit=501", 400),
        ("/documents?limit=x", 400),
        ("/documents?after=%00", 400),
        ("/documents?after=W10=", 400),
        ("/documents?after=" + "A" * 6001, 400),
        ("/documents?filters=x", 400),
        ("/documents?filters={}", 400),
        ("/documents?filters=[7]", 400),
        ("/documents?tenant=other", 400),
        ("/documents/D/parts?kind=chapter", 400),
        ("/documents/" + "D" * 501, 400),
        ("/documents/%00", 404),
        ("/parts/..%2f..%2fetc", 404),
        ("/parts/%00", 404),
        ("/units/D:99999999999999999999", 404),
        ("/units/D:-1", 404),
        ("/units/D:%D9%A1", 404),
        ("/units/:/picture?sha256=" + "a" * 65, 400),
        ("/jobs?state=lost", 400),
        ("/jobs?limit=1001", 400),
        ("/jobs/%27%20OR%201=1", 404),
        ("/status?verbose=1", 400),
        ("/nothing", 404),
    ],
)
def test_made_up_addresses_are_refused(shared: Service, path: str, status: int) -> None:
    assert said(shared.client.get(path), status)["status"] == status


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "soon"])
def test_nobody_waits_for_ever(shared: Service, wait: str) -> None:
    assert said(shared.client.post("/documents", params={"wait": wait}, files={"file": ("a.md", b"x")}), 400)


def test_a_method_that_an_address_does_not_take_is_told_those_it_does(shared: Service) -> None:
    reply = shared.client.put("/documents")
    assert said(reply, 405)["kind"] == "MethodNotAllowed"
    assert reply.headers["allow"] == "GET, POST"


def test_work_for_a_client_that_went_away_ends(library: Library) -> None:
    app, began, ended = app_of(library), threading.Event(), threading.Event()

    @app.post("/wait")
    async def wait() -> None:
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    with running(app) as service, socket.create_connection(("127.0.0.1", service.port)) as connection:
        head = f"POST /wait HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
        connection.sendall(f"{head}Content-Length: 2\r\n\r\n{{}}".encode())
        assert began.wait(10)
        connection.close()
        assert ended.wait(10)


def test_the_forms_have_every_field_of_what_they_stand_for() -> None:
    for form, kind in ((OptionsForm, SearchRequest), (QueryForm, Query)):
        given = {f.name: f for f in fields(kind) if f.name != "query"}  # type: ignore[arg-type]
        assert set(form.model_fields) == set(given)
        for name, field in form.model_fields.items():
            default = given[name].default if given[name].default is not MISSING else {}
            assert (list(default) if isinstance(default, tuple) else default) == field.default, name
