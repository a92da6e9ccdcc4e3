"""The one record that every stage speaks of: a conversation with its images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from kolm_cli.core import digests
from kolm_cli.core.errors import Problem

Role = Literal["system", "user", "assistant"]
ReviewState = Literal["pending", "accepted", "rejected"]


@dataclass(frozen=True)
class Text:
    """A piece of text in a message."""

    text: str


@dataclass(frozen=True)
class Box(Text):
    """Coordinates in a text: a box or a point of one of the conversation's images.

    For whoever knows nothing of coordinates it is a text, `[x1, y1, x2, y2]` or `[x, y]`. What a
    model is shown is in the convention of its family.

    Attributes:
        values: left, top, right and bottom of a box, or a point; in pixels of the upright image.
        image: which of the conversation's images, counted from 0.
    """

    values: tuple[float, ...]
    image: int = 0

    @classmethod
    def at(cls, values: Sequence[float], image: int = 0) -> Box:
        """The box or point at these coordinates, which are kept to a hundredth of a pixel."""
        kept = tuple(int(v) if v == int(v) else v for v in (round(v, 2) for v in values))
        return cls(coordinates_text(kept), kept, image)


@dataclass(frozen=True)
class Reference(Text):
    """The name of an object that is located, as some families mark it in a text."""


def coordinates_text(values: Sequence[float]) -> str:
    """Coordinates as kolm writes them where no family is involved: `[10, 15.5, 90, 70]`."""
    numbers = (f"{value:.2f}".rstrip("0").rstrip(".") for value in values)
    return f"[{', '.join(numbers)}]"


@dataclass(frozen=True)
class Image:
    """An image in a message.

    Attributes:
        sha256: names it: the digest (hex) of its encoded bytes.
        wishes: how large the row asks to show it, as `max_pixels` and the like, sorted by name.
    """

    sha256: str
    wishes: tuple[tuple[str, int], ...] = ()


Part = Text | Image


@dataclass(frozen=True)
class Message:
    """One turn: who speaks, and the text and images in their order.

    Attributes:
        role: who speaks.
        parts: the text and images.
        learn: whether an assistant's turn is learned; otherwise it is only shown.
    """

    role: Role
    parts: tuple[Part, ...]
    learn: bool = True

    @property
    def text(self) -> str:
        """The message's text without its images."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))


