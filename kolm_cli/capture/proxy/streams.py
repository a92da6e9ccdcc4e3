"""Server-sent events put together again: what a stream said, as one response."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


class IncompleteError(ValueError):
    """The stream ended before the answer did."""


def events(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream's `data:` fields, in their order."""
    # Only these end a line in a stream; str.splitlines would also break at others.
    text = body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    for block in text.split("\n\n"):
        data = "\n".join(
            line.removeprefix("data:").removeprefix(" ")
            for line in block.split("\n")
            if line.startswith("data:")
        )
        if data and data != "[DONE]":
            value = json.loads(data)
            if isinstance(value, dict):
                yield value


def openai_chat(body: bytes) -> dict[str, Any]:
    """A chat completion as it would have come without streaming; its first choice only.

    Raises:
        IncompleteError: no chunk said why the answer ended.
        ValueError: a chunk is not JSON.
    """
    text: list[str] = []
    refusal: list[str] = []
    calls = False
    model = reason = ""
    for chunk in events(body):
        model = chunk.get("model") or model
        if chunk.get("error"):
            raise IncompleteError("the stream ended with an error")
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) != 0:
                continue
            delta = choice.get("delta") or {}
            text.append(delta.get("content") or "")
            refusal.append(delta.get("refusal") or "")
            calls = calls or bool(delta.get("tool_calls") or delta.get("function_call"))
            reason = choice.get("finish_reason") or reason
    if not reason:
        raise IncompleteError("the stream ended before the answer did")
    message = {
        "role": "assistant",
        "content": "".join(text),
        "refusal": "".join(refusal),
        "tool_calls": calls,
    }
    return {"model": model, "choices": [{"finish_reason": reason, "message": message}]}


def openai_responses(body: bytes) -> dict[str, Any]:
    """The whole response, which the last event of the stream repeats.

    Raises:
        IncompleteError: that event is not there.
        ValueError: an event is not JSON.
    """
    for event in events(body):
        if event.get("type") in ("response.completed", "response.incomplete"):
            response = event.get("response")
            if isinstance(response, dict):
                return response
    raise IncompleteError("the stream ended before the answer did")


def anthropic(body: bytes) -> dict[str, Any]:
    """A message as it would have come without streaming.

    Raises:
        IncompleteError: the stream has no `message_stop`.
        ValueError: an event is not JSON.
    """
    message: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    stopped = False
    for event in events(body):
        kind = event.get("type")
        if kind == "message_start":
            message = dict(event.get("message") or {})
        elif kind == "content_block_start":
            blocks[event["index"]] = dict(event.get("content_block") or {})
        elif kind == "content_block_delta":
            delta = event.get("delta") or {}
            if delta.get("type") == "text_delta":
                block = blocks[event["index"]]
                block["text"] = block.get("text", "") + delta.get("text", "")
        elif kind == "message_delta":
            message.update(event.get("delta") or {})
        elif kind == "message_stop":
            stopped = True
        elif kind == "error":
            raise IncompleteError("the stream ended with an error")
    if not stopped:
        raise IncompleteError("the stream ended before the answer did")
    return {**message, "content": [blocks[index] for index in sorted(blocks)]}
