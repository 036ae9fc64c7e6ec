"""A tenant is told exactly what a service would tell whose library holds nothing but the tenant's files.

Every route's answer is compared, byte by byte, with that of such a service, while two others with the same
files, and files nearly the same, come and go beside the tenant.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx
import pytest
from fastapi import FastAPI
from PIL import Image, ImageDraw
from tests.helpers.tiny_encoder import TinyEncoder
from tests.serve.conftest import Service, app_of, drawn, running
from tests.serve.test_guard import every_route

from plait.library import Library
from plait.serve.keys import Keys
from plait.serve.routes.pages import PAGES
from plait.serve.shelves import Shelves, tenant_folder, tenants

# What differs though nothing leaks: how long it took; ids of jobs, which are drawn by lot, and their times;
# how the key and its tenant are called; and the size on disk, for names and times of files are in it.
DIFFERS = re.compile(
    rb'(?<="seconds":)[\d.e-]+|(?<="id":)"[0-9a-f]{16}"(?=,"name")|(?<="started":)"[\dT:.Z+-]+"|(?<="created":)"[\dT:.Z+-]+"|'
    rb'(?<="ended":)"[\dT:.Z+-]+"|(?<="caller":){[^}]*}|(?<="bytes_on_disk":)\d+'
)


def fill(folder: Path, *files: tuple[str, bytes]) -> None:
    """Make a library of files that were sent to it; quicker than sending them."""
    uploads = folder / "uploads"
    uploads.mkdir(parents=True)
    for name, data in files:
        (uploads / name).write_bytes(data)
    with Library(folder, encoder=TinyEncoder()) as library:
        assert library.add([uploads], hidden=True).added == len(files)


def page(name: str, *sentences: str, color: str = "brown") -> tuple[str, bytes]:
    picture = base64.b64encode(drawn(color)).decode()
    text = "".join(f"<p>{sentence}</p>" for sentence in sentences)
    return f"{name}.html", (
        f'<html><head><title>The {name}</title><meta name="author" content="{name}"></head><body>'
        f'<h1>The {name}</h1>{text}<figure><img src="data:image/png;base64,{picture}" alt="">'
        f"<figcaption>A {name}</figcaption></figure></body></html>"
    ).encode()


def scan(name: str, color: str) -> tuple[str, bytes]:
    image = Image.open(io.BytesIO(drawn(color))).convert("RGB")
    ImageDraw.Draw(image).text((10, 10), name, fill="black")
    data = io.BytesIO()
    image.save(data, "PDF")
    return f"{name}.pdf", data.getvalue()


VALVE = "Close the safety valve before you open the boiler, and wait until the pressure has gone."
SAME = page("valve", VALVE, "Never hit the valve.")
MINE = [SAME, page("near", VALVE, "Wear gloves."), page("filter", "Rinse the filter once a week.")]
SCAN = scan("plan", "blue")
NEAR = page("near", VALVE, "Wear thick gloves.", color="green")
SECRET = page("secret", "The formula of the boiler is secret.", VALVE)
OWNERS = [SAME, page("ledger", "What the boiler cost, and the valve.", VALVE, color="red")]


@dataclass
class Side:
    """Somebody with a key to a service."""

    client: httpx.Client

    def add(self, *files: tuple[str, bytes]) -> None:
        reply = self.client.post("/documents?wait=60", files=[("file", file) for file in files])
        assert reply.status_code == 200, reply.text

    def documents(self) -> dict[str, str]:
        """Return the ids of documents by their titles."""
        return {one["title"]: one["id"] for one in self.client.get("/documents").json()["documents"]}

    def search(self, **request: object) -> dict[str, object]:
        found = self.client.post("/search", json={"query": {"texts": ["safety valve"]}, **request}).json()
        assert isinstance(found, dict)
        return found

    def units(self) -> list[str]:
        return [f"{document}:0" for document in self.documents().values()]

    def jobs(self) -> list[str]:
        return [job["id"] for job in self.client.get("/jobs").json()["jobs"]]


@dataclass
class Sides:
    """The tenant under test, another one, the owner of all, and the tenant's equal in a house of its own."""

    mine: Side
    theirs: Side
    owner: Side
    alone: Side
    routes: set[tuple[str, str]]


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    shared, own = (tmp_path_factory.mktemp(name) / ".plait" for name in ("shared", "own"))
    fill(shared, *OWNERS)
    fill(tenant_folder(shared, "mine"), *MINE)
    fill(own, *MINE)
    with ExitStack() as stack:

        def started(folder: Path) -> tuple[FastAPI, Service]:
            app = app_of(stack.enter_context(Library(folder, encoder=TinyEncoder())))
            return app, stack.enter_context(running(app))

        def side(service: Service, folder: Path, tenant: str) -> Side:
            key = Keys(folder).add(f"key-{tenant}", ["search", "add", "remove"], tenant=tenant)
            bearer = {"Authorization": f"Bearer {key}"}
            client = httpx.Client(base_url=service.url, headers=bearer, trust_env=False, timeout=60)
            return Side(stack.enter_context(client))

        app, house = started(shared)
        _, alone = started(own)
        sides = Sides(
            mine=side(house, shared, "mine"),
            theirs=side(house, shared, "theirs"),
            owner=Side(house.client),
            alone=side(alone, own, ""),
            routes={route for route in every_route(app.routes) if route[1] not in PAGES},
        )
        sides.mine.add(SCAN)
        sides.alone.add(SCAN)
        yield sides


