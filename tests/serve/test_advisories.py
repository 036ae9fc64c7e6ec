"""What was wrong with other services, by the advisory or issue that says so, is not wrong with this one."""

from __future__ import annotations

import base64
import inspect
import io
import ipaddress
import re
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from tests.helpers.tiny_encoder import TinyEncoder
from tests.serve.conftest import Service, app_of, drawn, running

from plait.cli.serve import serve
from plait.errors import ReadError
from plait.library import Library
from plait.library.fetching import FetchLimits, fetch
from plait.library.fetching_network import Network
from plait.serve.http import create_app
from plait.serve.keys import Keys
from plait.serve.shelves import tenant_folder
from plait.settings import Settings

METADATA = "169.254.169.254"  # where clouds serve a machine's credentials
FORM = {"Content-Type": "multipart/form-data; boundary=b"}


@contextmanager
def over(folder: Path, **settings: object) -> Iterator[Service]:
    """Run a service over a new library of some settings."""
    changed = Settings(**settings)  # type: ignore[arg-type]
    with (
        Library(folder, settings=changed, encoder=TinyEncoder()) as library,
        running(app_of(library)) as service,
    ):
        yield service


def sent(
    service: Service, name: str, data: bytes | str, headers: dict[str, str] | None = None
) -> httpx.Response:
    """Send a file, and wait until it is added or cannot be."""
    file = ("file", (name, data.encode() if isinstance(data, str) else data))
    return service.client.post("/documents?wait=30", files=[file], headers=headers)


