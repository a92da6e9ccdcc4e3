"""`eval/pack.jsonl`: the rows that were asked, with their accepted answers or by digest alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.evaluation import Include
from kolm_cli.bundle.format.json_lines import SHA256, check_length, read_lines, write_lines
from kolm_cli.core.errors import VerificationError

_KEYS = {"answers": {"id", "images", "answers"}, "digests": {"id", "images", "sha256"}}


@dataclass(frozen=True)
class PackRow:
    """A row of the evaluation pack.

    Attributes:
        id: its id.
        images: digests of the images that it shows, in order.
        accepted: the answers that are right; empty when the bundle holds digests alone.
        sha256: the digest of the row, written when the bundle holds digests alone.
    """

    id: str
    images: Sequence[str]
    accepted: Sequence[str] = ()
    sha256: str = ""


def write_pack(rows: Sequence[PackRow], include: Include) -> bytes:
    """The bytes of the file."""
    return write_lines(
        {"id": row.id, "images": list(row.images)}
        | ({"answers": list(row.accepted)} if include == "answers" else {"sha256": row.sha256})
        for row in rows
    )


def read_pack(data: bytes, include: Include) -> list[PackRow]:
    """Read the file strictly.

    Raises:
        VerificationError: a line is malformed, or an id occurs twice.
    """
    rows = [_row(line) for line in read_lines(data, layout.PACK, _KEYS[include])]
    count = len(rows)
    if len({row.id for row in rows}) != count:
        raise VerificationError(f"{layout.PACK} has {count} rows, not {count} different ones")
    return rows


def _row(line: dict[str, Any]) -> PackRow:
    if "sha256" in line:
        if not isinstance(line["sha256"], str) or not SHA256.fullmatch(line["sha256"]):
            raise VerificationError(f"{layout.PACK}: {line['id']!r:.80} has no digest")
        return PackRow(line["id"], line["images"], sha256=line["sha256"])
    answers = line["answers"]
    if not isinstance(answers, list) or not all(isinstance(text, str) for text in answers):
        raise VerificationError(f"{layout.PACK}: the answers of {line['id']!r:.80} are not texts")
    check_length(layout.PACK, answers)
    return PackRow(line["id"], line["images"], answers)