def asked(side: Side) -> dict[tuple[str, str], bytes]:
    """Return route -> what it answers, for every route there is, over all that the side holds."""
    client, said = side.client, dict[tuple[str, str], list[bytes]]()
    found = side.search(facets=["author"], k=1)
    unit, query = found["hits"][0]["unit_id"], {"texts": ["safety valve"]}  # type: ignore[index]

    def ask(method: str, template: str, address: str = "", **sent: object) -> None:
        reply = client.request(method, address or template, **sent)  # type: ignore[arg-type]
        told = f"{reply.status_code} {reply.headers['content-type']}\n".encode() + reply.content
        said.setdefault((method, template), []).append(DIFFERS.sub(b"...", told))

    picture = {"base64": base64.b64encode(drawn("brown")).decode()}
    for request in (
        {"query": query, "facets": ["author", "title"], "k": 10, "distant": True},
        {"query": {"texts": ["secret formula"]}},
        {"query": {"texts": ["valve"], "images": [picture]}, "fold": False},
        {"query": query, "k": 1, "cursor": found.get("next_cursor", "")},
        *({"query": query, "kind": kind} for kind in ("document", "page", "passage", "figure")),
        {"query": {**query, "filters": [{"field": "author", "operator": "eq", "value": "valve"}]}},
    ):
        ask("POST", "/search", json=request)
    for one in side.units():
        document = one.partition(":")[0]
        ask("POST", "/similar", json={"id": one})
        ask("POST", "/explain", json={"request": {"query": query}, "id": one})
        for method, template in (
            ("GET", "/documents/{document_id}"),
            ("GET", "/documents/{document_id}/parts"),
        ):
            ask(method, template, template.replace("{document_id}", document))
        for template in ("/units/{unit_id}", "/units/{unit_id}/picture", "/units/{unit_id}/page"):
            ask("GET", template, template.replace("{unit_id}", one))
        for part in (one, document, f"{one}.p0", f"{one}.f0"):
            ask("GET", "/parts/{part_id}", f"/parts/{part}")
    for job in side.jobs():
        ask("GET", "/jobs/{job_id}", f"/jobs/{job}")
        ask("DELETE", "/jobs/{job_id}", "/jobs/0123456789abcdef")
    ask("POST", "/answer", json={"query": query})
    ask("POST", "/feedback", json={"query": found["query_id"], "unit": unit, "grade": 2, "rank": 1})
    ask("POST", "/count", json={"filters": []})
    ask("POST", "/facets", json={"fields": ["author"], "filters": []})
    ask("GET", "/documents")
    ask("GET", "/documents", "/documents?limit=2")
    ask("POST", "/documents", "/documents", files=[("file", ("empty", b""))])
    ask("DELETE", "/documents/{document_id}", "/documents/0123456789abcdef")
    for template in ("/fields", "/jobs", "/health", "/openapi.json", "/metrics", "/status"):
        ask("GET", template)
    return {route: b"\n".join(sorted(answers)) for route, answers in said.items()}


def test_every_answer_is_that_of_a_library_of_the_tenants_own(sides: Sides) -> None:
    alone = asked(sides.alone)
    assert set(alone) == sides.routes
    assert asked(sides.mine) == alone
    sides.theirs.add(SAME, NEAR, SECRET)
    assert asked(sides.mine) == alone
    for document in sides.theirs.documents().values():
        assert sides.theirs.client.delete(f"/documents/{document}").json() == {"removed": 1}
    sides.owner.add(NEAR)
    assert asked(sides.mine) == alone


def test_the_answers_compared_are_answers(sides: Sides) -> None:
    """What is refused on both sides alike would prove nothing."""
    unanswered = {route for route, answer in asked(sides.mine).items() if b"200 " not in answer}
    assert unanswered == {
        ("GET", "/metrics"),  # the owner's alone
        ("DELETE", "/jobs/{job_id}"),  # asked for what is not there, so that it can be asked again
        ("DELETE", "/documents/{document_id}"),
        ("POST", "/documents"),
    }


