"""What must not pass does not: other hosts, other pages, no token, too much, and paths of this machine."""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send
from tests.serve.conftest import TOKEN, Service, app_of, drawn, running

from plait.library import Library
from plait.serve import guard
from plait.serve.http import LOOPBACK, create_app
from plait.serve.keys import Keys
from plait.serve.limits import Limits
from plait.serve.routes.pages import PAGES
from plait.serve.shelves import Shelves

CLOSED = [
    ("GET", "/status"),
    ("GET", "/documents"),
    ("POST", "/documents"),
    ("DELETE", "/documents/x"),
    ("POST", "/search"),
    ("POST", "/answer"),
    ("GET", "/units/x/picture"),
    ("GET", "/units/x/page"),
    ("GET", "/nothing-here"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
]


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_without_the_token_nothing_of_the_library_is_told(shared: Service, method: str, path: str) -> None:
    for sent in (None, "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer", f"Bearer {TOKEN}x", "Bearer \xe4"):
        headers = {"Authorization": sent.encode("latin-1")} if sent else {}
        reply = shared.stranger.request(method, path, headers=headers)
        assert (reply.status_code, reply.json()["kind"]) == (401, "Unauthorized")


def test_the_page_and_health_need_no_token_and_tell_nothing(shared: Service) -> None:
    assert shared.stranger.get("/health").json() == {"ok": True}
    page = shared.stranger.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "valve" not in page.text
    assert TOKEN not in page.text + shared.stranger.get("/app.js").text


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example:80",
        "localhost@evil.example",
        "localhost/x",
        "",
        "[::1",
    ],
)
def test_a_name_that_is_not_ours_is_refused(shared: Service, host: str) -> None:
    """DNS rebinding: a page of evil.example whose name now points at 127.0.0.1."""
    for path in ("/", "/health", "/status"):
        assert shared.client.get(path, headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1234", "LOCALHOST", "[::1]:80"])
def test_our_own_names_are_answered(shared: Service, host: str) -> None:
    assert shared.client.get("/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"])
def test_other_pages_are_refused_even_with_the_token(shared: Service, origin: str) -> None:
    reply = shared.client.post("/search", json={"query": {"texts": ["x"]}}, headers={"Origin": origin})
    assert reply.status_code == 403
    assert "access-control-allow-origin" not in reply.headers


def test_our_own_page_is_answered(shared: Service) -> None:
    reply = shared.client.post("/search", json={"query": {"texts": ["x"]}}, headers={"Origin": shared.url})
    assert reply.status_code == 200


def test_our_own_page_behind_a_proxy_that_speaks_tls_is_answered(shared: Service) -> None:
    asked = {"Host": "localhost", "Origin": "https://localhost", "Sec-Fetch-Site": "same-origin"}
    assert shared.client.get("/status", headers=asked).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "CROSS-SITE", "", "sure"])
@pytest.mark.parametrize("path", ["/status", "/health", "/app.js", "/"])
def test_what_the_browser_says_another_page_sent_is_refused(shared: Service, path: str, site: str) -> None:
    """Another port of this machine is same-site: pages of other services there are not ours."""
    asked = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    reply = shared.client.get(path, headers=asked)
    assert (reply.status_code, reply.json()["kind"]) == (403, "WrongOrigin")


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_what_the_user_or_our_page_sent_is_answered(shared: Service, site: str) -> None:
    assert shared.client.get("/status", headers={"Sec-Fetch-Site": site}).status_code == 200


def test_a_link_may_lead_to_the_page_but_to_nothing_of_the_library(shared: Service) -> None:
    visit = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert shared.stranger.get("/", headers=visit).status_code == 200
    assert shared.client.get("/status", headers=visit).status_code == 403
    assert shared.client.get("/", headers={**visit, "Sec-Fetch-Dest": "iframe"}).status_code == 403


def test_a_preflight_gets_no_permission(shared: Service) -> None:
    reply = shared.client.options(
        "/search", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    )
    assert reply.status_code == 403
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/app.js", "/health", "/status", "/nothing", "/units/x/page"])
def test_every_answer_carries_the_headers(shared: Service, path: str) -> None:
    headers = shared.client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert ("sandbox" in policy) is (path not in ("/", "/app.js"))  # only our own files may do anything
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers or "uvicorn" in headers["server"]  # `plait serve` switches it off


def test_a_body_that_says_it_is_too_large_is_not_read(shared: Service) -> None:
    reply = shared.client.post(
        "/search", content=b"x" * 1_000_001, headers={"Content-Type": "application/json"}
    )
    assert (reply.status_code, reply.json()["kind"]) == (413, "TooLarge")


