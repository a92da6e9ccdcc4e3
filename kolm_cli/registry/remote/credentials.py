"""Credentials as `docker login` left them: `config.json`, its stores and its helpers."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kolm_cli.core.errors import LackingError, Problem
from kolm_cli.core.files import read_regular

_MAX_CONFIG_BYTES = 1 << 20
_HELPER = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
# What a helper says when it knows no such server: not an error.
_UNKNOWN = "credentials not found"


@dataclass(frozen=True)
class Credentials:
    """How to prove who asks. Never printed.

    Attributes:
        user: the user's name.
        password: the password, or an access token used as one.
        identity_token: an OAuth2 refresh token, instead of both.
        registry_token: a bearer token to send as it is.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an `Authorization: Basic` header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def config_path() -> Path:
    """Docker's configuration: in `$DOCKER_CONFIG`, else in `~/.docker`."""
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"


def credentials_for(host: str) -> Credentials | None:
    """The credentials for a registry; None to ask without.

    Raises:
        LackingError: the configuration is damaged, or its helper fails.
    """
    path = config_path()
    try:
        config = json.loads(read_regular(path, _MAX_CONFIG_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        # The parser's message could quote the file.
        raise LackingError(Problem("cannot be read as JSON", str(path))) from error
    if not isinstance(config, dict):
        raise LackingError(Problem("is not a Docker configuration", str(path)))
    names = _names(host)
    helpers = _table(config.get("credHelpers"))
    helper = next((helpers[n] for n in names if n in helpers), None) or config.get("credsStore")
    if helper:
        for name in names:
            if (found := _from_helper(str(helper), name)) is not None:
                return found
    auths = _table(config.get("auths"))
    for name in names:
        entry = auths.get(name)
        if isinstance(entry, dict) and (found := _from_entry(entry, path)) is not None:
            return found
    return None


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(host: str) -> list[str]:
    hosts = _HUB if host in _HUB else (host,)
    names = ["https://index.docker.io/v1/"] if host in _HUB else []
    for name in hosts:
        names += [name, f"https://{name}", f"https://{name}/v1/", f"http://{name}"]
    return names


def _from_entry(entry: dict[str, Any], path: Path) -> Credentials | None:
    user, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            text = base64.b64decode(str(entry["auth"]), validate=True).decode()
        except ValueError:
            # Without its cause, which could quote the secret.
            raise LackingError(
                Problem("an auth entry is not base64", str(path)), hint="docker login"
            ) from None
        user, _, password = text.rstrip("\0").partition(":")
    found = Credentials(
        user,
        password,
        str(entry.get("identitytoken") or ""),
        str(entry.get("registrytoken") or ""),
    )
    return found if found != Credentials() else None


def _from_helper(helper: str, server: str) -> Credentials | None:
    """Ask `docker-credential-HELPER`, by the protocol of docker-credential-helpers."""
    program = f"docker-credential-{helper}"
    where = str(config_path())
    if not _HELPER.fullmatch(helper):
        raise LackingError(Problem(f"{helper!r:.80} cannot be a helper's name", where))
    try:
        done = subprocess.run(
            [program, "get"],
            input=server,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except FileNotFoundError as error:
        raise LackingError(Problem(f"names {program}, which is not installed", where)) from error
    except subprocess.TimeoutExpired as error:
        raise LackingError(Problem(f"{program} does not answer", where)) from error
    if done.returncode != 0:
        if _UNKNOWN in (done.stdout + done.stderr).lower():
            return None
        raise LackingError(Problem(f"{program} failed with exit code {done.returncode}", where))
    try:
        answer = json.loads(done.stdout)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise LackingError(Problem(f"{program} gave no credentials", where)) from None
    if user == "<token>":
        return Credentials(identity_token=secret)
    return Credentials(user, secret)
