"""ShareGPT and LLaVA: `conversations` of human and gpt, `<image>` where an image goes.

One newline after a marker belongs to the marker, as LLaVA writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kolm_cli.formats.fields import Fields, Shape
from kolm_cli.formats.kinds import kind_of, number_text
from kolm_cli.formats.shapes import markers, message_keys
from kolm_cli.formats.shapes.markers import MARKER
from kolm_cli.formats.shapes.messages import conversation, role_of
from kolm_cli.formats.writing import CannotError, Exported, ImageForms
from kolm_cli.records.conversation import Image, Message, Part, Text, tidy
from kolm_cli.records.pair import Pair

KEYS = frozenset({"conversations", "image", "images", "system", "id", "model"})
_NAMES = {"system": "system", "user": "human", "assistant": "gpt"}


def claims(record: Mapping[str, Any]) -> bool:
    """Only this format says `conversations`."""
    return "conversations" in record


def parse(fields: Fields) -> Pair | None:
    """Read one record; images without any marker stand before the first question."""
    fields.check_keys(KEYS, required=("conversations",))
    for key in ("video", "videos", "audio", "audios"):
        if fields.record.get(key):
            fields.problem(f"{key}: kolm reads images only")
    listed = fields.record.get("images")
    if listed is None:
        listed = fields.record.get("image")
    shown = () if listed is None else fields.image_list(listed, "image")
    turns = _turns(fields)
    expected = len(listed) if isinstance(listed, list | tuple) else int(listed is not None)
    marks = sum(markers.count(text) for role, text, _ in turns if role == "user")
    if wrong := markers.mismatch(marks, expected):
        fields.problem(wrong, markers.FIX)
    if fields.problems:
        return None
    waiting = iter(shown)
    messages: list[Message] = []
    if system := fields.text("system"):
        messages.append(Message("system", (Text(system),)))
    for role, text, learn in turns:
        parts: list[Part] = [Text(text)]
        if role == "user":
            first = [] if marks else [Image(sha256) for sha256 in waiting]
            parts = [*first, *markers.place(text, waiting, own_newline=True)]
        messages.append(Message(role, tidy(parts), learn))
    return Pair(conversation(messages), model=fields.text("model"))


def _turns(fields: Fields) -> list[tuple[Any, str, bool]]:
    value = fields.record.get("conversations")
    if value is None:
        return []
    if not isinstance(value, list):
        fields.problem(f"conversations: expected a list, found {kind_of(value)}")
        return []
    result = []
    for index, turn in enumerate(value):
        place = f"conversations[{index}]"
        if not isinstance(turn, Mapping):
            fields.problem(f"{place}: expected an object, found {kind_of(turn)}")
            continue
        # Some write the chat formats' names into this one.
        role = role_of(fields, turn.get("from", turn.get("role")), f"{place}.from")
        key = "value" if "value" in turn else "content"
        said = turn.get(key)
        if role == "assistant":
            said = number_text(said) or said
        text = "" if said is None else fields.as_text(said, f"{place}.value")
        learn = message_keys.learned(fields, turn, role, place)
        if not learn and index == len(value) - 1:
            fields.problem(f"{place}: says that the response is not to be learned")
            learn = True
        message_keys.check(fields, turn, place, frozenset())
        if role is not None:
            result.append((role, text, learn or role != "assistant"))
    return result


def render(pair: Exported, images: ImageForms) -> dict[str, Any]:
    """The record that `parse` reads."""
    pair.refuse_extras("sharegpt", may_have=("model", "learn"))
    turns = []
    for message in pair.conversation.messages:
        value = ""
        for part in message.parts:
            if isinstance(part, Image):
                value += f"{MARKER}\n"
            elif message.role == "user" and MARKER in part.text:
                raise CannotError(f"a question says {MARKER}, which marks images in this format")
            else:
                value += part.text
        turn: dict[str, Any] = {"from": _NAMES[message.role], "value": value}
        turns.append(turn if message.learn else {**turn, "weight": 0})
    record: dict[str, Any] = {"model": pair.model} if pair.model else {}
    shown = [images.reference(sha256) for sha256 in pair.conversation.images]
    if shown:
        record["image"] = shown[0] if len(shown) == 1 else shown
    record["conversations"] = turns
    return record


SHAPE = Shape(
    "sharegpt",
    "ShareGPT and LLaVA: conversations with <image>",
    claims,
    parse,
    KEYS,
    render,
    array=True,
)