@pytest.mark.parametrize(
    ("path", "size", "kind"),
    [
        ("/search", 1_200_000, "application/json"),
        ("/search", 1_200_000, "multipart/form-data; boundary=b"),
        ("/documents", 2_200_000, "multipart/form-data; boundary=b"),
    ],
)
def test_a_body_of_untold_length_is_cut_off(shared: Service, path: str, size: int, kind: str) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.md"\r\n\r\n'
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        yield head
        while sent < size:
            sent += 50_000
            yield b"x" * 50_000
        yield b"\r\n--b--\r\n"

    reply = shared.client.post(path, content=chunks(), headers={"Content-Type": kind})
    assert reply.status_code == 413


def test_a_body_that_does_not_come_is_not_waited_for(library: Library) -> None:
    with running(app_of(library, body_grace_seconds=0.1)) as hasty:
        for path, kind in (
            ("/search", "application/json"),
            ("/documents", "multipart/form-data; boundary=b"),
        ):
            connection = begun(hasty, path, kind)
            reply = connection.getresponse()
            assert (reply.status, json.loads(reply.read())["kind"]) == (408, "TooSlow")
            connection.close()


def test_a_refused_body_is_answered_as_such_whatever_the_app_makes_of_it(library: Library) -> None:
    """FastAPI, for one, takes whatever is raised while it reads a body for a body that cannot be parsed."""

    async def swallowing(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            while (await receive())["more_body"]:
                pass
        except Exception:
            await PlainTextResponse("cannot be parsed", 400)(scope, receive, send)

    app = Starlette(
        routes=[Mount("/", swallowing)],
        middleware=[
            Middleware(
                guard.Guard, token=TOKEN, hosts=LOOPBACK, shelves=Shelves(library), limits=Limits(query_mb=1)
            )
        ],
    )
    with running(app) as small:
        reply = small.client.post("/x", content=(b" " * 100_000 for _ in range(20)))
    assert (reply.status_code, reply.json()["kind"]) == (413, "TooLarge")


def test_an_answer_that_leaves_a_body_unread_ends_the_connection(shared: Service) -> None:
    """The server would read on, as long as anything comes."""
    with socket.create_connection(("127.0.0.1", shared.port), timeout=5) as connection:
        connection.sendall(
            f"POST /documents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n".encode()
        )
        said = b"".join(iter(lambda: connection.recv(65536), b""))  # until the other side closes
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nconnection: close\r\n" in said.lower()


def test_a_body_that_drips_is_cut_off_and_one_that_flows_is_not(library: Library) -> None:
    def drops(count: int, size: int) -> Iterator[bytes]:
        for _ in range(count):
            yield b" " * size
            time.sleep(0.02)

    with running(app_of(library, body_grace_seconds=0.1, body_bytes_per_second=10_000)) as hasty:
        kind = {"Content-Type": "application/json"}
        assert hasty.client.post("/search", content=drops(20, 1), headers=kind).status_code == 408
        assert hasty.client.post("/search", content=drops(10, 1000), headers=kind).status_code == 400


def test_requests_in_flight_are_bounded_for_each_and_for_all(library: Library) -> None:
    key = Keys(library.folder).add("robot", ["search"])
    robot = {"Authorization": f"Bearer {key}"}
    with running(app_of(library, in_flight=2, in_flight_per_caller=1)) as small:
        first = begun(small, "/search", "application/json")
        busy = until(lambda: small.client.get("/status"), 429)
        assert busy.json()["kind"] == "TooMany"
        assert busy.headers["retry-after"].isdigit()
        second = begun(small, "/search", "application/json", key)
        assert until(lambda: small.stranger.get("/status", headers=robot), 429)
        with_all = Keys(library.folder).add("other", ["search"])
        full = small.stranger.get("/status", headers={"Authorization": f"Bearer {with_all}"})
        assert (full.status_code, full.json()["kind"]) == (503, "Busy")
        assert small.stranger.get("/health").status_code == 200
        first.close()
        second.close()
        assert until(lambda: small.client.get("/status"), 200)


def test_whoever_asks_too_often_waits_and_nobody_else_does(library: Library) -> None:
    key = Keys(library.folder).add("robot", ["search"])
    with running(app_of(library, requests_per_second=0.001, burst=2)) as small:
        robot = {"Authorization": f"Bearer {key}"}
        seen = [small.stranger.get("/status", headers=robot) for _ in range(3)]
        assert [reply.status_code for reply in seen] == [200, 200, 429]
        assert int(seen[2].headers["retry-after"]) > 900
        assert small.client.get("/status").status_code == 200


def test_guessing_is_slowed_down_but_shuts_out_nobody_who_knows(library: Library) -> None:
    with running(app_of(library, failures_per_second=0.001, failure_burst=3)) as small:
        guesses = [small.stranger.get("/status", headers={"Authorization": f"Bearer {n}"}) for n in range(5)]
        assert [reply.status_code for reply in guesses] == [401, 401, 401, 429, 429]
        assert int(guesses[4].headers["retry-after"]) > 900
        assert small.client.get("/status").status_code == 200


def test_a_key_may_do_what_it_was_made_for_until_it_is_removed(service: Service, library: Library) -> None:
    keys = Keys(library.folder)
    reader = {"Authorization": f"Bearer {keys.add('reader', ['search'])}"}
    writer = {"Authorization": f"Bearer {keys.add('writer', ['add', 'remove'])}"}
    asked = {"query": {"texts": ["valve"]}}
    assert service.stranger.post("/search", json=asked, headers=reader).status_code == 200
    assert service.stranger.delete("/documents/x", headers=reader).status_code == 403
    assert service.stranger.post("/search", json=asked, headers=writer).status_code == 403
    assert service.stranger.delete("/documents/x", headers=writer).status_code == 404
    keys.remove("reader")
    assert service.stranger.post("/search", json=asked, headers=reader).status_code == 401


def test_every_route_asks_for_a_right(library: Library) -> None:
    """A key that has none gets nothing, whatever routes there are."""
    secret = Keys(library.folder).add("nobody", ["search"])
    file = library.folder / "keys.json"
    file.write_text(file.read_text().replace('"search"', ""))
    app = app_of(library)
    routes = list(every_route(app.routes))
    known = {("POST", "/search"), ("POST", "/documents"), ("GET", "/metrics"), ("GET", "/jobs")}
    assert known <= set(routes)
    with running(app) as service:
        nobody = {"Authorization": f"Bearer {secret}"}
        for method, path in routes:
            address = re.sub(r"{[^}]*}", "x", path)
            reply = service.stranger.request(method, address, headers=nobody)
            if address in {*PAGES, "/health", "/openapi.json"}:
                assert reply.status_code in (200, 405)
            else:
                assert (method, path, reply.status_code) == (method, path, 403)


def test_the_audit_log_tells_who_did_what_and_none_of_the_words(library: Library) -> None:
    key = Keys(library.folder).add("robot", ["search"])
    with running(app_of(library, audit=True)) as service:
        robot = {"Authorization": f"Bearer {key}"}
        found = service.stranger.post("/search", json={"query": {"texts": ["safety valve"]}}, headers=robot)
        unit = found.json()["hits"][0]["unit_id"]
        service.stranger.get(f"/units/{unit}/picture", headers=robot)
        service.stranger.delete(f"/documents/{unit.partition(':')[0]}", headers=robot)
        service.stranger.get("/status?secret=guess", headers={"Authorization": "Bearer my-guess"})
        service.stranger.get("/")
    log = (library.folder / "audit/audit.jsonl").read_text()
    rows = [json.loads(line) for line in log.splitlines()]
    told = [(row["key"], row["method"], row["route"], row["status"]) for row in rows]
    assert sorted(told) == [
        ("", "GET", "", 401),
        ("robot", "DELETE", "/documents/{document_id}", 403),
        ("robot", "GET", "/units/{unit_id}/picture", 200),
        ("robot", "POST", "/search", 200),
    ]
    by_route = {row["route"]: row for row in rows}
    assert by_route["/units/{unit_id}/picture"]["ids"] == [unit]
    assert by_route["/search"]["bytes_out"] == len(found.content)
    assert by_route["/search"]["bytes_in"] == len(found.request.content)
    for word in ("valve", "guess", key, key.removeprefix("plait_"), TOKEN):
        assert word not in log


def test_a_flood_of_refused_requests_does_not_drown_the_audit_log(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_TOLD_AT_ONCE", 5)
    monkeypatch.setattr(guard, "_TOLD_PER_SECOND", 0.001)
    with running(app_of(library, audit=True)) as service:
        for _ in range(20):
            service.stranger.get("/status", headers={"Host": "evil.example"})
    assert len((library.folder / "audit/audit.jsonl").read_text().splitlines()) == 5


def every_route(routes: Sequence[object]) -> Iterator[tuple[str, str]]:
    """Yield methods and templates, of routers in routers too."""
    for route in routes:
        inner = getattr(route, "original_router", route)
        if hasattr(inner, "path"):
            yield from ((method, inner.path) for method in inner.methods)
        else:
            yield from every_route(inner.routes)


def begun(service: Service, path: str, kind: str, token: str = TOKEN) -> http.client.HTTPConnection:
    """Send the head of a request, and nothing of its body."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=5)
    connection.putrequest("POST", path)
    for name, value in (
        ("Authorization", f"Bearer {token}"),
        ("Content-Length", "10"),
        ("Content-Type", kind),
    ):
        connection.putheader(name, value)
    connection.endheaders()
    return connection


def until(ask: Callable[[], httpx.Response], status: int) -> httpx.Response:
    """Ask until the answer is of a status; the server may not have seen yet what was done before."""
    end = time.monotonic() + 10
    while (reply := ask()).status_code != status:
        assert time.monotonic() < end, reply.text
        time.sleep(0.005)
    return reply


def test_a_body_without_a_token_is_refused_before_it_is_sent(shared: Service) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=5)
    connection.putrequest("POST", "/documents")
    connection.putheader("Content-Length", "1900000")
    connection.endheaders()  # and not a byte of the body
    assert connection.getresponse().status == 401
    connection.close()


@pytest.mark.parametrize(
    "image", ["PATH", {"path": "PATH"}, {"base64": "", "path": "PATH"}, ["PATH"], 7, None]
)
def test_a_picture_is_never_named_by_a_path(shared: Service, tmp_path: Path, image: object) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(drawn("blue"))
    named = json.loads(json.dumps(image).replace("PATH", str(secret)))
    reply = shared.client.post("/search", json={"query": {"images": [named]}})
    assert reply.status_code == 400
    assert "never named by a path" in reply.json()["detail"]


def test_a_form_cannot_name_a_path_either(shared: Service, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(drawn("blue"))
    reply = shared.client.post("/search", files=[("image", (None, str(tmp_path / "secret.png")))])
    assert reply.status_code == 400
    assert "never named by a path" in reply.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"[" * 5000,
        b'{"query": 1}',
        b'{"query": {}}',
        b'{"query": {"texts": "abc"}}',
        b'{"query": {"texts": [1]}}',
        b'{"query": {"texts": ["a"], "colour": 1}}',
        b'{"query": {"texts": ["a"], "text_weights": ["b"]}}',
        b'{"query": {"texts": ["a"], "text_weights": [NaN]}}',
        b'{"query": {"texts": ["a"], "text_weights": [-1]}}',
        b'{"query": {"texts": ["a"], "filters": [1]}}',
        b'{"query": {"texts": ["a"], "filters": [{"field": "title", "value": {"x": 1}}]}}',
        b'{"query": {"texts": ["a"], "filters": [{"field": "title", "operator": "like", "value": "x"}]}}',
        b'{"query": {"images": [{"base64": "%%%"}]}}',
        b'{"query": {"images": [{"base64": "aGVsbG8="}]}}',
        b'{"query": {"texts": ["a"]}, "k": 0}',
        b'{"query": {"texts": ["a"]}, "k": 1000000}',
        b'{"query": {"texts": ["a"]}, "k": true}',
        b'{"query": {"texts": ["a"]}, "method": "magic"}',
        b'{"query": {"texts": ["a"]}, "lanes": ["nonsense"]}',
        b'{"query": {"texts": ["a"]}, "path": "/etc/passwd"}',
    ],
)
def test_a_malformed_question_is_the_askers_error(shared: Service, body: bytes) -> None:
    reply = shared.client.post("/search", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 400, reply.text
    error = reply.json()
    assert set(error) == {"type", "title", "status", "detail", "kind"}
    assert "Traceback" not in reply.text


def test_a_text_beyond_all_reason_is_refused(shared: Service) -> None:
    reply = shared.client.post("/search", json={"query": {"texts": ["word " * 10_000]}})
    assert reply.status_code == 400


@pytest.mark.parametrize("kind", ["text/plain", "", "application/x-www-form-urlencoded"])
def test_forms_that_any_page_may_send_unasked_are_refused(shared: Service, kind: str) -> None:
    reply = shared.client.post("/search", content=b"text=x", headers={"Content-Type": kind})
    assert reply.status_code == 400


@pytest.mark.parametrize(
    "unit", ["..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e", "x:99", ":", "a:b:c", "%00", "d:-1", "🙂"]
)
def test_a_made_up_unit_shows_nothing(shared: Service, unit: str) -> None:
    for what in ("picture", "page"):
        assert shared.client.get(f"/units/{unit}/{what}").status_code == 404


def test_web_sockets_are_closed(shared: Service) -> None:
    with socket.create_connection(("127.0.0.1", shared.port), timeout=5) as connection:
        key = base64.b64encode(b"0" * 16).decode()
        connection.sendall(
            f"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert b"101" not in connection.recv(200).split(b"\r\n")[0]


def test_an_app_may_be_mounted_behind_another_login(library: Library) -> None:
    with running(create_app(library, token=None, hosts={"127.0.0.1", "plait.example"})) as open_service:
        client = open_service.stranger
        assert client.get("/status", headers={"Host": "plait.example"}).status_code == 200
        assert client.get("/status", headers={"Host": "localhost"}).status_code == 421
