"""Telling requests that a web page makes a browser send from those of programs.

A page can make a browser ask this machine, under a name of its own or by address. Browsers say
so: in `Host`, `Origin` and `Sec-Fetch-Site`, which no page can write.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable

# A name or an address, maybe in brackets, and maybe a port.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@/]+)(?::[0-9]{0,5})?", re.ASCII)
# What a browser says of a request by this site's own pages, or by its user.
_OWN = (b"same-origin", b"none")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def names_this_machine(host: str) -> bool:
    """Whether the value of a `Host` header is a name or an address of this machine alone."""
    found = _HOST.fullmatch(host)
    return not host or (found is not None and is_loopback(found[1]))


def of_another_site(headers: Iterable[tuple[bytes, bytes]], allowed: Collection[str] = ()) -> bool:
    """Whether a page of another site made a browser send a request with these headers.

    Args:
        headers: names and values as they came.
        allowed: origins (`https://app.example`) whose pages may.
    """
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        values.setdefault(name.lower(), []).append(value.strip())
    hosts, origins = values.get(b"host", []), values.get(b"origin", [])
    own = [b"http://" + host for host in hosts] + [b"https://" + host for host in hosts]
    known = {origin.lower().encode() for origin in allowed}
    if any(origin.lower() not in known and origin not in own for origin in origins):
        return True
    # A page that may ask says so in its origin.
    fetched = values.get(b"sec-fetch-site", [])
    return any(site not in _OWN for site in fetched) and not any(
        origin.lower() in known for origin in origins
    )


def two_lengths(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request says in two ways how long its body is.

    A program in front may believe the other one, and take the rest for another client's request.
    """
    return {b"content-length", b"transfer-encoding"} <= {name.lower() for name, _ in headers}
