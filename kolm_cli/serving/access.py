"""Who may use the endpoint: programs of this machine, or whoever knows the token."""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable
from pathlib import Path

from kolm_cli.capture.web_pages import is_loopback, names_this_machine, of_another_site, two_lengths
from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.files import read_regular

TOKEN_VARIABLE = "KOLM_SERVE_TOKEN"  # noqa: S105 - the name of the variable
_SHORTEST, _LONGEST = 16, 4096

Headers = Iterable[tuple[bytes, bytes]]


def read_token(file: Path | None) -> str:
    """The token that clients must show: a file's one line, else what the environment says.

    Raises:
        InputError: the file cannot be read, or holds no token.
    """
    if file is None:
        return os.environ.get(TOKEN_VARIABLE, "")
    try:
        text = read_regular(file, _LONGEST).decode("ascii").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a line of ASCII"
        what, fix = f"cannot be read: {reason}", "name a file with one line: the token"
        raise InputError(Problem(what, f"--token-file {file}", fix)) from error
    if not text:
        raise InputError(
            Problem(
                "is empty", f"--token-file {file}", "write a token into it: openssl rand -hex 24"
            )
        )
    return text


class Access:
    """Decides on each request.

    Args:
        host: what the server binds to.
        token: what clients must show as a bearer token; may be empty on loopback only.

    Raises:
        InputError: other machines could reach the server and there is no token, or a weak one.
    """

    def __init__(self, host: str, token: str) -> None:
        if not token and not is_loopback(host):
            raise InputError(
                Problem(
                    f"{host} can be reached from other machines, so a token is needed",
                    where="--host",
                    fix=f"set {TOKEN_VARIABLE}, for example to $(openssl rand -hex 16), or name a"
                    " file with --token-file",
                )
            )
        if token and (len(token) < _SHORTEST or not token.isascii() or not token.isprintable()):
            raise InputError(
                Problem(
                    f"the token has fewer than {_SHORTEST} printable ASCII characters",
                    where=TOKEN_VARIABLE,
                    fix="take $(openssl rand -hex 16)",
                )
            )
        self._token = token.encode("ascii")

    def refusal(self, headers: Headers) -> tuple[int, str] | None:
        """The status and the words with which a request is refused; None admits it."""
        headers = list(headers)
        if two_lengths(headers):
            return 400, "the request has both Content-Length and Transfer-Encoding"
        if of_another_site(headers):
            return 403, "a web page may not use this server"
        if self._token:
            shown = next((v for name, v in headers if name.lower() == b"authorization"), b"")
            if not hmac.compare_digest(shown, b"Bearer " + self._token):
                return 401, "this server wants its token as the API key"
        # A web page can make a browser ask a name of its own that resolves to 127.0.0.1.
        elif not all(
            names_this_machine(value.decode("latin-1"))
            for name, value in headers
            if name.lower() == b"host"
        ):
            return 403, "this server answers to names of this machine only"
        return None
