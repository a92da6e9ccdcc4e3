"""TRL's rows: `messages` with `images`, and `prompt` with `completion`.

https://huggingface.co/docs/trl/dataset_formats describes them. A part `{"type": "image"}` stands
for the next of `images`, and so does `<image>` in a text that is the whole content, as
LLaMA-Factory and ms-swift write it; without any, images come before the first question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kolm_cli.formats.fields import Fields, Shape
from kolm_cli.formats.shapes import markers, rows
from kolm_cli.formats.shapes.messages import (
    conversation,
    read_content,
    read_messages,
    unknown_part,
)
from kolm_cli.formats.writing import Exported, ImageForms
from kolm_cli.records.conversation import Image, Message, Part, Role, Text, tidy
from kolm_cli.records.pair import Pair
from kolm_cli.scoring import judging

_EXTRAS = frozenset({"answers", "model", "tags", "time", "review", "id", *judging.KEYS})
_MESSAGES_KEYS = frozenset({"messages", "system", "images", "image", *_EXTRAS})
_PROMPT_KEYS = frozenset({"prompt", "completion", "system", "images", "image", *_EXTRAS})
# A part may name its image itself, as chat templates allow.
_INLINE = ("image", "path", "base64", "url")


class _Placeholders:
    """Hands out the row's images to the parts and markers that stand for them."""

    def __init__(self, fields: Fields) -> None:
        value = fields.record.get("images")
        if value is None:
            value = fields.record.get("image")
        self._given = len(value) if isinstance(value, list | tuple) else int(value is not None)
        self._images = [] if value is None else list(fields.image_list(value, "images"))
        self._waiting = iter(self._images)
        self._parts = self._markers = self._in_parts = 0

    def part(self, fields: Fields, part: Mapping[str, Any], name: str) -> Part | None:
        """A part that is an image, or stands for the next one."""
        if part.get("type") != "image":
            unknown_part(fields, part, name)
            return None
        inline = next((part[key] for key in _INLINE if part.get(key) is not None), None)
        if inline is not None:
            sha256 = fields.image(inline, name)
        else:
            self._parts += 1
            # Too many are counted, and reported once for the row.
            sha256 = next(self._waiting, None)
        return None if sha256 is None else Image(sha256)

    def text(self, text: str, whole: bool) -> list[Part]:
        """A user's text; where it is the whole content, its markers stand for images."""
        found = markers.count(text)
        if not whole:
            self._in_parts += found
            return [Text(text)]
        self._markers += found
        return markers.place(text, self._waiting)

    def placed(self, fields: Fields, messages: list[Message]) -> list[Message]:
        """Put images that nothing stands for before the first question."""
        used = self._parts + self._markers
        if used not in (0, self._given):
            if self._parts:
                fields.problem(
                    f"{used} image parts for {self._given} images",
                    "give as many images as parts that show one",
                )
            else:
                fields.problem(markers.mismatch(used, self._given), markers.FIX)
        elif self._in_parts and self._given and not used:
            fields.problem(
                f"{markers.MARKER} in a text part, beside images that no part shows",
                'write {"type": "image"} where the image goes, or one text instead of parts',
            )
        if used or not self._images:
            return messages
        asked = next((i for i, m in enumerate(messages) if m.role == "user"), None)
        if asked is None:
            return messages
        first = messages[asked]
        shown = replace(first, parts=(*map(Image, self._images), *first.parts))
        return [*messages[:asked], shown, *messages[asked + 1 :]]


def claims_messages(record: Mapping[str, Any]) -> bool:
    """Messages with images beside them, or with parts that refer to images."""
    messages = record.get("messages")
    if not isinstance(messages, list):
        return False
    return bool(
        record.keys() & {"images", "image", "answers"}
        or any(
            isinstance(part, Mapping) and part.get("type") == "image" and not part.get("source")
            for message in messages
            if isinstance(message, Mapping) and isinstance(message.get("content"), list)
            for part in message["content"]
        )
    )


def parse_messages(fields: Fields) -> Pair | None:
    """`{"messages": [...], "images": [...]}`."""
    fields.check_keys(_MESSAGES_KEYS, required=("messages",))
    if fields.record.get("messages") is None:
        return None
    images = _Placeholders(fields)
    messages = read_messages(fields, fields.record["messages"], images.part, texts=images.text)
    messages = images.placed(fields, messages)
    further = fields.texts("answers")
    return Pair(conversation([*_system(fields), *messages]), further, **rows.extras(fields))


def _system(fields: Fields) -> list[Message]:
    """The system prompt that some rows have beside their messages."""
    said = fields.text("system")
    return [Message("system", (Text(said),))] if said else []


def claims_prompt(record: Mapping[str, Any]) -> bool:
    """Only this format says `completion`, or has messages as a prompt."""
    return "prompt" in record and ("completion" in record or isinstance(record["prompt"], list))


def parse_prompt(fields: Fields) -> Pair | None:
    """`{"prompt": text or messages, "completion": text or messages, "images": [...]}`."""
    required = {"prompt", "completion"} - ({"prompt"} & fields.record.keys())
    if fields.asking:
        required -= {"completion"}
    fields.check_keys(_PROMPT_KEYS, required=sorted(required))
    images = _Placeholders(fields)
    messages: list[Message] = []
    roles: dict[str, Role] = {"prompt": "user", "completion": "assistant"}
    for key, role in roles.items():
        value = fields.record.get(key)
        if isinstance(value, list | tuple):
            messages += read_messages(fields, value, images.part, key, images.text)
        else:
            said = read_content(fields, value, images.part, key, role, images.text)
            messages.append(Message(role, said))
    messages = images.placed(fields, messages)
    further = fields.texts("answers")
    return Pair(conversation([*_system(fields), *messages]), further, **rows.extras(fields))


def _content(message: Message) -> list[dict[str, Any]]:
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, Text)
        else {"type": "image", **dict(part.wishes)}
        for part in tidy(list(message.parts))
    ]


def _messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    return [
        {"role": message.role, "content": _content(message)}
        | ({} if message.learn else {"weight": 0})
        for message in messages
    ]


def render_messages(pair: Exported, images: ImageForms) -> dict[str, Any]:
    """The row that `parse_messages` reads."""
    return {
        "messages": _messages(pair.conversation.messages),
        "images": [images.reference(sha256) for sha256 in pair.conversation.images],
        **pair.extras(),
    }


def render_prompt(pair: Exported, images: ImageForms) -> dict[str, Any]:
    """The row that `parse_prompt` reads."""
    return {
        "prompt": _messages(pair.conversation.messages[:-1]),
        "completion": _messages(pair.conversation.messages[-1:]),
        "images": [images.reference(sha256) for sha256 in pair.conversation.images],
        **pair.extras(),
    }


MESSAGES = Shape(
    "trl-messages",
    "TRL: messages and images",
    claims_messages,
    parse_messages,
    _MESSAGES_KEYS,
    render_messages,
    wishes=True,
)
PROMPT = Shape(
    "trl-prompt",
    "TRL: prompt, completion and images",
    claims_prompt,
    parse_prompt,
    _PROMPT_KEYS,
    render_prompt,
    wishes=True,
)
