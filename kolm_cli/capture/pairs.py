"""What goes into the store, and what comes out of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from kolm_cli.capture.blobs import ImageSource
from kolm_cli.capture.record import Conversation, Image, Message, Part, Text
from kolm_cli.core import digests
from kolm_cli.core.images import ImageFacts

ReviewState = Literal["pending", "accepted", "rejected"]
# The database holds a state as its index here.
REVIEW_STATES: tuple[ReviewState, ...] = ("pending", "accepted", "rejected")


@dataclass(frozen=True)
class NewPair:
    """A pair to be stored.

    Attributes:
        conversation: the messages; the last is the assistant's.
        source: where it came from: `charts.jsonl:17`, `proxy`, `add`.
        images: by SHA-256, the bytes of every image of the conversation, or where they are.
        answers: further answers that are as right as the response.
        model: who gave the response, when that is known.
        tags: words to find it by.
        captured: milliseconds since 1970 (UTC); None for now.
        facts: by SHA-256, what decoding an image found, where that was done already.
        review: the state in which it starts.
    """

    conversation: Conversation
    source: str
    images: Mapping[str, ImageSource | bytes]
    answers: tuple[str, ...] = ()
    model: str = ""
    tags: tuple[str, ...] = ()
    captured: int | None = None
    facts: Mapping[str, ImageFacts] = field(default_factory=dict)
    review: ReviewState = "pending"


@dataclass(frozen=True)
class Added:
    """What became of one added pair.

    Attributes:
        new: False when the namespace held the pair already.
        digest: the pair's digest (hex).
        id: its number in the store, for `kolm capture show` and `rm`.
    """

    new: bool
    digest: str
    id: int


@dataclass(frozen=True)
class StoredPair:
    """A pair as the store gives it; times are milliseconds since 1970 (UTC)."""

    id: int
    namespace: str
    digest: str
    conversation: Conversation
    answers: tuple[str, ...]
    source: str
    model: str
    captured: int
    tags: tuple[str, ...]
    review: ReviewState
    reviewer: str
    reviewed: int | None
    corrected_from: str

    def provenance(self) -> dict[str, str]:
        """What a receipt may say of the pair: no prompt, no image, no response.

        `source` names the file it came from (not its folder) or the way (`proxy`, `add`);
        `reviewer` is who accepted it, or empty.
        """
        accepted = self.review == "accepted"
        return {
            "sha256": self.digest,
            "source": self.source,
            "review": self.review,
            "reviewer": self.reviewer if accepted else "",
        }

    def as_json(self) -> dict[str, Any]:
        """The pair as the document that `--json` prints."""
        return {
            "id": self.id,
            "namespace": self.namespace,
            "digest": self.digest,
            "messages": self.conversation.as_json(),
            "answers": list(self.answers),
            "source": self.source,
            "model": self.model,
            "time": time_text(self.captured),
            "tags": list(self.tags),
            "review": self.review,
            "reviewer": self.reviewer,
            "reviewed": None if self.reviewed is None else time_text(self.reviewed),
            "corrected_from": self.corrected_from or None,
        }


def time_text(milliseconds: int) -> str:
    """ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def tidy(parts: list[Part]) -> tuple[Part, ...]:
    """Join neighbouring texts and drop empty ones: what a model is shown stays the same.

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


def faults(conversation: Conversation) -> list[str]:
    """Why `conversation` cannot teach anything; empty when it can."""
    messages = conversation.messages
    found: list[str] = []
    if not messages or messages[-1].role != "assistant":
        found.append("the last message is not the assistant's: there is no response to learn")
    elif not messages[-1].text.strip():
        found.append("the response is empty")
    if not any(message.role == "user" and message.parts for message in messages):
        found.append("there is no prompt")
    if any(_shows_image(m) for m in messages if m.role == "assistant"):
        found.append("an assistant's message holds an image; kolm trains text answers only")
    if any(message.role == "system" for message in messages[1:]):
        found.append("a system message stands after the first message")
    return found


def _shows_image(message: Message) -> bool:
    return any(isinstance(part, Image) for part in message.parts)


def prompt_hash(conversation: Conversation) -> bytes:
    """32 bytes that name everything but the last message: the same question, the same hash."""
    return bytes.fromhex(digests.sha256_json(Conversation(conversation.messages[:-1]).as_json()))


def answers_text(answers: tuple[str, ...]) -> str:
    """How the database holds further answers."""
    return json.dumps(answers, ensure_ascii=False) if answers else ""


def answers_from(text: str) -> tuple[str, ...]:
    """The inverse of `answers_text`."""
    return tuple(json.loads(text)) if text else ()
