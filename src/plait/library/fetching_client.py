"""One address at a time into a file: http and https, redirects checked one by one, every length bounded."""

from __future__ import annotations

import http
import ipaddress
import ssl
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from urllib.parse import quote, urljoin, urlsplit

import httpcore

from plait.library.fetching_network import Deadline, FetchError, GuardedBackend, Network

_PORTS = {"http": 80, "https": 443}
_LONGEST_ADDRESS = 8000
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 10.0
_KEPT_IN_PATHS = "%/:=&?~+!$,;'@()*[]"  # what RFC 3986 lets stand, and what is escaped already
_CHUNK_BYTES = 1 << 18
_LATER = "try again later, or download it yourself"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an address gave.

    Attributes:
        address: where it was in the end, after redirects.
        type: its media type ("text/html"); "" if none is told.
        charset: that of its text, as told; "" if none is.
        bytes: how many it has, unpacked.
    """

    address: str
    type: str
    charset: str
    bytes: int


class Client:
    """Fetches addresses; use it in a `with` statement. No cookies, no proxies, nothing kept between uses.

    Args:
        network: what may be connected to.
        ports: where servers may listen.
    """

    def __init__(self, network: Network, *, ports: frozenset[int]) -> None:
        self._ports = ports
        self._backend = GuardedBackend(network, Deadline(0))
        self._pool = httpcore.ConnectionPool(
            ssl_context=network.tls or httpcore.default_ssl_context(),
            max_connections=4,
            network_backend=self._backend,
        )

    def get(self, address: str, target: Path, *, max_bytes: int, deadline: Deadline, accept: str) -> Answer:
        """Write what is at an address into a file.

        Args:
            max_bytes: how much may come, and how much that may unpack to.
            deadline: when all of it must be there.
            accept: the media types that are wanted.

        Raises:
            FetchError: there is nothing, or it must not or cannot be fetched.
        """
        self._backend.deadline = deadline
        for _ in range(_MOST_REDIRECTS + 1):
            with self._asked(address, accept) as response:
                if response.status not in _REDIRECTS:
                    return _kept(response, address, target, max_bytes)
                location = _headers(response).get("location", "")
                if not location:
                    raise FetchError("redirects to nowhere")
            address = _joined(address, location)
        raise FetchError(f"redirects more than {_MOST_REDIRECTS} times")

    def close(self) -> None:
        """End all connections."""
        self._pool.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _asked(self, address: str, accept: str) -> Iterator[httpcore.Response]:
        """Give the response of an address, every trouble with it as a `FetchError`."""
        headers = [("Accept", accept), ("Accept-Encoding", "gzip"), ("User-Agent", "plait")]
        seconds = {"connect": _CONNECT_SECONDS, "read": _READ_SECONDS, "write": _READ_SECONDS}
        url = url_of(address, ports=self._ports)
        try:
            with self._pool.stream("GET", url, headers=headers, extensions={"timeout": seconds}) as response:
                yield response
        except httpcore.TimeoutException as error:
            raise FetchError("does not answer in time", _LATER) from error
        except httpcore.ConnectError as error:
            if isinstance(error.__cause__, ssl.SSLError) or "CERTIFICATE" in str(error).upper():
                raise FetchError(f"its certificate is not valid ({_short(error)})", _LATER) from error
            raise FetchError(f"cannot be connected to ({_short(error)})", _LATER) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise FetchError(f"the connection broke ({_short(error)})", _LATER) from error


def url_of(address: str, *, ports: frozenset[int]) -> httpcore.URL:
    """Return an address in the form that is asked for.

    Raises:
        FetchError: it is none of http or https, or must not be asked for.
    """
    if len(address) > _LONGEST_ADDRESS or any(c <= " " or c in "\\\x7f" for c in address):
        raise FetchError("is not a valid address: it is too long, or has blanks or backslashes")
    try:
        parts = urlsplit(address)
        host, port = _ascii(parts.hostname or ""), parts.port
    except ValueError as error:
        raise FetchError(f"is not a valid address ({error})") from error
    if parts.scheme not in _PORTS:
        raise FetchError(f"{parts.scheme}: addresses are not fetched", "use one of http or https")
    if not host:
        raise FetchError("names no server")
    if "@" in parts.netloc:
        raise FetchError("holds a user name or password", "leave it out, or download the page yourself")
    port = _PORTS[parts.scheme] if port is None else port
    if port not in ports:
        known = ", ".join(map(str, sorted(ports)))
        raise FetchError(f"asks for port {port}, not one of {known}", "download the page yourself")
    target = _quoted(parts.path or "/") + (f"?{_quoted(parts.query)}" if parts.query else "")
    return httpcore.URL(scheme=parts.scheme.encode(), host=host.encode(), port=port, target=target.encode())


def _ascii(host: str) -> str:
    """Return a host's name as the name service knows it."""
    if "%" in host or len(host) > 253:
        raise ValueError("its host has no valid name")
    if ":" in host:
        return str(ipaddress.IPv6Address(host))
    return host if host.isascii() else host.encode("idna").decode("ascii")


def _quoted(part: str) -> str:
    return quote(part.encode("utf-8", "surrogateescape"), safe=_KEPT_IN_PATHS)


def _joined(address: str, location: str) -> str:
    try:
        return urljoin(address, location)
    except ValueError as error:
        raise FetchError("redirects to an address that is not valid") from error


def _kept(response: httpcore.Response, address: str, target: Path, max_bytes: int) -> Answer:
    """Write the body of a response into a file."""
    if response.status != 200:
        raise FetchError(f"answers {_status(response.status)}", "check the address, or download it yourself")
    headers = _headers(response)
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > max_bytes:
        raise _too_long(max_bytes)
    count = 0
    with target.open("wb") as file:
        for part in _unpacked(
            _bounded(response.iter_stream(), max_bytes), headers.get("content-encoding", "")
        ):
            count += len(part)
            if count > max_bytes:
                raise _too_long(max_bytes)
            file.write(part)
    type, _, parameters = headers.get("content-type", "").partition(";")
    return Answer(address, type.strip().lower(), _charset(parameters), count)


def _bounded(parts: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    count = 0
    for part in parts:
        count += len(part)
        if count > max_bytes:
            raise _too_long(max_bytes)
        yield part


def _unpacked(parts: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield a body as it was before it was packed for the way, in pieces of bounded length."""
    if encoding.lower() in ("", "identity"):
        yield from parts
        return
    if encoding.lower() not in ("gzip", "x-gzip"):
        raise FetchError(f"is packed as {encoding[:40]!r}, which was not asked for", _LATER)
    unpacker = zlib.decompressobj(wbits=31)
    try:
        for part in parts:
            rest = part
            while rest and not unpacker.eof:
                yield unpacker.decompress(rest, _CHUNK_BYTES)
                rest = unpacker.unconsumed_tail
    except zlib.error as error:
        raise FetchError("is packed in a damaged form", _LATER) from error
    if not unpacker.eof:
        raise FetchError("is packed in a damaged form, without an end", _LATER)


def _headers(response: httpcore.Response) -> Mapping[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'").lower()
    return ""


def _status(code: int) -> str:
    try:
        return f"{code} ({http.HTTPStatus(code).phrase})"
    except ValueError:
        return str(code)


def _too_long(max_bytes: int) -> FetchError:
    return FetchError(
        f"has more than {max_bytes / 2**20:.0f} MB", "download it yourself, or raise max_file_mb"
    )


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
