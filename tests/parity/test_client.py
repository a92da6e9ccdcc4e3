"""A server is asked with patience and believed in nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core.errors import InputError, LackingError
from kolm_cli.parity import client
from kolm_cli.parity.client import Reply, ServerError, connected, identify, read_token, root_of
from tests.parity.fake_server import Fake, completion, serving

MESSAGES = [{"role": "user", "content": "?"}]


def ask(fake: Fake, *, seconds: float = 30.0, token: str = "") -> Reply:
    async def run() -> Reply:
        async with connected(fake.url, token=token, seconds=seconds, parallel=1) as server:
            return await server.ask("m", MESSAGES, 4, {})

    return asyncio.run(run())


def test_a_greedy_answer_as_short_as_the_bundles() -> None:
    with serving(lambda body, image: completion("  seven\n", 12)) as fake:
        assert ask(fake, token="s3cret") == Reply("seven", 12)
        assert fake.headers["Authorization"] == "Bearer s3cret"
    (body,) = fake.requests
    assert (body["temperature"], body["max_tokens"], body["model"]) == (0, 4, "m")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"not json", "not JSON"),
        (b"[]", r"no choices\[0\]"),
        (b'{"choices": []}', r"no choices\[0\]"),
        (json.dumps({"choices": [{"message": {"content": 7}}]}).encode(), "is not text"),
        (completion("x" * 70_000)[1], "more than 65536 characters"),
        (b'{"choices": ' + b"[" * 500 + b"]" * 500 + b"}", "nested deeper"),
        (b'{"choices": [], "choices": []}', "occurs twice"),
        (b'{"choices": [{"message": {"content": "\\ud800"}}]}', "surrogate"),
        (b" " * (client.MAX_ANSWER + 1), "more than 1048576 bytes"),
    ],
)
def test_hostile_answers(body: bytes, words: str) -> None:
    with serving(lambda _, image: (200, body)) as fake, pytest.raises(ServerError, match=words):
        ask(fake)
    assert len(fake.requests) == 1


def test_nothing_and_a_strange_count_are_no_errors() -> None:
    with serving(lambda body, image: completion(None)) as fake:
        assert ask(fake) == Reply(None, None)
        for count in (-1, True, "12", 1.5):
            fake.answer = lambda body, image, c=count: completion("a", c)  # type: ignore[misc]
            assert ask(fake) == Reply("a", None)


def after(failures: int, status: int) -> Callable[[dict[str, Any], str], tuple[int, bytes]]:
    left = [failures]

    def answer(body: dict[str, Any], image: str) -> tuple[int, bytes]:
        left[0] -= 1
        return (status, b"busy \x1b[2J") if left[0] >= 0 else completion("a")

    return answer


def test_patience_has_an_end() -> None:
    with serving(after(2, 503)) as fake:
        assert ask(fake).text == "a"
    with serving(after(9, 503)) as fake, pytest.raises(ServerError, match=r"503 busy  \[2J$"):
        ask(fake)
    assert len(fake.requests) == client.ATTEMPTS
    with serving(after(9, 400)) as fake, pytest.raises(ServerError, match="400"):
        ask(fake)
    assert len(fake.requests) == 1


def test_a_slow_answer_is_not_waited_for() -> None:
    def slow(body: dict[str, Any], image: str) -> tuple[int, bytes]:
        time.sleep(3)
        return completion("a")

    with serving(slow) as fake, pytest.raises(ServerError, match=r"no answer within 0\.2 s"):
        ask(fake, seconds=0.2)


def test_nobody_there() -> None:
    async def models() -> None:
        async with connected("http://127.0.0.1:1/v1/", token="", seconds=5, parallel=1) as server:
            await server.models()

    with pytest.raises(LackingError, match="cannot be asked"):
        asyncio.run(models())


@pytest.mark.parametrize(
    ("owner", "paths", "said"),
    [
        ("vllm", {"/version": {"version": "0.32.0"}}, "vLLM 0.32.0"),
        ("llamacpp", {"/props": {"build_info": "b11739-abc"}}, "llama.cpp b11739-abc"),
        ("someone", {"/version": {"version": "\x1b[2J" + "9" * 500}}, "unknown [2J" + "9" * 196),
        ("", {}, "unknown"),
    ],
)
def test_what_a_server_is(owner: str, paths: dict[str, Any], said: str) -> None:
    async def run(fake: Fake) -> str:
        async with connected(fake.url, token="", seconds=5, parallel=1) as server:
            (_, who), *_ = await server.models()
            return str(await identify(server, who))

    with serving(after(0, 200), paths=paths, models=[("m", owner)]) as fake:
        assert asyncio.run(run(fake)) == said


def test_addresses() -> None:
    assert root_of("http://127.0.0.1:8000") == "http://127.0.0.1:8000"
    assert root_of("https://host/api/v1/") == "https://host/api"
    for wrong in (
        "127.0.0.1:8000",
        "ftp://x",
        "http://",
        "http://u:p@x",
        "http://x?a=1",
        "file:/x",
    ):
        with pytest.raises(InputError, match="is not a server's address"):
            root_of(wrong)


def test_the_key_is_in_the_environment_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOLM_SERVER_TOKEN", "abc")
    assert read_token(None) == "abc"
    (tmp_path / "key").write_text("def\n")
    assert read_token(tmp_path / "key") == "def"
    (tmp_path / "key").write_text("two\nlines\n")
    with pytest.raises(InputError, match="one line"):
        read_token(tmp_path / "key")
    with pytest.raises(InputError, match="No such file"):
        read_token(tmp_path / "none")
