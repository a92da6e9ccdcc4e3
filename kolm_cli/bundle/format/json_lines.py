"""Canonical JSON lines: how every `.jsonl` file of a bundle is written and read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from kolm_cli.bundle.format import layout
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import VerificationError

SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
# For rows of texts this is the canonical form, at the speed of C.
COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)

_OF_TEXTS = {"answers", "id", "images", "prediction", "sha256"}


def write_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """One line a row, each ended by a line feed."""
    return b"".join(canonical_json.dumps(dict(row)) + b"\n" for row in rows)


def read_lines(data: bytes, path: str, keys: set[str]) -> list[dict[str, Any]]:
    """Every line of a file, each with exactly `keys`.

    Raises:
        VerificationError: names the path and the line.
    """
    if data and not data.endswith(b"\n"):
        raise VerificationError(f"{path}: the last line has no end")
    rows = []
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            rows.append(read_line(line, keys))
        except VerificationError as error:
            raise VerificationError(f"{path}: line {number}: {error}") from error
    return rows


def read_line(line: bytes, keys: set[str]) -> dict[str, Any]:
    """One canonical JSON line: exactly `keys`, an `id` and, where it has them, image digests.

    Raises:
        VerificationError: says what is wrong with it.
    """
    value = canonical_json.loads(line, max_bytes=layout.MAX_LINE_BYTES, max_depth=4)
    if not isinstance(value, dict) or set(value) != keys:
        raise VerificationError(f"has not exactly the keys {', '.join(sorted(keys))}")
    plain = keys <= _OF_TEXTS
    encode = COMPACT.encode if plain else lambda row: canonical_json.dumps(row).decode()
    if encode(value).encode("utf-8", "surrogatepass") != line:
        raise VerificationError("not in canonical form (RFC 8785)")
    if not isinstance(value["id"], str) or not value["id"]:
        raise VerificationError("id is missing or empty")
    if "images" in keys:
        images = value["images"]
        if not isinstance(images, list) or not all(
            isinstance(image, str) and SHA256.fullmatch(image) for image in images
        ):
            raise VerificationError("images is not a list of SHA-256 digests")
    return value


def check_length(path: str, texts: Iterable[str]) -> None:
    """Refuse a text that a metric would take too long to compare.

    Raises:
        VerificationError: one is too long.
    """
    if any(len(text) > layout.MAX_TEXT for text in texts):
        raise VerificationError(f"{path}: a text has more than {layout.MAX_TEXT} characters")
