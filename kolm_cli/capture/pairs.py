"""What goes into the store, and what comes out of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kolm_cli.core.times import time_text
from kolm_cli.records.conversation import Conversation, ReviewState
from kolm_cli.records.images import ImageSource
from kolm_cli.records.pictures import ImageFacts

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


def answers_text(answers: tuple[str, ...]) -> str:
    """How the database holds further answers."""
    return json.dumps(answers, ensure_ascii=False) if answers else ""


def answers_from(text: str) -> tuple[str, ...]:
    """The inverse of `answers_text`."""
    return tuple(json.loads(text)) if text else ()
