"""A request is read strictly: an option that would be ignored is refused, pictures are inside."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.core.errors import InputError
from kolm_cli.serving.requests import read_request
from tests.capture.helpers import png

URI = "data:image/png;base64," + base64.b64encode(png((1, 2, 3))).decode()


def request(*images: str, text: str = "hue?", **more: Any) -> dict[str, Any]:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in images]
    asked = {"role": "user", "content": [*parts, {"type": "text", "text": text}]}
    return {"model": "m", "messages": [asked], **more}


def refused(body: object) -> str:
    with pytest.raises(InputError) as caught:
        read_request(body)
    return "; ".join(f"{problem.what} {problem.fix}" for problem in caught.value.problems)


def test_a_picture_and_a_question() -> None:
    asked = read_request(request(URI, temperature=0, max_completion_tokens=5, n=1, stop="x"))
    assert asked.model == "m"
    assert asked.options == {"temperature": 0, "max_tokens": 5, "stop": ["x"]}
    (image,) = asked.row.conversation.images
    assert asked.row.images[image].read() == png((1, 2, 3))
    assert [message.role for message in asked.row.conversation.messages] == ["user", "assistant"]


def test_a_text_alone_with_a_system_prompt_and_an_earlier_turn() -> None:
    turns = [("system", "s"), ("user", "a"), ("assistant", "b"), ("user", "c")]
    body = {"model": "m", "messages": [{"role": r, "content": t} for r, t in turns]}
    said = [message.text for message in read_request(body).row.conversation.messages]
    assert said == ["s", "a", "b", "c", ""]


def test_no_file_and_no_address_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(png((1, 2, 3)))
    path = str(tmp_path / "a.png")
    (tmp_path / "data:").mkdir()
    monkeypatch.chdir(tmp_path)
    for url in ("data:/../a.png", "DATA:/../a.png", "data:", "data:;base64"):
        assert "as a data URI" in refused(request(url))
    assert read_request(request(URI.replace("data:", "DATA:"))).row.images
    for url in (path, f"file://{path}", "http://127.0.0.1:1/a.png", base64.b64encode(b"x" * 60)):
        url = url if isinstance(url, str) else url.decode()
        assert "as a data URI" in refused(request(url))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n": 2}, "n: is not something that this server does"),
        ({"tools": [{"type": "function"}]}, "tools: is not something"),
        ({"logprobs": True}, "logprobs: is not something"),
        ({"response_format": {"type": "json_object"}}, "response_format: is not something"),
        ({"generation_config": "{}"}, "generation_config: is not something"),
        ({"max_tokens": 0}, "max_tokens: expected a whole number from 1 to 4096"),
        ({"max_tokens": 10**6}, "max_tokens: expected"),
        ({"max_tokens": True}, "max_tokens: expected"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "exclude each other"),
        ({"temperature": -1}, "temperature: expected a number from 0 to 2"),
        ({"temperature": float("nan")}, "temperature: expected"),
        ({"temperature": 1e-320}, "temperature: expected 0, or 0.001 and more"),
        ({"top_p": 0}, "top_p: expected a number above 0"),
        ({"seed": 2**64}, "seed: expected"),
        ({"stop": [""]}, "stop: expected"),
        ({"stop": ["a"] * 5}, "stop: expected"),
        ({"stream": "yes"}, "stream: expected true or false"),
        ({"model": ""}, "model: expected a name"),
        ({"messages": []}, "there is no prompt"),
        ({"messages": [{"role": "assistant", "content": "a"}]}, "the last one is not the user's"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "is not a role"),
        ({"messages": "hi"}, "expected a list of messages"),
    ],
    ids=str,
)
def test_what_is_refused(change: dict[str, Any], words: str) -> None:
    assert words in refused({**request(URI), **change})


def test_all_problems_at_once_and_a_damaged_picture() -> None:
    said = refused(request(URI[:-40], n=2, max_tokens=0))
    for words in ("image_url", "n: is not", "max_tokens: expected"):
        assert words in said
    assert "not an object" in refused([])


def test_what_would_take_minutes_for_one_client() -> None:
    assert "more than 64 images" in refused(request(*[URI] * 65))
    assert "more than 262144 characters" in refused(request(text="a" * 262_145))
    many = [{"role": "user", "content": "a"}] * 1001
    assert "more than 1000 messages" in refused({"model": "m", "messages": many})
    assert len(read_request(request(*[URI] * 64)).row.conversation.messages) == 2
