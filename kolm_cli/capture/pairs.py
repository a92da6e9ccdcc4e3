"""What goes into the store, and what comes out of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kolm_cli.core.times import time_text
from kolm_cli.records.conversation import ReviewState
from kolm_cli.records.images import ImageSource
from kolm_cli.records.pair import HasPair
from kolm_cli.records.pictures import ImageFacts

# The database holds a state as its index here.
REVIEW_STATES: tuple[ReviewState, ...] = ("pending", "accepted", "rejected")


@dataclass(frozen=True)
class NewPair(HasPair):
    """A pair to be stored; without a time it was captured now.

    Attributes:
        source: where it came from: `charts.jsonl:17`, `proxy`, `add`.
        images: by SHA-256, the bytes of every image of the conversation, or where they are.
        facts: by SHA-256, what decoding an image found, where that was done already.
    """

    source: str
    images: Mapping[str, ImageSource | bytes]
    facts: Mapping[str, ImageFacts] = field(default_factory=dict)


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
class StoredPair(HasPair):
    """A pair as the store gives it.

    Attributes:
        id: its number in the store.
        namespace: the namespace that holds it.
        digest: SHA-256 (hex) of its conversation.
        source: where it came from: `charts.jsonl:17`, `proxy`, `add`.
        reviewer: who decided its review state, or "".
        reviewed: when, milliseconds since 1970 (UTC).
        corrected_from: the digest that it had before its response was first corrected, or "".
    """

    id: int
    namespace: str
    digest: str
    source: str
    reviewer: str
    reviewed: int | None
    corrected_from: str

    @property
    def captured(self) -> int:
        """Milliseconds since 1970 (UTC); the store always knows."""
        return self.pair.captured or 0

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