class Listener(HTTPServer):
    """A server of this machine that should never be asked; `location` is where it sends whoever asks."""

    def __init__(self, location: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.location = location

    @property
    def port(self) -> int:
        return self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(302 if self.server.location else 200)
        self.send_header("Location", self.server.location)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def listening(location: str = "") -> Iterator[Listener]:
    listener = Listener(location)
    threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield listener
    finally:
        listener.shutdown()
        listener.server_close()


def test_cve_2026_61808_on_every_address_the_token_is_needed_and_the_owner_warned(shelf: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "plait",
        "serve",
        "--library",
        str(shelf),
        "--port",
        "0",
        "--host",
        "0.0.0.0",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port, token = re.fullmatch(
            r"http://0\.0\.0\.0:(\d+)/#token=(\S+)\n", process.stdout.readline()
        ).groups()  # type: ignore[union-attr]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client:
            for path in ("/status", "/documents", "/openapi.json", "/metrics", "/units/x/page"):
                assert client.get(path).status_code == 401
            assert client.get("/status", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=30)
    assert "can be reached from other machines" in errors


def test_cve_2026_61808_the_default_address_is_this_machines_own() -> None:
    assert inspect.signature(serve).parameters["host"].default == "127.0.0.1"


def test_ghsa_2wpj_ffvv_2pq8_a_document_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("[Content_Types].xml", "<Types/>")
        with bomb.open("word/document.xml", "w") as member:
            for _ in range(64):
                member.write(b" " * 2**20)
    assert len(data.getvalue()) < 100_000
    with over(tmp_path, max_unpacked_mb=16) as service:
        names = ("bomb.docx", "bomb.pptx", "bomb.xlsx", "bomb.epub", "bomb.zip")
        files = [("file", (name, data.getvalue())) for name in names]
        reply = service.client.post("/documents?wait=60", files=files)
        assert reply.status_code == 422
        for name in names:
            assert f"{name}: unpacks to 64 MB, more than the limit of 16 MB" in reply.json()["detail"]
        assert service.client.get("/status").json()["documents"] == 0


@pytest.mark.parametrize("path", ["/search", "/documents", "/explain", "/answer", "/count", "/feedback"])
@pytest.mark.parametrize("kind", ["application/json", FORM["Content-Type"]])
def test_ghsa_r8jh_295g_vv42_a_body_without_end_is_cut_off(shared: Service, path: str, kind: str) -> None:
    def endless() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.md"\r\n\r\n'
        while True:
            yield b" " * 100_000

    reply = shared.client.post(path, content=endless(), headers={"Content-Type": kind})
    assert reply.status_code in (400, 413)


def test_ghsa_r8jh_295g_vv42_a_length_is_believed_before_the_body_is_read(shared: Service) -> None:
    for length, status in (("99999999999", 413), ("9" * 5000, 400), ("-1", 400), ("1e3", 400)):
        with socket.create_connection(("127.0.0.1", shared.port), timeout=5) as connection:
            token = shared.client.headers["authorization"]
            connection.sendall(
                f"POST /search HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n"
                f"Content-Length: {length}\r\n\r\n".encode()
            )
            assert connection.recv(1000).startswith(f"HTTP/1.1 {status} ".encode())


def test_ragflow_14088_the_service_takes_no_addresses(tmp_path: Path) -> None:
    with over(tmp_path, urls=True) as service, listening() as listener:
        address = f"http://127.0.0.1:{listener.port}/x.html"
        for name in ("url", "urls", "path", "file", "source"):
            for value in (address, [address]):
                assert service.client.post("/documents?wait=5", json={name: value}).status_code == 400
            assert service.client.post("/documents?wait=5", data={name: address}).status_code == 400
            image = {"query": {"images": [{name: address}]}}
            assert service.client.post("/search", json=image).status_code == 400
        named = sent(service, address, "<p>no page of the web</p>")
        assert named.json()["jobs"][0]["name"] == "x.html"
        assert listener.asked == []


@pytest.mark.parametrize(
    "host",
    [
        METADATA,
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0.0.0.0",
        "10.0.0.1",
        "100.100.100.200",
        "[::1]",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "[64:ff9b::a9fe:a9fe]",
    ],
)
def test_ragflow_14088_addresses_of_this_machine_and_its_network_are_not_fetched(
    tmp_path: Path, host: str
) -> None:
    with pytest.raises(ReadError, match=r"not an address of the public internet|cannot be found"):
        fetch(f"http://{host}/latest/meta-data/", into=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_ragflow_14088_a_redirect_leads_to_no_such_address_either(tmp_path: Path) -> None:
    with listening(f"http://{METADATA}/latest/meta-data/") as listener:
        loopback = Network(allowed=lambda address: address == ipaddress.ip_address("127.0.0.1"))
        limits = FetchLimits(ports=frozenset({listener.port, 80}))
        with pytest.raises(ReadError, match=METADATA):
            fetch(f"http://127.0.0.1:{listener.port}/", into=tmp_path, network=loopback, limits=limits)
        assert listener.asked == ["/"]


def test_ragflow_14088_a_name_that_means_something_else_the_second_time_is_asked_for_once(
    tmp_path: Path,
) -> None:
    """DNS rebinding: public while it is checked, and this machine's own when it is connected to."""
    meant = iter([["8.8.8.8", METADATA], ["127.0.0.1"]])
    rebinding = Network(resolve=lambda host, port: next(meant))
    with pytest.raises(ReadError, match=METADATA):
        fetch("http://rebind.example/", into=tmp_path, network=rebinding)
    assert next(meant) == ["127.0.0.1"]


def test_ragflow_15214_reading_a_document_asks_no_server(tmp_path: Path) -> None:
    with over(tmp_path, urls=True) as service, listening() as listener:
        at = f"http://127.0.0.1:{listener.port}"
        documents = {
            "a.md": f"# A\n\n![x]({at}/md.png) <img src='{at}/md-html.png'>\n\n[y]: {at}/ref.png\n![][y]\n",
            "b.html": f"<link rel=stylesheet href={at}/css><base href='{at}/base/'><h1>B</h1><p>Words.</p>"
            f"<img src='{at}/img.png' srcset='{at}/set.png 2x'><iframe src='{at}/frame'></iframe>"
            f"<object data='{at}/object'></object><style>@import '{at}/import'</style>",
            "c.svg": "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' "
            f"width='90' height='90'><image href='{at}/a.png' xlink:href='{at}/b.png' width='9' height='9'/>"
            f"<style>@import url({at}/svg-css);</style><rect width='50' height='50'/></svg>",
            "d.ipynb": '{"cells": [{"cell_type": "markdown", "metadata": {}, "source": '
            f'["![x]({at}/nb.png)"]}}], "metadata": {{}}, "nbformat": 4, "nbformat_minor": 5}}',
        }
        for name, data in documents.items():
            sent(service, name, data)
        assert listener.asked == []
        assert service.client.get("/status").json()["documents"] >= 2


def test_localgpt_948_no_request_reads_a_file_of_this_machine(tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("The password is swordfish.")
    with over(tmp_path / "library") as service:
        for body in ({"path": str(secret)}, {"paths": [str(secret)]}, {"file": str(secret)}, [str(secret)]):
            assert service.client.post("/documents", json=body).status_code == 400
            assert service.client.post("/search", json=body).status_code == 400
        for name in (str(secret), "../../../secret.md", f"file://{secret}", "..\\..\\secret.md"):
            assert sent(service, name, "Nothing here.").json()["jobs"][0]["name"] == "secret.md"
        for id in (str(secret), "../../secret.md", "%2e%2e%2fsecret.md", "..%5csecret.md", "secret.md%00:0"):
            for route in (
                "/units/{}",
                "/units/{}/picture",
                "/units/{}/page",
                "/documents/{}",
                "/parts/{}",
                "/{}",
            ):
                assert service.client.get(route.format(id)).status_code in (400, 404)
        assert secret.read_text() == "The password is swordfish."
        found = service.client.post(
            "/search", json={"query": {"texts": ["password swordfish"]}, "distant": True}
        )
        assert "The password" not in found.text


def test_localgpt_948_a_document_shows_no_picture_that_was_not_sent_with_it(tmp_path: Path) -> None:
    """Not those of this machine, and not those that another tenant sent."""
    with Library(tmp_path / "library", encoder=TinyEncoder()) as library:
        theirs = tenant_folder(library.folder, "theirs") / "uploads"
        theirs.mkdir(parents=True)
        for place in (tmp_path, library.folder, theirs):
            (place / "secret.png").write_bytes(drawn("red"))
        key = {"Authorization": f"Bearer {Keys(library.folder).add('k', ['search', 'add'], tenant='mine')}"}
        ways = [
            f"{'../' * n}{end}"
            for n in range(1, 7)
            for end in ("secret.png", "theirs/.plait/uploads/secret.png")
        ]
        ways += [str(place / "secret.png") for place in (tmp_path, theirs)]
        ways += [f"file://{tmp_path}/secret.png", "..%2f..%2f..%2ftheirs%2f.plait%2fuploads%2fsecret.png"]
        with running(app_of(library)) as service:
            text = "\n\n".join(f"![a secret]({way})" for way in ways)
            html = "".join(f"<img src='{way}' alt='a secret'>" for way in ways)
            for name, data in (
                ("a.md", f"# A\n\nWords.\n\n{text}"),
                ("b.html", f"<h1>B</h1><p>Words.</p>{html}"),
            ):
                assert sent(service, name, data, key).status_code == 200
            assert service.stranger.get("/status", headers=key).json()["figures"] == 0
        folder = tenant_folder(library.folder, "mine")
        assert not any((folder / "pictures").glob("*/*"))


def test_localgpt_948_links_in_an_archive_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("The password is swordfish.")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("plain.md", "Plain words.")
        link = zipfile.ZipInfo("link.md")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, str(tmp_path / "secret.md"))
        archive.writestr("../../../climbing.md", "Climbing words.")
        archive.writestr(f"{tmp_path}/absolute.md", "Absolute words.")
    with over(tmp_path / "library") as service:
        sent(service, "archive.zip", data.getvalue())
        found = service.client.post("/search", json={"query": {"texts": ["password words"]}, "distant": True})
    assert "swordfish" not in found.text
    assert not list(tmp_path.rglob("climbing.md"))
    assert not (tmp_path / "absolute.md").exists()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:8080", "file://"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/status"), ("POST", "/search"), ("OPTIONS", "/search"), ("GET", "/")]
)
def test_gpt4all_3681_another_page_gets_nothing_from_the_service(
    shared: Service, origin: str, method: str, path: str
) -> None:
    """Not even with the token, and not a word that lets its browser read the answer."""
    for client in (shared.client, shared.stranger):
        preflight = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        reply = client.request(method, path, headers={"Origin": origin, **preflight})
        assert reply.status_code == 403
        assert not [name for name in reply.headers if name.startswith("access-control")]


def test_gpt4all_3681_no_answer_of_any_kind_opens_itself_to_other_pages(shared: Service) -> None:
    for path in ("/", "/health", "/status", "/nothing", "/openapi.json"):
        reply = shared.client.get(path)
        assert not [name for name in reply.headers if name.startswith("access-control")]
        assert reply.headers["cross-origin-resource-policy"] == "same-origin"
        assert "set-cookie" not in reply.headers  # no cookie, so nothing that a browser sends unasked


def test_morphik_there_is_no_way_to_serve_without_a_token_by_leaving_something_out(
    library: Library, tmp_path: Path
) -> None:
    with pytest.raises(TypeError, match="token"):
        create_app(library)  # type: ignore[call-arg]
    options = set(inspect.signature(serve).parameters)
    assert not [option for option in options if re.search("auth|token|insecure|dev|open_access", option)]
    with running(create_app(library, token="", audit=False)) as service:
        for header in ("", "Bearer", "Bearer None", "Basic Og=="):
            assert service.stranger.get("/status", headers={"Authorization": header}).status_code == 401


def test_morphik_nothing_in_the_environment_lets_everybody_in(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PLAIT_TOKEN", "PLAIT_AUTH", "BYPASS_AUTH_MODE", "DEV_MODE", "PLAIT_DEV_MODE", "DEBUG"):
        monkeypatch.setenv(name, "" if name.startswith("PLAIT_") else "true")
    with running(app_of(library)) as service:
        assert service.stranger.get("/status").status_code == 401


ACTIVE = "<script>alert(1)</script><svg onload=alert(1)></svg><iframe src=javascript:alert(1)></iframe>"


def test_no_route_serves_what_a_browser_would_run(tmp_path: Path) -> None:
    """Stored XSS: what documents say leaves the service as JSON, and their pictures as pictures."""
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' width='90' height='90'>{ACTIVE}<rect width='9'/></svg>"
    png = base64.b64encode(drawn("blue")).decode()
    picture = f"<img src='data:image/png;base64,{png}' alt='{ACTIVE}'>"
    page = f"<title>{ACTIVE}x</title><h1>Head</h1><p>Words. {ACTIVE}</p>{picture}"
    with over(tmp_path) as service:
        for name, data in (("a.svg", svg), ("b.html", page), ("c.md", f"# Head\n\nWords {ACTIVE}\n")):
            sent(service, name, data)
        found = service.client.post("/search", json={"query": {"texts": ["words head"]}, "distant": True})
        units = [hit["unit_id"] for hit in found.json()["hits"]]
        assert units
        addresses = [f"/{kind}/{unit}" for unit in units for kind in ("units", "parts")]
        addresses += [f"/units/{unit}/{picture}" for unit in units for picture in ("picture", "page")]
        addresses += [
            "/documents",
            "/documents?after=<script>",
            "/<script>alert(1)</script>",
            "/fields",
            "/status",
        ]
        replies = [found, *(service.client.get(address) for address in addresses)]
        for reply in replies:
            kind = reply.headers["content-type"].partition(";")[0]
            assert kind in ("application/json", "application/problem+json", "image/png", "image/jpeg")
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in reply.headers["content-security-policy"]
            assert "script-src" not in reply.headers["content-security-policy"]
        assert {"image/png"} <= {reply.headers["content-type"] for reply in replies}
