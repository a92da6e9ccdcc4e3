"""What the formats with a list of messages have in common: roles, texts, parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kolm_cli.formats.fields import Fields
from kolm_cli.formats.image_references import WISHES
from kolm_cli.formats.kinds import kind_of, number_text
from kolm_cli.formats.shapes import markers, message_keys
from kolm_cli.formats.shapes.markers import MARKER
from kolm_cli.records.conversation import Conversation, Image, Message, Part, Role, Text, tidy

# What the formats call the three roles. Tools have none: kolm trains answers, not calls.
ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
}

# Reads a part that is not text: gives the part, or None after it reported a problem.
PartReader = Callable[[Fields, Mapping[str, Any], str], Part | None]
# Reads a user's text; told whether the text is all that the message holds, or a part of it.
TextReader = Callable[[str, bool], list[Part]]

_TOOLS = ("tool_calls", "function_call", "tool_call_id")
_TEXT_KEYS = frozenset({"text"})
_IMAGE_KEYS = frozenset(
    {"image_url", "image", "path", "base64", "url", "source", "text", "thinking", "data", "file_id"}
)
TEXT_TYPES = ("text", "input_text", "output_text")


def role_of(fields: Fields, value: object, name: str) -> Role | None:
    """The role that `value` names, or None and a problem."""
    role = ROLES.get(value) if isinstance(value, str) else None
    if role is None:
        said = repr(value) if isinstance(value, str) else kind_of(value)
        fields.problem(
            f"{name}: {said} is not a role that kolm knows", "write system, user or assistant"
        )
    return role


def read_messages(
    fields: Fields,
    value: object,
    other: PartReader,
    name: str = "messages",
    texts: TextReader | None = None,
) -> list[Message]:
    """Read a list of `{"role", "content"}`.

    Args:
        fields: the row.
        value: the list.
        other: reads the parts that are not text.
        name: what the list is called in messages.
        texts: reads the texts of users; they are what they say when None.
    """
    if not isinstance(value, list | tuple):
        fields.problem(f"{name}: expected a list of messages, found {kind_of(value)}")
        return []
    result = []
    for index, item in enumerate(value):
        place = f"{name}[{index}]"
        if not isinstance(item, Mapping):
            fields.problem(f"{place}: expected an object, found {kind_of(item)}")
            continue
        role = role_of(fields, item.get("role"), f"{place}.role")
        if any(item.get(key) for key in _TOOLS):
            fields.problem(f"{place}: calls a tool, which kolm does not train")
            continue
        learn = message_keys.learned(fields, item, role, place)
        if not learn and role != "user" and index == len(value) - 1:
            fields.problem(f"{place}: says that the response is not to be learned")
            learn = True
        message_keys.check(fields, item, place, frozenset())
        parts = read_content(
            fields, item.get("content"), other, f"{place}.content", role, texts=texts
        )
        if role is not None:
            result.append(Message(role, parts, learn or role != "assistant"))
    return result


def read_content(
    fields: Fields,
    value: object,
    other: PartReader,
    name: str,
    role: Role | None = None,
    texts: TextReader | None = None,
) -> tuple[Part, ...]:
    """Read a message's content: a text, a list of parts, or an assistant's number."""
    if texts is None or role != "user":
        texts = _as_it_is
    if value is None:
        return ()
    if role == "assistant":
        value = number_text(value) or value
    if isinstance(value, str):
        return tidy(texts(fields.as_text(value, name), True))
    if not isinstance(value, list | tuple):
        fields.problem(f"{name}: expected text or a list of parts, found {kind_of(value)}")
        return ()
    parts: list[Part] = []
    for index, item in enumerate(value):
        place = f"{name}[{index}]"
        if isinstance(item, str):
            parts += texts(fields.as_text(item, place), False)
        elif not isinstance(item, Mapping):
            fields.problem(f"{place}: expected an object, found {kind_of(item)}")
        elif item.get("type") in TEXT_TYPES:
            message_keys.check(fields, item, place, _TEXT_KEYS, part=True)
            parts += texts(fields.text("text", of=item, name=f"{place}.text"), False)
        else:
            known = _IMAGE_KEYS | WISHES
            message_keys.check(fields, item, place, known, part=True)
            part = other(fields, item, place)
            if isinstance(part, Image):
                part = replace(part, wishes=message_keys.wishes(fields, item, place))
            if part is not None:
                parts.append(part)
    return tidy(parts)


def without_images(fields: Fields) -> TextReader:
    """Reads the texts of rows whose images are parts: markers, and images beside, are mistakes."""
    for key in ("images", "image"):
        if fields.record.get(key) not in (None, []):
            fields.problem(
                f"{key}: read in files whose first rows have it, and these have not",
                "name the format, trl-messages, or give every row images, [] where it has none",
                kind=f"refused-key:{key}",
            )

    def text(said: str, whole: bool) -> list[Part]:
        if whole and markers.count(said):
            fields.problem(
                f"{MARKER} in a message, and no column of images beside the messages",
                f"name them in images, or write \\{MARKER} for the text itself",
            )
        return markers.place(said, iter(())) if whole else [Text(said)]

    return text


def _as_it_is(text: str, whole: bool) -> list[Part]:
    return [Text(text)]


def unknown_part(fields: Fields, part: Mapping[str, Any], name: str) -> None:
    """Report a part that the format does not have."""
    fields.problem(f"{name}: {part.get('type')!r} is not a kind of part that kolm reads here")


def as_text_or_parts(
    message: Message, image: Callable[[Image], dict[str, Any]]
) -> str | list[dict[str, Any]]:
    """A message's content as the chat formats write it: plain text where that is all."""
    if len(message.parts) == 1 and isinstance(message.parts[0], Text):
        text = message.parts[0].text
        # In a part it is text to every reader, and no marker.
        if message.role != "user" or MARKER not in text:
            return text
    return [
        {"type": "text", "text": part.text} if isinstance(part, Text) else image(part)
        for part in message.parts
    ]


def conversation(messages: list[Message]) -> Conversation:
    """The messages as one conversation; leading system messages become one."""
    head: list[Message] = []
    rest = list(messages)
    while rest and rest[0].role == "system":
        head.append(rest.pop(0))
    if len(head) > 1:
        text = "\n\n".join(message.text for message in head)
        head = [Message("system", (Text(text),))]
    return Conversation((*head, *rest))
