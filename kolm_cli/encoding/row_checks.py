"""Every row is checked before a GPU is used: what cannot be trained on is refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kolm_cli.core.errors import Problem, raise_if_any
from kolm_cli.core.progress import Progress
from kolm_cli.encoding.encode import Encoded, RowError, encode_prompt, open_images
from kolm_cli.encoding.fitting import Side, encode_to_fit
from kolm_cli.families.base import Family
from kolm_cli.families.support import describe
from kolm_cli.records.row import Row


@dataclass(frozen=True)
class Limits:
    """What a row may hold: tokens, images, and which side of the prompt is cut first."""

    max_tokens: int
    max_images: int
    side: Side = "prompt_start"


@dataclass(frozen=True)
class RowFacts:
    """What preflight found out about one row, in tokens."""

    id: str
    tokens: int
    image_tokens: int
    supervised: int
    cut: int


@dataclass
class Findings:
    """What preflight found out about all rows."""

    rows: list[RowFacts] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def raise_if_bad(self) -> None:
        """Raise one error that names every bad row."""
        raise_if_any(self.problems)


def undeclared(family: Family, row: Row, max_images: int) -> list[str]:
    """What the row holds that its family does not take."""
    takes, messages = family.takes, row.conversation.messages
    images = len(row.conversation.images)
    turns = sum(message.role == "assistant" for message in messages)
    found = []
    if images and not takes.images:
        found.append(f"it has an image, and {family.name} models take none")
    elif images > 1 and not takes.several_images:
        found.append(f"it has {images} images, and {family.name} takes one a row")
    elif images > max_images:
        found.append(f"it has {images} images, and data.max_images_per_example is {max_images}")
    if not images and not takes.text_only:
        found.append(f"it has no image, and {family.name} takes no text-only rows")
    if turns > 1 and not takes.several_turns:
        found.append(f"it has {turns} answers, and {family.name} takes a single turn")
    if any(message.role == "system" for message in messages) and not takes.system:
        found.append(f"it has a system prompt, and {family.name} takes none")
    return found


def check_rows(
    family: Family,
    processor: Any,
    rows: Sequence[Row],
    limits: Limits,
    *,
    progress: Progress,
    prompts_only: bool = False,
) -> Findings:
    """Decode every image, render and tokenise every row, and count.

    Args:
        family: the base's family.
        processor: the base's processor.
        rows: the rows.
        limits: what a row may hold.
        progress: told of each row, and noted of each that is cut and of an experimental family.
        prompts_only: the rows are only answered, never trained on.
    """
    findings = Findings()
    level, why = describe(family.support)
    if why and not prompts_only:
        progress.note(f"the family {family.name} is {level}: {why}")
    for index, row in enumerate(rows):
        reasons = undeclared(family, row, limits.max_images)
        if not reasons:
            try:
                encoded = _encode(family, processor, row, limits, prompts_only=prompts_only)
            except RowError as error:
                reasons.append(str(error))
            else:
                findings.rows.append(
                    RowFacts(
                        row.id,
                        encoded.tokens,
                        encoded.image_tokens,
                        encoded.supervised,
                        encoded.cut,
                    )
                )
                if encoded.cut:
                    left = encoded.tokens - encoded.image_tokens - encoded.supervised
                    progress.note(
                        f"{row.id}: {encoded.cut} prompt tokens are cut to fit"
                        f" {limits.max_tokens}; {encoded.image_tokens} image tokens are kept,"
                        f" {left} tokens of text are left"
                    )
        findings.problems += [Problem(reason, where=row.id) for reason in reasons]
        progress.advance(index + 1)
    return findings


def _encode(
    family: Family, processor: Any, row: Row, limits: Limits, *, prompts_only: bool
) -> Encoded:
    images = open_images(row)
    if prompts_only:
        return encode_prompt(family, processor, row.conversation, images)
    if not row.conversation.response.strip():
        raise RowError("its response is empty")
    return encode_to_fit(
        family,
        processor,
        row.conversation,
        images,
        budget=limits.max_tokens,
        side=limits.side,
    )
