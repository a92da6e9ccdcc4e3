"""What a registry wants to see: Basic, or a bearer token that is asked for elsewhere.

Protocol: RFC 7235 challenges; Docker's "Token Authentication Specification" and "OAuth2 token".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kolm_cli.core.errors import LackingError, Problem
from kolm_cli.registry.names import is_loopback
from kolm_cli.registry.remote.credentials import Credentials

if TYPE_CHECKING:
    import httpx

_MAX_ANSWER = 1 << 20
_PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"([^"]*)"|([^\s",]+))')


@dataclass(frozen=True)
class Challenge:
    """A `WWW-Authenticate` header: its scheme in lower case, and its parameters."""

    scheme: str
    parameters: dict[str, str]


def challenges(headers: list[str]) -> list[Challenge]:
    """Read the headers; what cannot be read is left out."""
    found = []
    for header in headers:
        scheme, _, rest = header.strip().partition(" ")
        parameters = {m[1].lower(): m[2] or m[3] or "" for m in _PARAMETER.finditer(rest)}
        found.append(Challenge(scheme.lower(), parameters))
    return found


def authorization(
    http: httpx.Client,
    offered: list[Challenge],
    credentials: Credentials | None,
    *,
    host: str,
    scope: str,
    plain_http: bool,
) -> str:
    """The `Authorization` header that answers one of the challenges.

    Raises:
        LackingError: none can be answered.
    """
    hint = f"docker login {host}"
    for challenge in offered:
        if challenge.scheme == "bearer":
            if credentials is not None and credentials.registry_token:
                return f"Bearer {credentials.registry_token}"
            return "Bearer " + _token(
                http, challenge, credentials, host=host, scope=scope, plain_http=plain_http
            )
        if challenge.scheme == "basic":
            if credentials is None or not credentials.user:
                raise LackingError(Problem("wants a user and a password", host), hint=hint)
            return credentials.basic
    raise LackingError(Problem("refuses, and does not say what it wants to see", host), hint=hint)


def _token(
    http: httpx.Client,
    challenge: Challenge,
    credentials: Credentials | None,
    *,
    host: str,
    scope: str,
    plain_http: bool,
) -> str:
    realm = challenge.parameters.get("realm", "")
    if not _may_ask(realm, host, plain_http=plain_http, secret=credentials is not None):
        # A password goes nowhere in the clear because a registry says so.
        raise LackingError(Problem(f"wants credentials sent to {realm!r:.200}", host))
    query = {"scope": scope}
    if service := challenge.parameters.get("service"):
        query["service"] = service
    if credentials is not None and credentials.identity_token:
        form = {
            **query,
            "grant_type": "refresh_token",
            "client_id": "kolm",
            "refresh_token": credentials.identity_token,
        }
        request = http.build_request("POST", realm, data=form)
    else:
        known = credentials is not None and credentials.user
        headers = {"Authorization": credentials.basic} if known and credentials else {}
        request = http.build_request("GET", realm, params=query, headers=headers)
    answer = http.send(request, stream=True)
    try:
        if answer.status_code != 200:
            raise LackingError(
                Problem(f"gives no token: {realm:.200} answers {answer.status_code}", host),
                hint=f"docker login {host}",
            )
        data = b""
        for piece in answer.iter_raw():
            data += piece
            if len(data) > _MAX_ANSWER:
                break
    finally:
        answer.close()
    return _read_token(data, host)


def _may_ask(realm: str, host: str, *, plain_http: bool, secret: bool) -> bool:
    """Whether a token may be asked for there.

    Credentials travel over https only, or to the very host of a registry on this machine;
    whoever has none to lose may also ask over http where http was allowed.
    """
    try:
        place, own = urlsplit(realm), urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    if place.scheme == "https":
        return True
    if place.scheme != "http" or not plain_http:
        return False
    return not secret or (place.hostname == own and is_loopback(own or ""))


def _read_token(data: bytes, host: str) -> str:
    try:
        value: Any = json.loads(data)
        token = value.get("token") or value.get("access_token")
    except (ValueError, AttributeError, RecursionError):
        token = None
    if not isinstance(token, str) or not token.isprintable():
        raise LackingError(Problem("answers with something that is not a token", host))
    return token
