"""Connections to public addresses only, each checked at the moment it is made, all within one time.

A name is resolved once for each connection, and the connection goes to the address that was checked: what
the name means a moment later ("DNS rebinding") does not matter.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpcore

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]

_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class FetchError(Exception):
    """An address that cannot or must not be fetched.

    Attributes:
        reason, remedy: as in `errors.ReadError`.
    """

    def __init__(self, reason: str, remedy: str = "check the address") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


def is_public(address: IPAddress) -> bool:
    """Tell whether an address is one of the public internet.

    Not loopback, private, shared (100.64.0.0/10), link-local (where clouds serve credentials), multicast or
    reserved; and where IPv6 carries an IPv4 address (mapped, 6to4, NAT64), not one that stands for those.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast and not address.is_reserved
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if address.sixtofour is not None:
        return is_public(address.sixtofour)
    return address in _UNICAST and address.is_global and address.teredo is None


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name, as the system gives them.

    Raises:
        OSError: it has none.
    """
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class Network:
    """What connections may be made; tests, which have no internet, allow what they serve themselves.

    Attributes:
        allowed: tells whether an address may be connected to.
        resolve: gives the addresses of a name.
        tls: what certificates are trusted; None means those of the system and of certifi.
    """

    allowed: Callable[[IPAddress], bool] = is_public
    resolve: Resolve = resolve
    tls: ssl.SSLContext | None = None


class Deadline:
    """When all must be done."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self, most: float | None = None) -> float:
        """Return how many seconds are left, `most` if more.

        Raises:
            FetchError: none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise FetchError(
                f"took longer than {self._seconds:g} s", "try again later, or download it yourself"
            )
        return left if most is None else min(left, most)


class GuardedBackend(httpcore.NetworkBackend):
    """Makes the connections of an `httpcore` pool.

    Attributes:
        deadline: of what is being fetched; to be renewed for the next.
    """

    def __init__(self, network: Network, deadline: Deadline) -> None:
        self._network = network
        self._connect = httpcore.SyncBackend().connect_tcp
        self.deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to a name, at an address that may be connected to.

        Raises:
            FetchError: it has no address, or one that must not be connected to.
            httpcore.ConnectError: nothing answers there.
        """
        problem: Exception | None = None
        for address in self._checked(host, port):
            try:
                stream = self._connect(address, port, timeout=self.deadline.left(timeout))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
            else:
                return _TimedStream(stream, self)
        raise problem or FetchError(f"{host} has no address")

    def _checked(self, host: str, port: int) -> list[str]:
        """Return the addresses of a name, if all may be connected to: one that may not makes it a trap."""
        try:
            found = _within(self.deadline.left(), lambda: self._network.resolve(host, port))
            addresses = [ipaddress.ip_address(each.partition("%")[0]) for each in dict.fromkeys(found)]
        except (OSError, UnicodeError, ValueError) as error:
            raise FetchError(f"{host} cannot be found", "check the address, and the connection") from error
        for address in addresses:
            if not self._network.allowed(address):
                raise FetchError(
                    f"{host} is {address}, which is not an address of the public internet",
                    "save the page to a file, and add that",
                )
        return [str(address) for address in addresses]


class _TimedStream(httpcore.NetworkStream):
    """A connection that nobody can keep open beyond the deadline, byte by byte."""

    def __init__(self, stream: httpcore.NetworkStream, backend: GuardedBackend) -> None:
        self._stream = stream
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, timeout=self._backend.deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout=self._backend.deadline.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._backend.deadline.left(timeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, left), self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _within(seconds: float, resolving: Callable[[], Sequence[str]]) -> Sequence[str]:
    """Return what a call gives, which knows no time limit of its own.

    Raises:
        OSError: it took too long.
    """
    answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(resolving())
        except Exception as error:
            answers.put(error)

    threading.Thread(target=run, daemon=True, name="plait-resolve").start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError("no answer in time") from None
    if isinstance(answer, Exception):
        raise answer
    return answer
