"""A training or evaluation row: a conversation, where its images are, what else is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from kolm_cli.core import digests
from kolm_cli.records.conversation import Conversation
from kolm_cli.records.images import ImageSource
from kolm_cli.scoring.judging import PLAIN, Judging


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        id: how a person finds it again: `charts.jsonl:17`.
        conversation: what is asked and answered; its images are named by digest.
        images: digest to the source of the bytes, for every image of the conversation.
        answers: what evaluation accepts besides the response. Where one is repeated, these are
            what several people said, each as often as it was given.
        provenance: of a captured pair, its digest, where it came from and who accepted it. It is
            no part of the row's digest: the same content trains the same way.
        judging: what the row says of its own judging: its group, its weight, its metric.
    """

    id: str
    conversation: Conversation
    images: Mapping[str, ImageSource] = field(default_factory=dict)
    answers: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    judging: Judging = PLAIN

    @property
    def accepted(self) -> tuple[str, ...]:
        """Every accepted answer, the response first; repeated only where `answers` repeats."""
        response = (self.conversation.response,) if self.conversation.response else ()
        if len(set(self.answers)) < len(self.answers):
            return self.answers if set(response) <= set(self.answers) else response + self.answers
        return tuple(dict.fromkeys((*response, *self.answers)))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the row says: its conversation and accepted answers, and its judging."""
        said = {"conversation": self.conversation.as_json(), "answers": list(self.answers)}
        own = self.judging.as_json()
        return digests.sha256_json({**said, "judging": own} if own else said)


def rows_digest(rows: list[Row]) -> str:
    """One digest for a dataset: ids and contents, in their order."""
    return digests.sha256_json([[row.id, row.digest] for row in rows])
