"""Stored answers to hold a bundle against: those that the proxy captured, or a file's.

They are matched by what was asked: the same pictures, system prompt and questions. Lines of
`{"id", "prediction"}`, as bundles have them, are matched by the row's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kolm_cli.core import canonical_json, digests
from kolm_cli.core.errors import InputError, Problem, raise_if_any
from kolm_cli.core.files import expanded
from kolm_cli.dataset.sources import read_source
from kolm_cli.records.row import Row
from kolm_cli.spec.sources import FORMS, parse_source

WHERE = "--baseline"
MAX_LINE = 1 << 20


def read_baseline(given: str, pack: Sequence[Row]) -> dict[str, str]:
    """Row id to the stored answer, for every row of the pack that has one.

    Args:
        given: `capture:NS`, a file or a folder of rows, or a file of predictions.
        pack: the rows that are asked.

    Raises:
        InputError: it cannot be read, or has an answer to none of the rows.
    """
    by_id = _predictions(expanded(given))
    if by_id is not None:
        found = {row.id: by_id[row.id] for row in pack if row.id in by_id}
    else:
        said = _answers(given)
        found = {row.id: said[key] for row in pack if (key := _question(row)) in said}
    if not found:
        raise InputError(
            Problem(
                "it has an answer to none of the rows",
                f"{WHERE} {given}",
                "it has to show the same pictures and ask the same questions as the pack",
            )
        )
    return found


def _answers(given: str) -> dict[str, str]:
    try:
        source = parse_source(given, Path.cwd())
    except (ValueError, FileNotFoundError) as error:
        raise InputError(Problem(str(error), where=WHERE, fix=FORMS)) from error
    read = read_source(source)
    raise_if_any(read.problems)
    # Of several answers to one question the first counts.
    return {_question(row): row.conversation.response for row in reversed(read.rows)}


def _question(row: Row) -> str:
    """Names what is asked, without the answer."""
    return digests.sha256_json(row.conversation.as_json()[:-1])


def _predictions(path: Path) -> dict[str, str] | None:
    """The answers in a file of predictions, by row id; None when it is not one."""
    if not path.is_file() or path.suffix not in (".jsonl", ".ndjson"):
        return None
    said: dict[str, str] = {}
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            record = _record(line)
            if record is None:
                if number == 1:
                    return None
                where = f"{path}:{number}"
                raise InputError(
                    Problem("is no answer", where, 'write {"id": text, "prediction": text}')
                )
            if record["prediction"] is not None:
                said[record["id"]] = record["prediction"]
    return said


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = canonical_json.loads(line, max_bytes=MAX_LINE)
    except canonical_json.JSONError:
        return None
    if not isinstance(record, dict) or record.keys() != {"id", "prediction"}:
        return None
    text = record["prediction"]
    if not isinstance(record["id"], str) or not (text is None or isinstance(text, str)):
        return None
    return record
