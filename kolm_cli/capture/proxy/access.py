"""Who may use the proxy: programs of this machine, or whoever knows the token."""

from __future__ import annotations

import hmac
import ipaddress

from kolm_cli.core.errors import InputError, Problem

TOKEN_VARIABLE = "KOLM_PROXY_TOKEN"  # noqa: S105 - the name of the variable
TOKEN_HEADER = b"x-kolm-token"
# For applications that can set a base URL only: http://host:port/kolm-token/TOKEN/v1
_PREFIX = b"/kolm-token/"
_SHORTEST = 16


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Access:
    """Decides on each request.

    Args:
        host: what the proxy binds to.
        token: what clients must show; may be empty on loopback only.

    Raises:
        InputError: other machines could reach the proxy and there is no token, or a weak one.
    """

    def __init__(self, host: str, token: str) -> None:
        if not token and not is_loopback(host):
            raise InputError(
                Problem(
                    f"{host} can be reached from other machines, so a token is needed",
                    where="--host",
                    fix=f"set {TOKEN_VARIABLE}, for example to $(openssl rand -hex 16)",
                )
            )
        if token and len(token) < _SHORTEST:
            raise InputError(Problem(f"shorter than {_SHORTEST} characters", TOKEN_VARIABLE))
        self._token = token.encode()

    def admit(self, path: bytes, headers: list[tuple[bytes, bytes]]) -> bytes | None:
        """The path to pass on, without the token in it; None when the request is refused."""
        shown = b""
        if path.startswith(_PREFIX):
            shown, _, rest = path[len(_PREFIX) :].partition(b"/")
            path = b"/" + rest
        for name, value in headers:
            if name.lower() == TOKEN_HEADER:
                shown = value
        if self._token:
            return path if hmac.compare_digest(shown, self._token) else None
        # A web page can make a browser ask a name of its own that resolves to 127.0.0.1.
        host = next((value for name, value in headers if name.lower() == b"host"), b"")
        return path if _names_this_machine(host.decode("latin-1")) else None


def _names_this_machine(host: str) -> bool:
    name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else ""
    return not host or is_loopback(name or host.rpartition(":")[0] or host)
