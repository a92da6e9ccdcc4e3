"""One server behind OpenAI's chat API, asked with patience and believed in nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from kolm_cli.bundle.format import layout
from kolm_cli.capture.web_pages import is_loopback
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import InputError, LackingError, Problem, VerificationError
from kolm_cli.core.files import read_regular
from kolm_cli.core.versions import own_version

TOKEN_VARIABLE = "KOLM_SERVER_TOKEN"  # noqa: S105 - the name of the variable
ATTEMPTS = 3
PAUSE_SECONDS = 0.5
MAX_ANSWER = layout.MIB
MAX_MODELS = 1000
_KEY = "name a file with one line: the key"
_LONGEST_NAME = 200
# Statuses after which another attempt may do better.
_LATER = (408, 409, 425, 429, 500, 502, 503, 504)


class ServerError(Exception):
    """The server did not answer a request; the message says what it did."""


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        text: what was said, without white space around it; None for nothing.
        prompt_tokens: the tokens of the prompt, as the server counts; None when it does not say.
    """

    text: str | None
    prompt_tokens: int | None


@dataclass(frozen=True)
class Identity:
    """What a server says that it is.

    Attributes:
        name: the program.
        version: of the program; empty when it does not say.
    """

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()


def read_token(file: Path | None) -> str:
    """The server's key: a file's one line, else what the environment says.

    Raises:
        InputError: the file cannot be read, or it is no key.
    """
    text = os.environ.get(TOKEN_VARIABLE, "")
    where = TOKEN_VARIABLE
    if file is not None:
        where = f"--token-file {file}"
        try:
            text = read_regular(file, 4096).decode("ascii").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not a line of ASCII"
            raise InputError(Problem(f"cannot be read: {reason}", where, _KEY)) from error
    if not text.isascii() or not text.isprintable():
        raise InputError(Problem("is not one line of ASCII", where, _KEY))
    return text


def root_of(url: str) -> str:
    """A server's address without the `/v1` at its end.

    Raises:
        InputError: not an address of http, or one with a name and password in it.
    """
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or "@" in parts.netloc or parts.query or parts.fragment:
        raise InputError(
            Problem(f"{url[:200]!r} is not a server's address", "--server", "http://127.0.0.1:8000")
        )
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