@dataclass(frozen=True)
class Conversation:
    """Messages in their order; the last is the assistant's, and is what training teaches."""

    messages: tuple[Message, ...]

    @classmethod
    def of(
        cls, prompt: str, response: str, images: tuple[str, ...] = (), system: str = ""
    ) -> Conversation:
        """A single turn: the images, then the prompt, then the response."""
        question = (Text(prompt),) if prompt else ()
        return cls.asking((*(Image(sha256) for sha256 in images), *question), response, system)

    @classmethod
    def asking(cls, asked: tuple[Part, ...], response: str, system: str = "") -> Conversation:
        """A single turn of any parts, and the response."""
        head = (Message("system", (Text(system),)),) if system else ()
        return cls((*head, Message("user", asked), Message("assistant", (Text(response),))))

    @property
    def images(self) -> tuple[str, ...]:
        """The digests of all images, in the order in which they are shown."""
        return tuple(self._images())

    def _images(self) -> Iterator[str]:
        for message in self.messages:
            for part in message.parts:
                if isinstance(part, Image):
                    yield part.sha256

    def unanswered(self) -> Conversation:
        """The same without its last answer, or with an empty one where it ends with a question."""
        asked = self.messages
        if asked and asked[-1].role == "assistant":
            asked = asked[:-1]
        return Conversation((*asked, Message("assistant", (Text(""),))))

    def learning_last(self) -> Conversation:
        """The same, of which the last turn alone is learned."""
        *earlier, last = self.messages
        shown = (replace(m, learn=m.role != "assistant") for m in earlier)
        return Conversation((*shown, last))

    @property
    def wishes(self) -> tuple[dict[str, int], ...]:
        """How large the row asks to show each image, in the order of `images`."""
        return tuple(dict(p.wishes) for m in self.messages for p in m.parts if isinstance(p, Image))

    @property
    def boxes(self) -> tuple[Box, ...]:
        """All coordinates, in the order in which they are said."""
        return tuple(p for m in self.messages for p in m.parts if isinstance(p, Box))

    @property
    def has_regions(self) -> bool:
        """Whether a text of it holds coordinates, or marks the name of what is located."""
        return any(isinstance(p, Box | Reference) for m in self.messages for p in m.parts)

    @property
    def plain(self) -> Conversation:
        """The same with coordinates and references as the plain texts that they are."""
        return Conversation(tuple(_plain(message) for message in self.messages))

    @property
    def response(self) -> str:
        """The text of the last message."""
        return self.messages[-1].text

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON: two equal conversations are one pair."""
        return digests.sha256_json(self.as_json())

    def as_json(self) -> list[dict[str, Any]]:
        """Plain lists and dictionaries; the inverse of `from_json`."""
        return [
            {
                "role": message.role,
                "content": [_part_as_json(part) for part in message.parts],
                **({} if message.learn else {"learn": False}),
            }
            for message in self.messages
        ]

    @classmethod
    def from_json(cls, value: list[dict[str, Any]]) -> Conversation:
        """Rebuild what `as_json` gave."""
        return cls(
            tuple(
                Message(
                    message["role"],
                    tuple(map(_part_from_json, message["content"])),
                    message.get("learn", True),
                )
                for message in value
            )
        )


def _plain(message: Message) -> Message:
    if not any(isinstance(part, Box | Reference) for part in message.parts):
        return message
    parts = tidy([Text(p.text) if isinstance(p, Text) else p for p in message.parts])
    return replace(message, parts=parts)


def _part_as_json(part: Part) -> dict[str, Any]:
    match part:
        case Image():
            return {"type": "image", "sha256": part.sha256, **dict(part.wishes)}
        case Box():
            return {"type": "box", "values": list(part.values), "image": part.image}
        case Reference(text):
            return {"type": "reference", "text": text}
        case Text(text):
            return {"type": "text", "text": text}


def _part_from_json(part: dict[str, Any]) -> Part:
    match part["type"]:
        case "image":
            wishes = {k: v for k, v in part.items() if k not in ("type", "sha256")}
            return Image(part["sha256"], tuple(sorted(wishes.items())))
        case "box":
            return Box.at(part["values"], part["image"])
        case "reference":
            return Reference(part["text"])
        case _:
            return Text(part["text"])


def tidy(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Join neighboring texts and drop empty ones: what a model is shown stays the same.

    Applications cut one text into several parts, or send an empty one, at random; without
    this equal prompts would be different pairs.
    """
    result: list[Part] = []
    for part in parts:
        # Coordinates and references are more than their text.
        if type(part) is not Text:
            result.append(part)
        elif part.text:
            last = result[-1] if result else None
            if type(last) is Text:
                result[-1] = Text(last.text + part.text)
            else:
                result.append(part)
    return tuple(result)


NO_RESPONSE, EMPTY_RESPONSE, NO_PROMPT = "no-response", "empty-response", "no-prompt"


def faults(conversation: Conversation, where: str = "") -> list[Problem]:
    """Why `conversation` cannot teach anything; empty when it can.

    Args:
        conversation: the messages.
        where: the place that the problems name.
    """
    messages = conversation.messages
    found: dict[str, str] = {}
    if not messages or messages[-1].role != "assistant":
        found[NO_RESPONSE] = (
            "the last message is not the assistant's: there is no response to learn"
        )
    elif not messages[-1].text.strip():
        found[EMPTY_RESPONSE] = "the response is empty"
    elif not messages[-1].learn:
        found["unlearned-response"] = "the last message says that it is not to be learned"
    if not any(message.role == "user" and message.parts for message in messages):
        found[NO_PROMPT] = "there is no prompt"
    if any(_shows_image(m) for m in messages if m.role == "assistant"):
        found["image-answer"] = (
            "an assistant's message holds an image; kolm trains text answers only"
        )
    if any(message.role == "system" for message in messages[1:]):
        found["late-system"] = "a system message comes after the first message"
    return [Problem(what, where=where, kind=kind) for kind, what in found.items()]


def _shows_image(message: Message) -> bool:
    return any(isinstance(part, Image) for part in message.parts)


def prompt_hash(conversation: Conversation) -> bytes:
    """32 bytes that name everything but the last message: the same question, the same hash."""
    return bytes.fromhex(digests.sha256_json(Conversation(conversation.messages[:-1]).as_json()))
