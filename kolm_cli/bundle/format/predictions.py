"""`eval/predictions.jsonl` and `base_predictions.jsonl`: what was answered, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kolm_cli.bundle.format.json_lines import check_length, read_lines, write_lines
from kolm_cli.core.errors import VerificationError


def write_predictions(ids: Iterable[str], said: Mapping[str, str | None]) -> bytes:
    """The bytes of the file.

    Args:
        ids: the pack's rows, in order.
        said: row id to answer; None, or no entry, for a row without one.
    """
    return write_lines({"id": name, "prediction": said.get(name)} for name in ids)


def read_predictions(data: bytes, path: str) -> dict[str, str | None]:
    """Row id to answer, in the file's order; None for a row without one.

    Raises:
        VerificationError: a line is malformed, or an id occurs twice.
    """
    lines = read_lines(data, path, {"id", "prediction"})
    said = {line["id"]: line["prediction"] for line in lines}
    if len(said) != len(lines):
        raise VerificationError(f"{path} does not have {len(lines)} different ids")
    if not all(text is None or isinstance(text, str) for text in said.values()):
        raise VerificationError(f"{path}: a prediction is neither text nor null")
    check_length(path, (text for text in said.values() if text is not None))
    return said