class Server:
    """A server.

    Args:
        http: the connections; `connected` makes them.
        root: the address without `/v1`.
        seconds: the longest that one request may take.
    """

    def __init__(self, http: httpx.AsyncClient, root: str, seconds: float) -> None:
        self._http, self.root, self._seconds = http, root, seconds

    async def models(self) -> list[tuple[str, str]]:
        """The names that can be asked, and who the server says owns each.

        Raises:
            LackingError: the server cannot be asked.
        """
        try:
            found = await self._json("GET", "/v1/models")
        except ServerError as error:
            raise LackingError(
                Problem(f"the server cannot be asked: {error}", self.root),
                hint="start it, and give its address with --server",
            ) from error
        data = found.get("data") if isinstance(found, dict) else None
        if not isinstance(data, list):
            raise LackingError(
                Problem(
                    "does not list its models as OpenAI's API does",
                    self.root,
                    "write the address without a path: http://127.0.0.1:8000",
                )
            )
        return [
            (item["id"], _short(item.get("owned_by")))
            for item in data[:MAX_MODELS]
            if isinstance(item, dict) and isinstance(item.get("id"), str)
        ]

    async def ask(
        self,
        model: str,
        messages: Sequence[Mapping[str, Any]],
        max_tokens: int,
        options: Mapping[str, Any],
    ) -> Reply:
        """One greedy answer.

        Raises:
            ServerError: there is none.
        """
        body = {"model": model, "messages": messages, "temperature": 0, "max_tokens": max_tokens}
        found = await self._json("POST", "/v1/chat/completions", {**body, **options})
        try:
            said = found["choices"][0]["message"]["content"]
        except (TypeError, LookupError):
            raise ServerError("the reply has no choices[0].message.content") from None
        if said is not None and not isinstance(said, str):
            raise ServerError("the answer is not text")
        text = (said or "").strip()
        if len(text) > layout.MAX_TEXT:
            raise ServerError(f"the answer has more than {layout.MAX_TEXT} characters")
        usage = found.get("usage")
        count = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        return Reply(text or None, count if type(count) is int and count >= 0 else None)

    async def look(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What a server has at a path that only some have; None where it has nothing."""
        try:
            return await self._json("GET" if body is None else "POST", path, body, attempts=1)
        except ServerError:
            return None

    async def _json(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        attempts: int = ATTEMPTS,
    ) -> Any:
        for attempt in range(1, attempts + 1):
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._once(method, path, body)
            except _LaterError as error:
                if attempt == attempts:
                    raise ServerError(str(error)) from error
            except TimeoutError:
                # Whoever did not answer in that time is not asked to begin anew.
                raise ServerError(f"no answer within {self._seconds:g} s") from None
            except httpx.HTTPError as error:
                if attempt == attempts:
                    raise ServerError(str(error)[:200] or type(error).__name__) from error
            await asyncio.sleep(PAUSE_SECONDS * 2 ** (attempt - 1))
        raise AssertionError("unreachable")

    async def _once(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        async with self._http.stream(method, f"{self.root}{path}", json=body) as answer:
            data = b""
            async for piece in answer.aiter_bytes():
                data += piece
                if len(data) > MAX_ANSWER:
                    raise ServerError(f"an answer of more than {MAX_ANSWER} bytes")
        if not answer.is_success:
            kind = _LaterError if answer.status_code in _LATER else ServerError
            raise kind(f"it answers {answer.status_code} {_short(data)}".rstrip())
        try:
            return canonical_json.loads(data, max_bytes=MAX_ANSWER)
        except VerificationError as error:
            raise ServerError(f"an answer that is not JSON: {error}") from error


class _LaterError(ServerError):
    """Another attempt may do better."""


def _short(words: object) -> str:
    """A server's own words, bounded and printable."""
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    if not isinstance(text, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in text[:_LONGEST_NAME]).strip()


@asynccontextmanager
async def connected(
    url: str, *, token: str, seconds: float, parallel: int
) -> AsyncIterator[Server]:
    """A server, for as long as the block lasts.

    Args:
        url: its address, with or without `/v1`.
        token: its key; empty for none.
        seconds: the longest that one request may take.
        parallel: how many requests are under way at once.
    """
    root = root_of(url)
    headers = {"User-Agent": f"kolm/{own_version}"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    async with httpx.AsyncClient(
        headers=headers,
        timeout=httpx.Timeout(seconds, connect=min(seconds, 15.0)),
        limits=httpx.Limits(max_connections=parallel + 1),
        follow_redirects=False,
        # No proxy for this machine; elsewhere the usual variables count.
        trust_env=not is_loopback(urlsplit(root).hostname or ""),
    ) as http:
        yield Server(http, root, seconds)


# Who owns the models that a server lists names the program; the last of each is where it tells
# its version, and under which key.
_OWNERS = {
    "vllm": ("vLLM", "/version", "version"),
    "sglang": ("SGLang", "/get_server_info", "version"),
    "llamacpp": ("llama.cpp", "/props", "build_info"),
    "kolm": ("kolm serve", "/version", "version"),
    "library": ("Ollama", "/api/version", "version"),
}


def tells_all(owner: str) -> bool:
    """Whether a server whose models have this owner lists everything that it can be asked."""
    return owner.lower() in _OWNERS


async def identify(server: Server, owner: str) -> Identity:
    """What a server says that it is.

    Args:
        server: the server.
        owner: who owns its models.
    """
    name, path, key = _OWNERS.get(owner.lower(), ("", "/version", "version"))
    found = await server.look(path)
    version = _short(found.get(key)) if isinstance(found, dict) else ""
    return Identity(name or "unknown", version)
