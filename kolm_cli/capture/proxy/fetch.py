"""Images that a call names by URL: fetched only from hosts that the user allowed.

A call's text is written by others, so a URL must not become a way into the user's network:
the host's addresses are resolved once, every one must be public, and the connection goes to
the very address that was checked. Redirects are not followed.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

MAX_IMAGE = 20 * 1024 * 1024
SECONDS = 10.0
# All images of one call together: calls that follow wait for them.
CALL_SECONDS = 60.0

# Addresses that hold an IPv4 address in their last bits, which a gateway may reach.
_HOLD_IPV4 = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::ffff:0:0:0/96")))
# Not of the open internet, whatever `ipaddress` says: local NAT64, site-local, IPv4-compatible.
_LOCAL = tuple(map(ipaddress.IPv6Network, ("64:ff9b:1::/48", "fec0::/10", "::/96")))

Resolve = Callable[[str, int], list[str]]


class FetchError(ValueError):
    """The image was not fetched; the message says why."""


def resolve_host(host: str, port: int) -> list[str]:
    """Every address of `host`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return sorted({str(item[4][0]) for item in found})


def is_public(address: str) -> bool:
    """Whether an address is of the open internet: not private, loopback, link-local, ..."""
    found = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    if isinstance(found, ipaddress.IPv6Address):
        if any(found in network for network in _LOCAL):
            return False
        if any(found in network for network in _HOLD_IPV4):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found.is_global and not found.is_multicast and (inner is None or inner.is_global)


class _Pinned(http.client.HTTPConnection):
    """Connects to an address that was checked, whatever the name resolves to by now."""

    def __init__(self, host: str, port: int, address: str, secure: bool, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._address = address
        self._secure = secure

    def connect(self) -> None:
        """Open the connection."""
        plain = socket.create_connection((self._address, self.port), self.timeout)
        self.plain = plain
        if self._secure:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(
                plain, server_hostname=self.host, do_handshake_on_connect=False
            )
            # `plain` has given its descriptor away by now.
            self.plain = self.sock
            self.sock.do_handshake()
        else:
            self.sock = plain

    def break_off(self) -> None:
        """End whatever waits for the other side, from another thread."""
        with contextlib.suppress(OSError, AttributeError):
            self.plain.shutdown(socket.SHUT_RDWR)


class Fetcher:
    """Fetches images from allowed hosts.

    Args:
        hosts: names that `--allow-image-host` gave; `.example.org` allows its subdomains.
        resolve: gives a host's addresses.
        public: says whether an address may be connected to.
    """

    def __init__(
        self,
        hosts: tuple[str, ...] = (),
        resolve: Resolve = resolve_host,
        public: Callable[[str], bool] = is_public,
    ) -> None:
        self._hosts = tuple(host.lower() for host in hosts)
        self._resolve = resolve
        self._public = public
        self._until = 0.0

    def allows(self, host: str) -> bool:
        """Whether the user allowed this host."""
        return any(
            host == allowed or (allowed.startswith(".") and host.endswith(allowed))
            for allowed in self._hosts
        )

    def fetch(self, url: str) -> bytes:
        """The bytes behind `url`.

        Raises:
            FetchError: not allowed, not public, too large, too slow, or not there.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise FetchError("an image's URL is not one") from error
        if parts.scheme not in ("http", "https"):
            raise FetchError(f"an image's URL begins with {parts.scheme[:20]}:")
        if not self.allows(host):
            raise FetchError(f"images from {host} are not allowed (--allow-image-host)")
        secure = parts.scheme == "https"
        port = port or (443 if secure else 80)
        return _within(SECONDS, host, lambda opened: self._get(url, host, port, secure, opened))

    def _get(
        self, url: str, host: str, port: int, secure: bool, opened: Callable[[_Pinned], None]
    ) -> bytes:
        parts = urlsplit(url)
        try:
            addresses = self._resolve(host, port)
            if not addresses or not all(self._public(address) for address in addresses):
                raise FetchError(f"{host} is not on the public internet")
            connection = _Pinned(host, port, addresses[0], secure, SECONDS)
            opened(connection)
            try:
                target = parts.path or "/"
                connection.request("GET", f"{target}?{parts.query}" if parts.query else target)
                response = connection.getresponse()
                if response.status != 200:
                    raise FetchError(f"{host} answered {response.status}")
                return self._body(response, host)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, FetchError):
                raise
            raise FetchError(f"fetching from {host} failed: {type(error).__name__}") from error

    def _body(self, response: http.client.HTTPResponse, host: str) -> bytes:
        data = bytearray()
        while piece := response.read1(65536):
            data += piece
            if len(data) > MAX_IMAGE:
                raise FetchError(f"an image from {host} has more than {MAX_IMAGE} bytes")
        return bytes(data)

    def resolve(self, value: Any, problems: list[str]) -> Any:
        """`value` with every image URL in it replaced by what is behind it, as base64.

        What cannot be fetched stays, and `problems` says why.
        """
        self._until = time.monotonic() + CALL_SECONDS
        return self._resolved(value, problems)

    def _resolved(self, value: Any, problems: list[str]) -> Any:
        if isinstance(value, list):
            return [self._resolved(item, problems) for item in value]
        if not isinstance(value, Mapping):
            return value
        result = {key: self._resolved(item, problems) for key, item in value.items()}
        kind = result.get("type")
        if kind in ("image_url", "input_image"):
            inner = result.get("image_url")
            url = inner.get("url") if isinstance(inner, Mapping) else inner
            if isinstance(url, str) and _is_url(url):
                result["image_url"] = self._inline(url, problems) or inner
        elif kind == "url" and _is_url(result.get("url")):
            data = self._inline(result["url"], problems)
            if data:
                result = {"type": "base64", "data": data.partition(",")[2]}
        return result

    def _inline(self, url: str, problems: list[str]) -> str | None:
        try:
            if time.monotonic() > self._until:
                raise FetchError(f"a call's images took more than {CALL_SECONDS:g} seconds")
            data = self.fetch(url)
        except FetchError as error:
            problems.append(str(error))
            return None
        return "data:application/octet-stream;base64," + base64.b64encode(data).decode("ascii")


def _within(seconds: float, host: str, get: Callable[[Callable[[_Pinned], None]], bytes]) -> bytes:
    """What `get` gives within so many seconds, name look-up and handshake included.

    It runs on a thread, as nothing else bounds all of its steps together.

    Raises:
        FetchError: it took longer.
    """
    connections: list[_Pinned] = []
    answer: queue.Queue[bytes | FetchError] = queue.Queue()

    def work() -> None:
        try:
            answer.put(get(connections.append))
        except FetchError as error:
            answer.put(error)
        except Exception as error:
            answer.put(FetchError(f"fetching from {host} failed: {type(error).__name__}"))

    threading.Thread(target=work, daemon=True).start()
    try:
        found = answer.get(timeout=seconds)
    except queue.Empty:
        for connection in connections:
            connection.break_off()
        raise FetchError(f"an image from {host} took more than {seconds:g} seconds") from None
    if isinstance(found, FetchError):
        raise found
    return found


def _is_url(value: object) -> bool:
    return isinstance(value, str) and "://" in value[:12]
