"""Pages are fetched from real servers of this machine, and nothing that is not public without our leave."""

from __future__ import annotations

import contextlib
import gzip
import io
import ipaddress
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from plait.data.readers.base import ReadLimits
from plait.data.readers.dispatch import read_in_process
from plait.errors import ReadError
from plait.library.fetching import Fetched, FetchLimits, fetch
from plait.library.fetching_network import Network, is_public
from plait.library.fetching_page import picture_addresses, with_pictures

CERTIFICATE = Path(__file__).parents[1] / "fixtures" / "docs.test.pem"
TRUSTING = ssl.create_default_context(cafile=str(CERTIFICATE))
Page = Callable[["_Handler"], None]


def png(color: str = "red", size: tuple[int, int] = (60, 40)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, color).save(data, "PNG")
    return data.getvalue()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.hosts.append(self.headers["Host"])
        with contextlib.suppress(OSError):
            self.server.pages.get(self.path, missing)(self)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


class _Server(ThreadingHTTPServer):
    """A server whose pages a test puts in."""

    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1", port: int = 0, *, tls: bool = False) -> None:
        super().__init__((host, port), _Handler)
        self.pages: dict[str, Page] = {}
        self.asked: list[str] = []
        self.hosts: list[str] = []
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no error."""


@contextlib.contextmanager
def serving(server: _Server) -> Iterator[_Server]:
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def running() -> Iterator[_Server]:
    with serving(_Server()) as server:
        yield server


@pytest.fixture
def server(running: _Server) -> _Server:
    running.pages.clear()
    running.asked.clear()
    running.hosts.clear()
    return running


def missing(handler: _Handler) -> None:
    handler.send_error(404)


def body(data: bytes | str, type: str = "text/html", **headers: str) -> Page:
    data = data.encode() if isinstance(data, str) else data

    def page(handler: _Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", type)
        handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return page


def redirect(to: str) -> Page:
    def page(handler: _Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return page


def local(*hosts: str, resolve: Callable[[str, int], Sequence[str]] | None = None) -> Network:
    """Return a network of this machine only, where every name means its first address."""
    known = {ipaddress.ip_address(host) for host in hosts or ("127.0.0.1",)}
    first = str(next(iter(known)))
    return Network(known.__contains__, resolve or (lambda _name, _port: [first]), TRUSTING)


def got(
    server: _Server,
    path: str,
    into: Path,
    *,
    network: Network | None = None,
    host: str = "docs.test",
    **limits: float,
) -> Fetched:
    port = server.server_address[1]
    options = FetchLimits(ports=frozenset({port}), **limits)  # type: ignore[arg-type]
    return fetch(f"http://{host}:{port}{path}", into=into, limits=options, network=network or local())


def refused(server: _Server, path: str, into: Path, **options: object) -> str:
    with pytest.raises(ReadError) as caught:
        got(server, path, into, **options)  # type: ignore[arg-type]
    return caught.value.reason


def test_a_page_comes_with_the_pictures_it_shows(server: _Server, tmp_path: Path) -> None:
    server.pages["/guide/valve.html?v=1"] = body(
        "<h1>Valve</h1><p>Close it.</p><img src='../img/valve.png' alt='the valve'><img src=/gone.png>"
        f'<IMG SRC="data:," data-src="//docs.test:{server.server_address[1]}/late.png">'
        '<img src="ftp://docs.test/x.png">'
    )
    server.pages["/img/valve.png"] = body(png(), "image/png")
    server.pages["/late.png"] = body(png("blue"), "image/png")
    spool = tmp_path / "spool"
    spool.mkdir()
    (tmp_path / "page").mkdir()
    fetched = got(server, "/guide/valve.html?v=1#part", tmp_path / "page")
    assert fetched.source == f"http://docs.test:{server.server_address[1]}/guide/valve.html?v=1"
    assert fetched.path.name == "valve.html"
    assert fetched.warnings == ("left out 1 picture: answers 404 (Not Found)",)
    assert set(server.hosts) == {f"docs.test:{server.server_address[1]}"}
    document = read_in_process(
        fetched.path, source=fetched.source, spool=spool, limits=ReadLimits(), root=fetched.root
    )
    shown = [s for s in document.segments if s.kind == "image" and s.picture is not None]
    assert [s.text for s in shown] == ["the valve", ""]
    assert {Image.open(s.picture.path).getpixel((5, 5)) for s in shown if s.picture} == {
        (255, 0, 0),
        (0, 0, 255),
    }


def test_pictures_are_bounded_in_number_and_length(server: _Server, tmp_path: Path) -> None:
    server.pages["/"] = body("".join(f"<img src=/{n}.png>" for n in range(5)))
    for n in range(5):
        server.pages[f"/{n}.png"] = body(png(("red", "blue", "green", "gold", "gray")[n]), "image/png")
    fetched = got(server, "/", tmp_path, max_pictures=2)
    assert fetched.warnings == ("left out 3 pictures: a page has more than 2",)
    assert len(list(tmp_path.glob("picture-*.png"))) == 2
    assert server.asked == ["/", "/0.png", "/1.png"]
    (tmp_path / "again").mkdir()
    none = got(server, "/", tmp_path / "again", max_pictures_mb=0)
    assert none.warnings == ("left out 5 pictures: has more than 0 MB",)


@pytest.mark.parametrize(
    ("type", "path", "name"),
    [
        ("application/pdf", "/a/report.pdf", "report.pdf"),
        ("application/pdf", "/download?id=3", "download.pdf"),
        ("text/plain; charset=utf-8", "/raw/README.md", "README.md"),
        ("application/octet-stream", "/x.docx", "x.docx"),
        ("image/png", "/%2e%2e%2f%2fetc%2fpasswd", "passwd.png"),
        ("text/html", "/", "docs.test.html"),
    ],
)
def test_the_file_is_named_by_its_address_and_kind(
    server: _Server, tmp_path: Path, type: str, path: str, name: str
) -> None:
    server.pages[path] = body(b"content", type)
    assert got(server, path, tmp_path).path == tmp_path / name


@pytest.mark.parametrize(
    ("type", "charset", "text"),
    [
        ("text/html; charset=windows-1251", "windows-1251", "Привет"),
        ("text/html", "utf-8", "Übung"),
        ("text/html; charset=no-such", "utf-8", "Übung"),
        ("text/html; charset=idna", "utf-8", "Übung"),
    ],
)
def test_letters_are_those_the_server_means(
    server: _Server, tmp_path: Path, type: str, charset: str, text: str
) -> None:
    server.pages["/p"] = body(f"<p>{text}</p><img src='/{text}.png'>".encode(charset), type)
    fetched = got(server, "/p", tmp_path)
    spool = tmp_path / "spool"
    spool.mkdir()
    document = read_in_process(fetched.path, source="p", spool=spool, limits=ReadLimits())
    assert document.segments[0].text == text
    assert len(server.asked) == 2  # the picture was asked for, under some name that an address may have
    assert server.asked[1].isascii()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:192.168.0.1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "fe80::1",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_by_default_this_machine_is_refused_under_any_name(
    server: _Server, tmp_path: Path, host: str
) -> None:
    reason = refused(server, "/", tmp_path, host=host, network=Network())
    assert "not an address of the public internet" in reason or "cannot be found" in reason
    assert server.asked == []


def test_a_name_with_one_address_that_is_not_allowed_is_refused(server: _Server, tmp_path: Path) -> None:
    network = local(resolve=lambda _name, _port: ["127.0.0.1", "10.0.0.1"])
    assert "docs.test is 10.0.0.1" in refused(server, "/", tmp_path, network=network)
    assert server.asked == []


def test_a_redirect_is_checked_as_the_first_address_is(server: _Server, tmp_path: Path) -> None:
    port = server.server_address[1]
    with serving(_Server("127.0.0.2", port)) as inner:
        inner.pages["/"] = body("secret")
        server.pages["/"] = redirect(f"http://inner.test:{port}/")
        names = {"docs.test": "127.0.0.1", "inner.test": "127.0.0.2"}
        network = local(resolve=lambda name, _port: [names[name]])
        assert "inner.test is 127.0.0.2" in refused(server, "/", tmp_path, network=network)
        assert inner.asked == []
    server.pages["/"] = redirect("/next/../a b")
    assert "blanks" in refused(server, "/", tmp_path)
    server.pages["/"] = redirect("file:///etc/passwd")
    assert "file: addresses are not fetched" in refused(server, "/", tmp_path)
    server.pages["/"] = redirect("/")
    assert refused(server, "/", tmp_path) == "redirects more than 5 times"
    server.pages["/"] = redirect("//docs.test:22/")
    assert "asks for port 22" in refused(server, "/", tmp_path)
    server.pages |= {"/": redirect("/page"), "/page": body("<p>text</p>")}
    assert got(server, "/", tmp_path).path.name == "page.html"


def test_a_name_that_changes_its_meaning_leads_nowhere_else(server: _Server, tmp_path: Path) -> None:
    """The page is served from an allowed address; then the name means another, where a secret is."""
    port = server.server_address[1]
    meanings = iter(["127.0.0.1", "127.0.0.2", "127.0.0.2"])
    asked: list[str] = []

    def resolve(name: str, _port: int) -> list[str]:
        asked.append(name)
        return [next(meanings)]

    with serving(_Server("127.0.0.2", port)) as inner:
        inner.pages["/secret.png"] = body(png(), "image/png")
        server.pages["/"] = body("<p>text</p><img src=/secret.png>", Connection="close")
        fetched = got(server, "/", tmp_path, network=local(resolve=resolve))
        assert "docs.test is 127.0.0.2" in fetched.warnings[0]
        assert (inner.asked, asked) == ([], ["docs.test", "docs.test"])  # once for each connection


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("ftp://docs.test/", "ftp: addresses"),
        ("http://user:word@docs.test/", "user name or password"),
        ("http://docs.test@127.0.0.1/", "user name or password"),
        ("http://docs.test:8080/", "port 8080"),
        ("http://docs.test:99999/", "not a valid address"),
        ("http:///path", "names no server"),
        ("http://docs.test\\@127.0.0.1/", "backslashes"),
        ("http://[fe80::1%25eth0]/", "not a valid address"),
        ("http://[::1/", "not a valid address"),
        ("http://docs.test/" + "a" * 9000, "too long"),
        ("http://" + "ü" * 100 + ".test/", "not a valid address"),
    ],
)
def test_addresses_that_are_not_asked_for(tmp_path: Path, address: str, reason: str) -> None:
    def never(_name: str, _port: int) -> list[str]:
        raise AssertionError("it was looked up")

    with pytest.raises(ReadError, match=reason):
        fetch(address, into=tmp_path, network=local(resolve=never))


def drip(first: bytes) -> Page:
    """Return a page whose bytes come one by one, without end."""

    def page(handler: _Handler) -> None:
        handler.wfile.write(first)
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.02)

    return page


def test_what_comes_slowly_ends_with_its_time(server: _Server, tmp_path: Path) -> None:
    server.pages["/body"] = drip(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n")
    server.pages["/head"] = drip(b"HTTP/1.0 200 OK\r\nX-Long: ")
    for path in ("/body", "/head"):
        reason = refused(server, path, tmp_path, total_seconds=0.2)
        assert reason in ("took longer than 0.2 s", "does not answer in time")

    def asleep(_name: str, _port: int) -> list[str]:
        time.sleep(5)
        return []

    network = local(resolve=asleep)
    assert "cannot be found" in refused(server, "/", tmp_path, network=network, total_seconds=0.1)


def test_what_has_no_end_is_cut_off(server: _Server, tmp_path: Path) -> None:
    def endless(handler: _Handler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n")
        while True:
            handler.wfile.write(bytes(1 << 16))

    bomb = gzip.compress(bytes(40 << 20))
    server.pages["/endless"] = endless
    server.pages["/bomb"] = body(bomb, Content_Encoding="gzip")
    server.pages["/long"] = body(bytes(2 << 20))
    assert len(bomb) < 1 << 20
    for path in ("/endless", "/bomb", "/long"):
        assert refused(server, path, tmp_path, max_file_mb=1) == "has more than 1 MB", path
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 2 << 20


def test_what_is_packed_is_unpacked_or_refused(server: _Server, tmp_path: Path) -> None:
    packed = gzip.compress(b"<p>" + b"text " * 100_000)
    server.pages["/good"] = body(packed, Content_Encoding="gzip")
    server.pages["/cut"] = body(packed[:-9], Content_Encoding="gzip")
    server.pages["/bad"] = body(b"no gzip", Content_Encoding="gzip")
    server.pages["/other"] = body(b"", Content_Encoding="br")
    assert got(server, "/good", tmp_path).path.read_bytes() == gzip.decompress(packed)
    assert "without an end" in refused(server, "/cut", tmp_path)
    assert "damaged" in refused(server, "/bad", tmp_path)
    assert "packed as 'br'" in refused(server, "/other", tmp_path)


def test_what_is_no_document_is_refused(server: _Server, tmp_path: Path) -> None:
    server.pages["/a"] = body(b"x", "application/x-msdownload")
    server.pages["/b"] = body(b"x", "application/octet-stream")
    server.pages["/page"] = body("<img src=/b><img src=/a>")
    server.pages["/cut"] = body(b"x", Content_Length="9")
    assert "is application/x-msdownload, which is not read" in refused(server, "/a", tmp_path)
    assert "is application/octet-stream" in refused(server, "/b", tmp_path)
    assert refused(server, "/none", tmp_path) == "answers 404 (Not Found)"
    assert len(got(server, "/page", tmp_path).warnings) == 2
    assert "the connection broke" in refused(server, "/cut", tmp_path)


def test_certificates_are_checked_against_the_name(tmp_path: Path) -> None:
    with serving(_Server(tls=True)) as server:
        server.pages["/"] = body("<p>text</p>")
        port = server.server_address[1]
        limits = FetchLimits(ports=frozenset({port}))
        fetched = fetch(f"https://docs.test:{port}/", into=tmp_path, limits=limits, network=local())
        assert fetched.path.read_text() == "<p>text</p>"
        with pytest.raises(ReadError, match="certificate is not valid"):
            fetch(f"https://other.test:{port}/", into=tmp_path, limits=limits, network=local())
        strict = replace(local(), tls=None)
        with pytest.raises(ReadError, match="certificate is not valid"):
            fetch(f"https://docs.test:{port}/", into=tmp_path, limits=limits, network=strict)


def test_proxies_of_the_environment_are_not_asked(
    server: _Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    server.pages["/"] = body("<p>text</p>")
    assert got(server, "/", tmp_path).path.is_file()


def test_the_addresses_of_a_page_begin_at_its_base_and_the_largest_is_taken() -> None:
    markup = (
        '<base href="/b/"><img src=a.png alt="src=no.png"><img srcset="s.png 1x, l.png 2.5x">'
        '<img src="a.png">'
        '<img data-src="late&amp;1.png" src="blank.gif"><img alt=none><img src="http://[bad/x.png">'
    )
    addresses = list(picture_addresses(markup, "http://docs.test/x/y"))
    assert addresses == [f"http://docs.test/b/{name}" for name in ("a.png", "l.png", "late&1.png")]
    names = {addresses[0]: "1.png", addresses[1]: "2.png", addresses[2]: "3.png"}
    changed = with_pictures(markup, "http://docs.test/x/y", names)
    assert re.findall(r'"(\d\.png)"', changed) == ["1.png", "2.png", "1.png", "3.png", "3.png"]
    assert 'alt="src=no.png"' in changed


@pytest.mark.parametrize(
    "part",
    ["<img ", "<img a=", '<img a="', "<img " + "a" * 7000, "<img " + "a" * 7000 + ">", "<base ", "=", "a "],
)
def test_hostile_markup_takes_a_time_linear_in_its_length(part: str) -> None:
    markup = part * (3_000_000 // len(part))
    assert list(picture_addresses(markup, "http://docs.test/")) == []
