"""Every row is checked before a GPU is used: what cannot be trained on is refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.memo import Memo
from kolm_cli.core.progress import Progress
from kolm_cli.dataset.picture_book import Picture, PictureBook
from kolm_cli.encoding.encoded import RowError, TooLongError
from kolm_cli.encoding.encoder import Encoder
from kolm_cli.encoding.fitting_images import TooLong, advice
from kolm_cli.encoding.grounding import no_convention
from kolm_cli.encoding.open_images import unreadable
from kolm_cli.encoding.row_facts import RowFacts
from kolm_cli.families.base import Family
from kolm_cli.families.support import describe
from kolm_cli.records.pictures import ImageError
from kolm_cli.records.row import Row

# How many rows of one kind a note names.
NAMED = 3


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
    book: PictureBook | None = None,
    memo: Memo | None = None,
) -> Findings:
    """Decode every image, render and tokenize every row, and count.

    Pictures are counted by their sizes, which is what encoding would give.

    Args:
        encoder: encodes as training will, within its limits.
        rows: the rows.
        progress: told of each row, and noted of each that is cut and of an experimental family.
        prompts_only: the rows are only answered, never trained on.
        book: what is known of images; told of every one that is decoded.
        memo: what earlier runs found out about rows; nothing is remembered when None.
    """
    book = book or PictureBook()
    findings, family, cut = Findings(), encoder.family, list[str]()
    level, why = describe(family.support)
    if why and not prompts_only:
        progress.note(f"the family {family.name} is {level}: {why}")
    if encoder.loss_on == "last" and not prompts_only and not any(map(_has_earlier, rows)):
        progress.note("train.loss_on: last changes nothing, as no row learns more than one turn")
    for index, row in enumerate(book.reading(rows)):
        reasons = undeclared(family, row, encoder.limits.max_images)
        if not reasons:
            pictures: list[Picture] = []
            try:
                pictures += [_known(book, sha256, row) for sha256 in row.conversation.images]
                facts = _facts(encoder, row, pictures, memo, prompts_only=prompts_only)
            except RowError as error:
                reasons.append(str(error))
                if isinstance(error, TooLongError) and pictures:
                    sizes = [picture.size for picture in pictures]
                    findings.too_long.append((row, sizes, prompts_only))
            else:
                findings.rows.append(facts)
                if facts.cut:
                    cut.append(row.id)
                    if len(cut) <= NAMED:
                        progress.note(_cut_note(facts, encoder.limits.max_tokens))
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


def _known(book: PictureBook, sha256: str, row: Row) -> Picture:
    source = row.images[sha256]
    try:
        return book.of(sha256, source)
    except (ImageError, InputError, OSError) as error:
        raise unreadable(sha256, source, error) from error


def _facts(
    encoder: Encoder,
    row: Row,
    pictures: Sequence[Picture],
    memo: Memo | None,
    *,
    prompts_only: bool,
) -> RowFacts:
    """What is remembered of a row, or counted now."""
    if not prompts_only and not row.conversation.response.strip():
        raise RowError("its response is empty")
    key = f"row/{encoder.fingerprint}/{int(prompts_only)}/{row.digest}" if memo else ""
    known = RowFacts.from_json(row.id, memo.get(key)) if memo else None
    if known is not None:
        return known
    sizes = [picture.size for picture in pictures]
    counted = encoder.counted(row, sizes, prompt=prompts_only)
    sized = encoder.family.shown_size is not None
    facts = RowFacts.of(row.id, counted, pictures, sized=sized)
    if memo:
        memo.put(key, facts.as_json())
    return facts


def _has_earlier(row: Row) -> bool:
    """Whether a turn before the last would be learned."""
    return any(m.role == "assistant" and m.learn for m in row.conversation.messages[:-1])


def _cut_note(facts: RowFacts, budget: int | None) -> str:
    left = facts.tokens - facts.image_tokens - facts.supervised
    system = ", text of the system prompt among them" if facts.system_cut else ""
    return (
        f"{facts.id}: {facts.cut} prompt tokens are cut to fit {budget}{system};"
        f" {facts.image_tokens} image tokens are kept, {left} tokens of text are left"
    )
