"""The real clients keep working, and every call of theirs becomes a pair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from kolm_cli.capture.store import Store
from tests.capture.proxy.helpers import ANSWER, KEY, Start, asked, name, pairs, request, uri


def test_the_real_clients_keep_working_and_every_call_becomes_a_pair(
    start: Start, home: Path
) -> None:
    import anthropic
    import openai

    proxy = start()
    gpt = openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=KEY)
    claude = anthropic.Anthropic(base_url=proxy.url, api_key=KEY)

    said = gpt.chat.completions.create(model="m", messages=asked("chat", 1))  # type: ignore[arg-type]
    assert said.choices[0].message.content == ANSWER
    chunks = gpt.chat.completions.create(
        model="m",
        messages=asked("chat stream", 2),
        stream=True,  # type: ignore[arg-type]
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER

    def given(text: str, colour: int) -> Any:
        return [{"role": "user", "content": [
            {"type": "input_text", "text": text},
            {"type": "input_image", "image_url": uri(colour), "detail": "auto"}]}]  # fmt: skip

    answer = gpt.responses.create(model="m", instructions="Brief.", input=given("responses", 3))
    assert answer.output_text == ANSWER
    with gpt.responses.stream(model="m", input=given("responses stream", 4)) as events:
        assert events.get_final_response().output_text == ANSWER

    def shown(text: str, colour: int) -> Any:
        data = uri(colour).partition(",")[2]
        source = {"type": "base64", "media_type": "image/png", "data": data}
        return [{"role": "user", "content": [
            {"type": "image", "source": source}, {"type": "text", "text": text}]}]  # fmt: skip

    message = claude.messages.create(model="c", max_tokens=9, messages=shown("claude", 5))
    assert message.content[-1].text == ANSWER  # type: ignore[union-attr]
    with claude.messages.stream(
        model="c", max_tokens=9, system="Brief.", messages=shown("claude stream", 6)
    ) as text:
        assert text.get_final_text() == ANSWER

    report = proxy.recorded(6)
    assert report["pairs"] == report["new_pairs"] == 6
    assert proxy.stop() == 0
    found = pairs(home)
    questions = [pair.conversation.messages[-2].text for pair in found]
    assert questions == [
        "chat", "chat stream", "responses", "responses stream", "claude", "claude stream",
    ]  # fmt: skip
    assert [pair.conversation.images for pair in found] == [(name(i),) for i in range(1, 7)]
    assert {pair.conversation.response for pair in found} == {ANSWER}
    assert [pair.model for pair in found] == ["m-2026"] * 4 + ["c"] * 2
    assert [pair.conversation.messages[0].role for pair in found] == [
        "user", "user", "system", "user", "user", "system",
    ]  # fmt: skip
    assert {pair.source for pair in found} == {"proxy"}


def test_several_images_and_turns_are_kept(start: Start, home: Path) -> None:
    import openai

    proxy = start()
    turns: Any = [
        {"role": "system", "content": "Be brief."},
        *asked("first", 1, 2),
        {"role": "assistant", "content": "I see two."},
        *asked("and now", 3),
    ]
    client = openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=KEY)
    client.chat.completions.create(model="m", messages=turns)
    proxy.recorded(1)
    (pair,) = pairs(home)
    assert [message.role for message in pair.conversation.messages] == [
        "system", "user", "assistant", "user", "assistant",
    ]  # fmt: skip
    assert pair.conversation.images == (name(1), name(2), name(3))


def test_calls_that_make_no_pair_pass_and_are_counted_with_the_reason(
    start: Start, home: Path
) -> None:
    proxy = start()
    broken = request()
    broken["messages"][0]["content"][1]["image_url"]["url"] = uri(1)[:-40]
    remote = request()
    remote["messages"][0]["content"][1]["image_url"]["url"] = "http://127.0.0.1:1/x.png?k=SECRET"
    file = request()
    file["messages"][0]["content"][1]["image_url"]["url"] = "/etc/hostname"
    with httpx.Client(base_url=proxy.url) as client:
        for body in (broken, remote, file):
            assert client.post("/v1/chat/completions", json=body).status_code == 200
        cut = client.post("/v1/chat/completions", json=request(True), headers={"X-Cut": "1"})
        assert cut.status_code == 200
        asked = {"model": "m", "input": "q", "previous_response_id": "resp_0"}
        assert client.post("/v1/responses", json=asked).status_code == 200
    report = proxy.recorded(5)
    assert report["without_pair"] == 5
    with Store.open(home) as store:
        notes = [note for (note,) in store.connection.execute("SELECT note FROM calls ORDER BY id")]
    assert "damaged" in notes[0]
    assert (
        notes[1]
        == "images from 127.0.0.1 are not allowed (--allow-image-host); "
        + notes[1].partition("; ")[2]
    )
    assert "no such image file" in notes[2]
    assert notes[3] == "the stream ended before the answer did"
    assert "previous_response_id" in notes[4]


def test_an_allowed_host_on_this_machine_is_still_refused(start: Start, home: Path) -> None:
    proxy = start("--allow-image-host", "localhost")
    body = request()
    body["messages"][0]["content"][1]["image_url"]["url"] = "http://localhost:1/x.png"
    httpx.post(f"{proxy.url}/v1/chat/completions", json=body).raise_for_status()
    assert "not on the public internet" in proxy.recorded(1)["last"]["no_pair"]
