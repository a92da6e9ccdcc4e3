"""What is known about a pair, whoever holds it: a reader, the store, an export."""

from __future__ import annotations

from dataclasses import dataclass

from kolm_cli.records.conversation import Conversation, ReviewState


@dataclass(frozen=True)
class Pair:
    """A conversation whose last message is the answer to learn, and what is said about it.

    Attributes:
        conversation: the messages; images are named by SHA-256.
        answers: further answers that are as right as the response.
        model: who gave the response, or "" when that is not known.
        tags: words to find it by.
        captured: milliseconds since 1970 (UTC); None when nobody said.
        review: the review state.
    """

    conversation: Conversation
    answers: tuple[str, ...] = ()
    model: str = ""
    tags: tuple[str, ...] = ()
    captured: int | None = None
    review: ReviewState = "pending"


@dataclass(frozen=True)
class HasPair:
    """The base of every record that says more about a pair: where it was read, its number, ….

    Attributes:
        pair: the pair; its fields can be read from the record itself.
    """

    pair: Pair

    @property
    def conversation(self) -> Conversation:
        """The pair's messages."""
        return self.pair.conversation

    @property
    def answers(self) -> tuple[str, ...]:
        """The pair's further answers."""
        return self.pair.answers

    @property
    def model(self) -> str:
        """Who gave the response."""
        return self.pair.model

    @property
    def tags(self) -> tuple[str, ...]:
        """The pair's tags."""
        return self.pair.tags

    @property
    def review(self) -> ReviewState:
        """The pair's review state."""
        return self.pair.review