def test_an_id_of_another_is_an_id_that_never_was(sides: Sides) -> None:
    sides.theirs.add(SECRET)
    document = sides.theirs.documents()["The secret"]
    assert document not in sides.mine.documents().values()
    never = f"{document[:-1]}{'0' if document[-1] != '0' else '1'}"
    job, unknown = sides.theirs.jobs()[0], "0" * 16
    query = str(sides.theirs.search(query={"texts": ["only they ask this"]})["query_id"])

    def told(method: str, address: str, id: str, body: object = None) -> tuple[int, bytes]:
        sent = json.loads(json.dumps(body).replace("ID", id))
        reply = sides.mine.client.request(method, address.replace("ID", id), json=sent)
        return reply.status_code, reply.content.replace(id.encode(), b"ID")

    ask = {"texts": ["valve"]}
    for method, address, foreign, none, body in (
        ("GET", "/documents/ID", document, never, None),
        ("GET", "/documents/ID/parts", document, never, None),
        ("DELETE", "/documents/ID", document, never, None),
        ("GET", "/units/ID:0", document, never, None),
        ("GET", "/units/ID:0/picture", document, never, None),
        ("GET", "/units/ID:0/page", document, never, None),
        ("GET", "/parts/ID:0.f0", document, never, None),
        ("GET", "/jobs/ID", job, unknown, None),
        ("DELETE", "/jobs/ID", job, unknown, None),
        ("POST", "/similar", document, never, {"id": "ID:0"}),
        ("POST", "/explain", document, never, {"request": {"query": ask}, "id": "ID:0"}),
        ("POST", "/search", document, never, {"query": {"like": ["ID:0.f0"]}}),
        ("POST", "/feedback", query, unknown, {"query": "ID", "unit": "x:0", "grade": 1}),
    ):
        answer = told(method, address, foreign, body)
        assert answer == told(method, address, none, body)
        assert answer[0] in (400, 404)
    assert "The secret" in sides.theirs.documents()
    assert job in sides.theirs.jobs()


def test_two_tenants_have_the_same_document_each_for_itself(sides: Sides) -> None:
    before = sides.owner.documents()
    sides.theirs.add(SAME)
    mine = sides.mine.documents()
    assert mine["The valve"] == sides.theirs.documents()["The valve"] == before["The valve"]
    assert sides.theirs.client.delete(f"/documents/{mine['The valve']}").json() == {"removed": 1}
    assert sides.mine.documents() == mine
    assert sides.owner.documents() == before
    assert sides.mine.client.get(f"/units/{mine['The valve']}:0/picture").status_code == 200


def test_the_cursor_of_another_leads_nowhere(sides: Sides) -> None:
    cursor = sides.owner.search(k=1, fold=False)["next_cursor"]
    assert cursor
    reply = sides.mine.client.post(
        "/search", json={"query": {"texts": ["safety valve"]}, "k": 1, "cursor": cursor}
    )
    assert "ledger" not in reply.text


@pytest.mark.parametrize("name", ["X-Tenant", "X-Plait-Tenant", "Tenant", "X-Forwarded-User"])
def test_no_request_names_a_tenant(sides: Sides, name: str) -> None:
    own = sides.mine.client.get("/documents")
    assert sides.mine.client.get("/documents", headers={name: "theirs"}).content == own.content
    assert sides.mine.client.get("/documents?tenant=theirs").status_code == 400


def test_idle_libraries_are_closed_and_those_in_use_are_not(tmp_path: Path) -> None:
    async def visits(shelves: Shelves) -> None:
        async with shelves.using("a") as used:
            for tenant in ("b", "c", "d"):
                async with shelves.using(tenant) as shelf:
                    assert shelf.library.documents() == []
                    assert shelf.library.folder == tenant_folder(tmp_path / ".plait", tenant)
            assert list(shelves._open) == ["a", "d"]
            async with shelves.using("a") as again:
                assert again is used
        async with shelves.using("b"):
            assert list(shelves._open) == ["b"]
        await shelves.close()
        assert not shelves._open

    with Library(tmp_path, encoder=TinyEncoder()) as library:
        anyio.run(visits, Shelves(library, most_open=1))
        assert tenants(library.folder) == ["a", "b", "c", "d"]


def test_many_first_requests_at_once_open_one_library(tmp_path: Path) -> None:
    async def visits(shelves: Shelves) -> None:
        seen = []

        async def visit() -> None:
            async with shelves.using("a") as shelf:
                seen.append(shelf)

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(visit)
        assert len(seen) == 20
        assert all(shelf is seen[0] for shelf in seen)
        await shelves.close()

    with Library(tmp_path, encoder=TinyEncoder()) as library:
        anyio.run(visits, Shelves(library))


def test_a_library_that_cannot_be_opened_is_its_tenants_trouble_alone(sides: Sides, tmp_path: Path) -> None:
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        broken = tenant_folder(library.folder, "broken")
        broken.mkdir(parents=True)
        (broken / "library.json").write_text("{")
        keys = Keys(library.folder)
        with running(app_of(library)) as service:
            for tenant, status in (("broken", 503), ("whole", 200)):
                bearer = {"Authorization": f"Bearer {keys.add(tenant, ['search'], tenant=tenant)}"}
                reply = service.stranger.get("/status", headers=bearer)
                assert reply.status_code == status
                assert str(tmp_path) not in reply.text
