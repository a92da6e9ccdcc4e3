"""`eval/pack.jsonl`: the rows that were asked, with their accepted answers or by digest alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.evaluation import Include
from kolm_cli.bundle.format.json_lines import SHA256, check_length, read_lines, write_lines
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import InputError, VerificationError
from kolm_cli.scoring import judging
from kolm_cli.scoring.judging import PLAIN, Judging

_KEYS = {"answers": {"id", "images", "answers"}, "digests": {"id", "images", "sha256"}}


class HasJudging(Protocol):
    """A row that may say something of its own judging."""

    @property
    def judging(self) -> Judging:
        """What it says."""


@dataclass(frozen=True)
class PackRow:
    """A row of the evaluation pack.

    Attributes:
        id: its id.
        images: digests of the images that it shows, in order.
        accepted: the answers that are right; empty when the bundle holds digests alone.
        sha256: the digest of the row, written when the bundle holds digests alone.
        judging: what the row says of its own judging.
    """

    id: str
    images: Sequence[str]
    accepted: Sequence[str] = ()
    sha256: str = ""
    judging: Judging = PLAIN


def row_keys(rows: Iterable[HasJudging]) -> tuple[str, ...]:
    """Which keys of their own judging some of these rows have, in order."""
    used = {key for row in rows for key in row.judging.as_json()}
    return tuple(key for key in judging.KEYS if key in used)


def write_pack(rows: Sequence[PackRow], include: Include, keys: Sequence[str] = ()) -> bytes:
    """The bytes of the file.

    Args:
        rows: the rows.
        include: whether answers are written, or digests.
        keys: the keys of their own judging that each line has, null where a row says nothing.
    """
    return write_lines(
        {"id": row.id, "images": list(row.images)}
        | ({"answers": list(row.accepted)} if include == "answers" else {"sha256": row.sha256})
        | dict.fromkeys(keys) | row.judging.as_json()
        for row in rows
    )  # fmt: skip


def read_pack(data: bytes, include: Include, keys: Sequence[str] = ()) -> list[PackRow]:
    """Read the file strictly.

    Raises:
        VerificationError: a line is malformed, or an id occurs twice.
    """
    rows = [_row(line) for line in read_lines(data, layout.PACK, _KEYS[include] | set(keys))]
    if row_keys(rows) != tuple(keys):
        raise VerificationError(f"{layout.PACK}: no row has one of the row_keys")
    count = len(rows)
    if len({row.id for row in rows}) != count:
        raise VerificationError(f"{layout.PACK} has {count} rows, not {count} different ones")
    return rows


def _row(line: dict[str, Any]) -> PackRow:
    if "sha256" in line:
        if not isinstance(line["sha256"], str) or not SHA256.fullmatch(line["sha256"]):
            raise VerificationError(f"{layout.PACK}: {line['id']!r:.80} has no digest")
        return PackRow(line["id"], line["images"], sha256=line["sha256"], judging=_judging(line))
    answers = line["answers"]
    if not isinstance(answers, list) or not all(isinstance(text, str) for text in answers):
        raise VerificationError(f"{layout.PACK}: the answers of {line['id']!r:.80} are not texts")
    check_length(layout.PACK, answers)
    return PackRow(line["id"], line["images"], answers, judging=_judging(line))


def _judging(line: dict[str, Any]) -> Judging:
    said = {key: line[key] for key in judging.KEYS if line.get(key) is not None}
    try:
        found = Judging.of(said)
        one_form = canonical_json.dumps(found.as_json()) == canonical_json.dumps(said)
    except (ValueError, InputError) as error:
        raise VerificationError(f"{layout.PACK}: {line['id']!r:.80}: {error}") from error
    if not one_form:
        raise VerificationError(f"{layout.PACK}: {line['id']!r:.80} says its default")
    return found
