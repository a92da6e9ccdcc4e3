"""Every row is checked before a GPU is used: what cannot be trained on is refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kolm_cli.core.errors import Problem
from kolm_cli.core.progress import Progress
from kolm_cli.dataset.leakage import PixelDigests
from kolm_cli.encoding.encoded import Encoded, RowError, TooLongError
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.encoding.fitting_images import TooLong, advice
from kolm_cli.encoding.grounding import no_convention
from kolm_cli.encoding.open_images import open_images
from kolm_cli.families.base import Family
from kolm_cli.families.coordinates import Size
from kolm_cli.families.support import describe
from kolm_cli.records.row import Row

# How many rows of one kind a note names.
NAMED = 3


@dataclass(frozen=True)
class PictureShown:
    """How one image of a row is shown.

    Attributes:
        size: width and height of the original, upright.
        shown: width and height at which the model sees it.
        tokens: how many tokens are for it.
    """

    size: Size
    shown: Size
    tokens: int


@dataclass(frozen=True)
class RowFacts:
    """What preflight found out about one row, in tokens.

    Attributes:
        pictures: its images, in order.
    """

    id: str
    tokens: int
    image_tokens: int
    supervised: int
    cut: int
    pictures: tuple[PictureShown, ...] = ()

    @classmethod
    def of(cls, id: str, encoded: Encoded) -> RowFacts:
        """The counts of an encoded row."""
        located = encoded.located
        pictures = tuple(
            PictureShown(size, shown, tokens)
            for size, shown, tokens in zip(
                located.sizes, located.shown, encoded.picture_tokens, strict=True
            )
        )
        counts = (encoded.tokens, encoded.image_tokens, encoded.supervised, encoded.cut)
        return cls(id, *counts, pictures)


@dataclass
class Findings:
    """What preflight found out about all rows.

    Attributes:
        rows: the facts of every row that can be used.
        problems: what is wrong with the others.
        too_long: rows with images that do not fit, whose pictures could be shown smaller.
    """

    rows: list[RowFacts] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    too_long: list[TooLong] = field(default_factory=list)

    def hint(self, encoder: Encoder) -> str:
        """What would make rows fit that are too long; empty when nothing is known to."""
        return advice(encoder, self.too_long)


def undeclared(family: Family, row: Row, max_images: int | None) -> list[str]:
    """What the row holds that its family does not take."""
    takes, messages = family.takes, row.conversation.messages
    images = len(row.conversation.images)
    turns = sum(message.role == "assistant" for message in messages)
    found = []
    if images and not takes.images:
        found.append(f"it has an image, and {family.name} models take none")
    elif images > 1 and not takes.several_images:
        found.append(f"it has {images} images, and {family.name} takes one a row")
    elif max_images is not None and images > max_images:
        found.append(f"it has {images} images, and data.max_images_per_example is {max_images}")
    if not images and not takes.text_only:
        found.append(f"it has no image, and {family.name} takes no text-only rows")
    if turns > 1 and not takes.several_turns:
        found.append(f"it has {turns} answers, and {family.name} takes a single turn")
    if row.conversation.boxes and family.coordinates is None:
        found.append(no_convention(family.name))
    if any(message.role == "system" for message in messages) and not takes.system:
        found.append(f"it has a system prompt, and {family.name} takes none")
    return found


def check_rows(
    encoder: Encoder,
    rows: Sequence[Row],
    *,
    progress: Progress,
    prompts_only: bool = False,
    pixels: PixelDigests | None = None,
) -> Findings:
    """Decode every image, render and tokenize every row, and count.

    Args:
        encoder: encodes as training will, within its limits.
        rows: the rows.
        progress: told of each row, and noted of each that is cut and of an experimental family.
        prompts_only: the rows are only answered, never trained on.
        pixels: told of every image that is decoded.
    """
    findings, family, cut = Findings(), encoder.family, list[str]()
    level, why = describe(family.support)
    if why and not prompts_only:
        progress.note(f"the family {family.name} is {level}: {why}")
    if encoder.loss_on == "last" and not prompts_only and not any(map(_has_earlier, rows)):
        progress.note("train.loss_on: last changes nothing, as no row learns more than one turn")
    for index, row in enumerate(rows):
        reasons = undeclared(family, row, encoder.limits.max_images)
        if not reasons:
            try:
                encoded = _encoded(encoder, row, pixels, prompts_only=prompts_only)
            except RowError as error:
                reasons.append(str(error))
                if isinstance(error, TooLongError) and row.conversation.images:
                    sizes = [image.size for image in open_images(row)]
                    findings.too_long.append((row, sizes, prompts_only))
            else:
                findings.rows.append(RowFacts.of(row.id, encoded))
                if encoded.cut:
                    cut.append(row.id)
                    if len(cut) <= NAMED:
                        progress.note(_cut_note(row.id, encoded, encoder.limits.max_tokens))
        findings.problems += [Problem(reason, where=row.id) for reason in reasons]
        progress.advance(index + 1)
    if len(cut) > NAMED:
        progress.note(f"{len(cut) - NAMED} more rows are cut in the same way")
    return findings


def note_long_answers(
    encoder: Encoder, rows: Sequence[Row], max_new_tokens: int, progress: Progress
) -> None:
    """Say which rows cannot be answered: every accepted answer needs more tokens than allowed."""
    too_long = [
        (row.id, needed)
        for row in rows
        if row.accepted
        # One more ends the answer.
        and (needed := min(len(encoder.token_ids(said)) + 1 for said in row.accepted))
        > max_new_tokens
    ]
    if not too_long:
        return
    most = max(needed for _, needed in too_long)
    named = ", ".join(id for id, _ in too_long[:NAMED])
    more = f" and {len(too_long) - NAMED} more" if len(too_long) > NAMED else ""
    progress.note(
        f"evaluate.max_new_tokens is {max_new_tokens}, and the accepted answers of {named}{more}"
        f" need up to {most} tokens: they can never be given; write max_new_tokens: {most}"
    )


def _encoded(
    encoder: Encoder, row: Row, pixels: PixelDigests | None, *, prompts_only: bool
) -> Encoded:
    if prompts_only:
        return encoder.prompt(row, pixels)
    if not row.conversation.response.strip():
        raise RowError("its response is empty")
    return encoder.training(row, pixels)


def _has_earlier(row: Row) -> bool:
    """Whether a turn before the last would be learned."""
    return any(m.role == "assistant" and m.learn for m in row.conversation.messages[:-1])


def _cut_note(id: str, encoded: Encoded, budget: int | None) -> str:
    left = encoded.tokens - encoded.image_tokens - encoded.supervised
    system = ", text of the system prompt among them" if encoded.system_cut else ""
    return (
        f"{id}: {encoded.cut} prompt tokens are cut to fit {budget}{system};"
        f" {encoded.image_tokens} image tokens are kept, {left} tokens of text are left"
    )
