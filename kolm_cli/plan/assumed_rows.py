"""Rows that nobody has yet: all alike, with pictures and text of a stated size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.records.pictures import MAX_PIXELS
from kolm_cli.records.row import Row

if TYPE_CHECKING:
    from PIL import Image as PILImage

    from kolm_cli.encoding.encoder import Encoder

PICTURE = (1024, 768)
QUESTION_WORDS = 64
MOST_PICTURES = 16
_SIZE = re.compile(r"([1-9][0-9]{0,5})\s*[xX*]\s*([1-9][0-9]{0,5})", re.ASCII)
# One in ten rows is asked, as `capture:NAME@eval` has it.
_ASKED = 9
# What a tokenizer makes of so many words is found by trying.
_TRIES = 8


@dataclass(frozen=True)
class AssumedRows:
    """What rows are assumed to be.

    Attributes:
        rows: how many are trained on.
        pictures: width and height of each picture of a row; None for what is usual.
        tokens: tokens of text in a row; None for a question of `QUESTION_WORDS` words.
    """

    rows: int
    pictures: Sequence[tuple[int, int]] | None = None
    tokens: int | None = None

    @property
    def asked(self) -> int:
        """How many rows are answered."""
        return max(1, round(self.rows / _ASKED))

    def row(self, encoder: Encoder, longest_answer: int) -> Row:
        """One of them; its answer is as long as an answer may be.

        Raises:
            InputError: the family takes no such rows, or its template alone has more text.
        """
        from PIL import Image as PILImage

        budget = encoder.limits.max_tokens
        if self.tokens is not None and budget is not None and self.tokens > budget:
            raise InputError(
                Problem(
                    f"{self.tokens:,} is more than train.max_seq_length, to which rows are cut",
                    where="--tokens",
                    fix=f"give at most {budget:,}, or --set train.max_seq_length={self.tokens}",
                )
            )
        pictures = [PILImage.new("RGB", size, "white") for size in self.shown(encoder)]
        asked, said, wanted = QUESTION_WORDS, longest_answer, self.tokens or 0
        row = _row(pictures, asked, said)
        counted = _count(encoder, row)
        if counted is None:
            # Its pictures alone are too large: whoever looks at rows says what would fit.
            return row
        if counted[1] > longest_answer:
            said = max(1, said * longest_answer // counted[1])
            row = _row(pictures, asked, said)
        for _ in range(_TRIES if self.tokens is not None else 0):
            text, _ = _count(encoder, row) or (wanted, 0)
            missing = wanted - text
            per_word = max(1.0, text / (asked + said))
            step = round(missing / per_word)
            if step == 0:
                break
            if asked == 1 and step < 0:
                raise InputError(
                    Problem(
                        f"template, a word and an answer of {longest_answer} tokens have {text}"
                        f" tokens of text, more than {self.tokens}",
                        where="--tokens",
                        fix="give more, or lower evaluate.max_new_tokens",
                    )
                )
            asked = max(1, asked + step)
            row = _row(pictures, asked, said)
        return row

    def shown(self, encoder: Encoder) -> Sequence[tuple[int, int]]:
        """The pictures of a row, as given, or one of a usual size where the family takes some."""
        if self.pictures is not None:
            return self.pictures
        return [PICTURE] if encoder.family.takes.images else []

    def as_json(self, encoder: Encoder) -> dict[str, Any]:
        """What a plan shows of it."""
        return {
            "rows": self.rows,
            "pictures": [list(size) for size in self.shown(encoder)],
            "evaluation_rows": self.asked,
        }


def parse_pictures(texts: Sequence[str]) -> list[tuple[int, int]] | None:
    """`1024x768`, once for each picture of a row; `none` for rows of text.

    Raises:
        InputError: something else.
    """
    if not texts:
        return None
    if [text.lower() for text in texts] == ["none"]:
        return []
    problems, found = [], []
    for text in texts:
        match = _SIZE.fullmatch(text.strip())
        if match is None:
            problems.append(f"{text!r:.40} is no width and height")
        elif (size := (int(match[1]), int(match[2])))[0] * size[1] > MAX_PIXELS:
            problems.append(f"{text!r:.40} is more than the {MAX_PIXELS:,} pixels of a picture")
        else:
            found.append(size)
    if len(texts) > MOST_PICTURES:
        problems.append(f"{len(texts)} pictures a row, more than {MOST_PICTURES}")
    if problems:
        fix = "write 1024x768, once for each picture of a row, or none"
        raise InputError(*(Problem(what, where="--pixels", fix=fix) for what in problems))
    return found


def _words(count: int) -> str:
    return " ".join(["a"] * max(1, count))


def _row(pictures: Sequence[PILImage.Image], asked: int, said: int) -> Row:
    values = {"images": list(pictures), "prompt": _words(asked), "response": _words(said)}
    [row] = rows_from_python([values])
    return row


def _count(encoder: Encoder, row: Row) -> tuple[int, int] | None:
    """Tokens of text, with those that are cut, and those that are learned.

    None where the pictures alone do not fit.
    """
    from kolm_cli.encoding.encoded import RowError, TooLongError
    from kolm_cli.encoding.open_images import open_images

    sizes = [image.size for image in open_images(row)]
    try:
        encoded = encoder.counted(row, sizes, prompt=False)
    except TooLongError:
        return None
    except RowError as error:
        raise InputError(Problem(str(error), where="--rows")) from error
    text = len(encoded.sequence["input_ids"]) - encoded.image_tokens + encoded.cut
    return text, encoded.supervised
