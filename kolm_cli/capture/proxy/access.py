"""Who may use the proxy: programs of this machine, or whoever knows the token."""

from __future__ import annotations

import contextlib
import hmac
import re
from urllib.parse import unquote, urlsplit

from kolm_cli.capture.web_pages import is_loopback, names_this_machine, of_another_site, two_lengths
from kolm_cli.core.errors import InputError, Problem

TOKEN_VARIABLE = "KOLM_PROXY_TOKEN"  # noqa: S105 - the name of the variable
TOKEN_HEADER = b"x-kolm-token"
# For applications that can set a base URL only: http://host:port/kolm-token/TOKEN/v1
_PREFIX = b"/kolm-token/"
_SHORTEST = 16


class RefusedError(Exception):
    """A request that is not passed on.

    Attributes:
        status: the status of the answer.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Access:
    """Decides on each request.

    Args:
        host: what the proxy binds to.
        token: what clients must show; may be empty on loopback only.
        origins: origins whose web pages may use the proxy.

    Raises:
        InputError: other machines could reach the proxy and there is no token, or a weak one.
    """

    def __init__(self, host: str, token: str, origins: tuple[str, ...] = ()) -> None:
        if not token and not is_loopback(host):
            raise InputError(
                Problem(
                    f"{host} can be reached from other machines, so a token is needed",
                    where="--host",
                    fix=f"set {TOKEN_VARIABLE}, for example to $(openssl rand -hex 16)",
                )
            )
        if token and len(token) < _SHORTEST:
            raise InputError(
                Problem(
                    f"shorter than {_SHORTEST} characters",
                    TOKEN_VARIABLE,
                    "make one: openssl rand -hex 24",
                )
            )
        self._token = token.encode()
        self._origins = tuple(map(_check_origin, origins))

    def admit(self, path: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
        """The path to pass on, without the token in it.

        Raises:
            RefusedError: says why the request is not passed on.
        """
        shown = b""
        if path.startswith(_PREFIX):
            shown, _, rest = path[len(_PREFIX) :].partition(b"/")
            path = b"/" + rest
        hosts = []
        for name, value in headers:
            if name.lower() == TOKEN_HEADER:
                shown = value
            elif name.lower() == b"host":
                hosts.append(value.decode("latin-1"))
        if self._token:
            if not hmac.compare_digest(shown, self._token):
                raise RefusedError(403, "this proxy wants its token in X-Kolm-Token")
        # A web page can make a browser ask a name of its own that resolves to 127.0.0.1.
        elif not all(map(names_this_machine, hosts)):
            raise RefusedError(403, "this proxy answers to names of this machine only")
        if of_another_site(headers, self._origins):
            raise RefusedError(403, "a web page may not use this proxy; see --allow-origin")
        if two_lengths(headers):
            raise RefusedError(400, "a body of two lengths is not passed on")
        if _leaves(path):
            raise RefusedError(400, "a path with . or .. in it is not passed on")
        return path


def _leaves(path: bytes) -> bool:
    """Whether a server could take a path for one outside of the upstream's prefix."""
    text = path.decode("latin-1")
    if not text.startswith("/"):
        return True
    for _ in range(4):
        segments = re.split(r"[/\\]", text)
        if any(segment.partition(";")[0] in (".", "..") for segment in segments):
            return True
        plain = unquote(text, "latin-1")
        if plain == text:
            return False
        text = plain
    return True


def _check_origin(origin: str) -> str:
    """An origin as browsers write it."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(origin)
        if parts.scheme and parts.netloc and origin == f"{parts.scheme}://{parts.netloc}":
            return origin
    raise InputError(
        Problem(f"{origin!r} is not an origin", "--allow-origin", "write https://app.example")
    )
