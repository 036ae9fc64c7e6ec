"""What must not pass does not: other hosts, other pages, no token, too much, and paths of this machine."""

from __future__ import annotations

import base64
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serve.conftest import TOKEN, Service, drawn, running

from plait.library import Library
from plait.serve.http import create_app

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
