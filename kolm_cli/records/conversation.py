"""The one record that every stage speaks of: a conversation with its images."""

from __future__ import annotations

from collections.abc import Iterator
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
class Image:
    """An image in a message, named by the SHA-256 (hex) of its encoded bytes."""

    sha256: str


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

    def learning_last(self) -> Conversation:
        """The same, of which the last turn alone is learned."""
        *earlier, last = self.messages
        shown = (replace(m, learn=m.role != "assistant") for m in earlier)
        return Conversation((*shown, last))

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
                "content": [
                    {"type": "text", "text": part.text}
                    if isinstance(part, Text)
                    else {"type": "image", "sha256": part.sha256}
                    for part in message.parts
                ],
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
                    tuple(
                        Text(part["text"]) if part["type"] == "text" else Image(part["sha256"])
                        for part in message["content"]
                    ),
                    message.get("learn", True),
                )
                for message in value
            )
        )


def tidy(parts: list[Part]) -> tuple[Part, ...]:
    """Join neighboring texts and drop empty ones: what a model is shown stays the same.

    Applications cut one text into several parts, or send an empty one, at random; without
    this equal prompts would be different pairs.
    """
    result: list[Part] = []
    for part in parts:
        if isinstance(part, Image):
            result.append(part)
        elif part.text:
            last = result[-1] if result else None
            if isinstance(last, Text):
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
