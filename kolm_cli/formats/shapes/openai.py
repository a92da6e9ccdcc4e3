"""OpenAI's chat messages: fine-tuning rows, and logged calls with their responses.

https://platform.openai.com/docs/guides/vision-fine-tuning and
https://platform.openai.com/docs/api-reference/chat/create describe the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kolm_cli.formats.fields import Fields, Shape
from kolm_cli.formats.shapes import message_keys
from kolm_cli.formats.shapes.messages import (
    as_text_or_parts,
    conversation,
    read_content,
    read_messages,
    unknown_part,
    without_images,
)
from kolm_cli.formats.writing import CannotError, Exported, ImageForms
from kolm_cli.records.conversation import Image, Message, Part
from kolm_cli.records.pair import Pair

_FINETUNE_KEYS = frozenset({"messages", "id", "tools", "parallel_tool_calls", "functions"})
_CHAT_KEYS = frozenset(
    {"request", "response", "messages", "choices", "model", "id", "created", "object", "usage"}
    | {"body", "custom_id", "method", "url", "error"}
)


def image_part(fields: Fields, part: Mapping[str, Any], name: str) -> Part | None:
    """`{"type": "image_url", "image_url": {"url": ...}}`, or the url itself as text."""
    if part.get("type") not in ("image_url", "input_image"):
        unknown_part(fields, part, name)
        return None
    value = part.get("image_url")
    if isinstance(value, Mapping):
        message_keys.check(fields, value, f"{name}.image_url", frozenset({"url"}), part=True)
        value = value.get("url")
    sha256 = fields.image(value, f"{name}.image_url")
    return None if sha256 is None else Image(sha256)


def claims_finetune(record: Mapping[str, Any]) -> bool:
    """Messages, and nothing that another chat format would have."""
    return isinstance(record.get("messages"), list)


def parse_finetune(fields: Fields) -> Pair | None:
    """`{"messages": [..., the assistant's]}`."""
    for key in ("tools", "functions"):
        if fields.record.get(key):
            fields.problem(f"{key}: kolm trains answers, not calls of tools")
    if fields.record.get("messages") is None:
        fields.check_keys(_FINETUNE_KEYS, required=("messages",))
        return None

    texts = without_images(fields)
    messages = read_messages(fields, fields.record["messages"], image_part, texts=texts)
    return Pair(conversation(messages))


def render_finetune(pair: Exported, images: ImageForms) -> dict[str, Any]:
    """The row that `parse_finetune` reads; images are in it as data URIs."""
    pair.refuse_extras("openai-finetune", may_have=("learn",))

    def image(part: Image) -> dict[str, Any]:
        return {"type": "image_url", "image_url": {"url": images.data_uri(part.sha256)}}

    return {
        "messages": [
            {"role": message.role, "content": as_text_or_parts(message, image)}
            | ({} if message.learn else {"weight": 0})
            for message in pair.conversation.messages
        ]
    }


def claims_chat(record: Mapping[str, Any]) -> bool:
    """A call and what came back."""
    request, response = _call(record)
    return isinstance(request.get("messages"), list) and isinstance(response.get("choices"), list)


def _call(record: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    request = record.get("request") or record.get("body") or record
    response = record.get("response") or record
    # The batch API wraps bodies once more.
    if isinstance(request, Mapping) and isinstance(request.get("body"), Mapping):
        request = request["body"]
    if isinstance(response, Mapping) and isinstance(response.get("body"), Mapping):
        response = response["body"]
    empty: Mapping[str, Any] = {}
    return (
        request if isinstance(request, Mapping) else empty,
        response if isinstance(response, Mapping) else empty,
    )


def parse_chat(fields: Fields) -> Pair | None:
    """`{"request": {"messages", ...}, "response": {"choices", ...}}`, or both in one object."""
    request, response = _call(fields.record)
    if request.get("messages") is None:
        fields.problem("the key 'messages' is missing from the request")
        return None
    messages = read_messages(fields, request["messages"], image_part)
    tags: tuple[str, ...] = ()
    choices = response.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    answer = first.get("message") if isinstance(first, Mapping) else None
    if not isinstance(answer, Mapping):
        fields.problem("the response has no choices[0].message")
        return None
    if answer.get("tool_calls") or answer.get("function_call"):
        fields.problem("the response calls a tool, which kolm does not train")
        return None
    if answer.get("refusal") and not answer.get("content"):
        fields.problem("the model refused to answer")
        return None
    assert isinstance(first, Mapping)  # noqa: S101 - for the type checker
    if first.get("finish_reason") == "length":
        tags = ("cut-short",)
    said = read_content(fields, answer.get("content"), image_part, "response")
    model = response.get("model") or request.get("model") or ""
    return Pair(
        conversation([*messages, Message("assistant", said)]),
        model=model if isinstance(model, str) else "",
        tags=tags,
    )


def render_chat(pair: Exported, images: ImageForms) -> dict[str, Any]:
    """The row that `parse_chat` reads."""
    if set(pair.tags) - {"cut-short"} and not pair.lossy:
        raise CannotError("openai-chat has no place for tags")
    pair.refuse_extras("openai-chat", may_have=("model", "tags"))

    def image(part: Image) -> dict[str, Any]:
        return {"type": "image_url", "image_url": {"url": images.data_uri(part.sha256)}}

    *asked, answer = pair.conversation.messages
    return {
        "request": {
            "model": pair.model,
            "messages": [
                {"role": message.role, "content": as_text_or_parts(message, image)}
                for message in asked
            ],
        },
        "response": {
            "model": pair.model,
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "length" if "cut-short" in pair.tags else "stop",
                    "message": {"role": "assistant", "content": answer.text},
                }
            ],
        },
    }


FINETUNE = Shape(
    "openai-finetune",
    "OpenAI fine-tuning rows with vision: messages with image_url parts",
    claims_finetune,
    parse_finetune,
    _FINETUNE_KEYS,
    render_finetune,
)
CHAT = Shape(
    "openai-chat",
    "logged OpenAI chat calls: request and response",
    claims_chat,
    parse_chat,
    _CHAT_KEYS,
    render_chat,
    log=True,
)
