"""Anthropic's messages: rows that end with the assistant, and logged calls.

https://docs.anthropic.com/en/api/messages describes the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kolm_cli.formats.fields import Fields, Shape
from kolm_cli.formats.shapes.messages import (
    as_text_or_parts,
    conversation,
    read_content,
    read_messages,
    unknown_part,
    without_images,
)
from kolm_cli.formats.writing import Exported, ImageForms
from kolm_cli.records.conversation import Image, Message, Part
from kolm_cli.records.pair import Pair

KEYS = frozenset(
    {"request", "response", "messages", "system", "model", "max_tokens", "temperature", "id"}
    | {"top_p", "top_k", "stop_sequences", "metadata", "stream", "content", "role", "type"}
    | {"stop_reason", "stop_sequence", "usage"}
)


def image_part(fields: Fields, part: Mapping[str, Any], name: str) -> Part | None:
    """`{"type": "image", "source": {"type": "base64", "media_type", "data"}}`."""
    if part.get("type") in ("thinking", "redacted_thinking"):
        return None  # What was thought is no part of what was answered.
    source = part.get("source")
    if part.get("type") != "image" or not isinstance(source, Mapping):
        unknown_part(fields, part, name)
        return None
    kind = source.get("type")
    value: object
    if kind == "base64":
        value = {"bytes": source.get("data")}
    elif kind == "url":
        value = source.get("url")
    else:
        fields.problem(f"{name}.source.type: {kind!r} is not base64 or url")
        return None
    sha256 = fields.image(value, f"{name}.source")
    return None if sha256 is None else Image(sha256)


def claims(record: Mapping[str, Any]) -> bool:
    """A system prompt beside the messages, an image with a source, or Anthropic's response."""
    request = record.get("request", record)
    response = record.get("response")
    if not isinstance(request, Mapping) or not isinstance(request.get("messages"), list):
        return False
    if isinstance(response, Mapping) and isinstance(response.get("content"), list):
        return True
    return "system" in request or any(
        isinstance(part, Mapping) and isinstance(part.get("source"), Mapping)
        for message in request["messages"]
        if isinstance(message, Mapping) and isinstance(message.get("content"), list)
        for part in message["content"]
    )


def parse(fields: Fields) -> Pair | None:
    """`{"system", "messages"}` ending with the assistant, or with a `response` beside it."""
    request = fields.record.get("request", fields.record)
    response = fields.record.get("response")
    if not isinstance(request, Mapping) or request.get("messages") is None:
        fields.problem("the key 'messages' is missing")
        return None
    if request.get("tools") and response is None:
        fields.problem("tools: kolm trains answers, not calls of tools")
    head = read_content(fields, request.get("system"), image_part, "system")
    messages = [Message("system", head)] if head else []
    # In a logged call a marker is what somebody said.
    logged = request is not fields.record or response is not None
    texts = None if logged else without_images(fields)
    messages += read_messages(fields, request["messages"], image_part, texts=texts)
    model = request.get("model")
    tags: tuple[str, ...] = ()
    if isinstance(response, Mapping):
        model = response.get("model") or model
        said = read_content(fields, response.get("content"), image_part, "response.content")
        messages.append(Message("assistant", said))
        if response.get("stop_reason") == "max_tokens":
            tags = ("cut-short",)
    return Pair(conversation(messages), model=model if isinstance(model, str) else "", tags=tags)


def render(pair: Exported, images: ImageForms) -> dict[str, Any]:
    """The row that `parse` reads; images are in it as base64."""
    pair.refuse_extras("anthropic", may_have=("model",))

    def image(part: Image) -> dict[str, Any]:
        return {
            "type": "image",
            "source": {
                "type": "base64",
                "media_type": images.media_type(part.sha256),
                "data": images.base64(part.sha256),
            },
        }

    messages = pair.conversation.messages
    record: dict[str, Any] = {"model": pair.model} if pair.model else {}
    if messages[0].role == "system":
        record["system"] = messages[0].text
    record["messages"] = [
        {"role": message.role, "content": as_text_or_parts(message, image)}
        for message in messages
        if message.role != "system"
    ]
    return record


SHAPE = Shape(
    "anthropic",
    "Anthropic messages with base64 images",
    claims,
    parse,
    KEYS,
    render,
    log=True,
)
