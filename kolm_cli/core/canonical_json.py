"""Canonical JSON (RFC 8785), and a reader that accepts nothing ambiguous (RFC 7493, I-JSON)."""

from __future__ import annotations

import json
import re
from typing import Any

import rfc8785

from kolm_cli.core.errors import VerificationError

MAX_DEPTH = 64
MAX_SAFE_INTEGER = 2**53 - 1


class JSONError(VerificationError):
    """JSON text that is malformed, ambiguous or beyond the limits."""


def dumps(value: Any) -> bytes:
    """The canonical bytes of `value`.

    Raises:
        JSONError: `value` holds something that canonical JSON cannot express.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeEncodeError) as error:
        raise JSONError(f"not expressible as canonical JSON: {error}") from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Reject an object that names a key twice: readers disagree about which one counts."""
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise JSONError(f"the key {key[:80]!r} occurs twice in one object")
        result[key] = value
    return result


def _integer(text: str) -> int:
    """Reject integers that a double cannot hold, before Python parses thousands of digits."""
    if len(text) > 17 or abs(int(text)) > MAX_SAFE_INTEGER:
        raise JSONError(f"the integer {text[:24]} is beyond 2^53 - 1")
    return int(text)


def _float(text: str) -> float:
    if len(text) > 64:
        raise JSONError(f"the number {text[:24]}... is longer than a double needs")
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise JSONError(f"the number {text[:24]} is beyond a double")
    return value


def _no_constant(text: str) -> Any:
    raise JSONError(f"{text} is not JSON")


def _check_depth(data: bytes, limit: int) -> None:
    """Bound nesting before the parser recurses: brackets outside of strings are counted."""
    depth = 0
    in_string = escaped = False
    for byte in data:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in (0x5B, 0x7B):
            depth += 1
            if depth > limit:
                raise JSONError(f"nested deeper than {limit} levels")
        elif byte in (0x5D, 0x7D):
            depth -= 1


def loads(data: bytes, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> Any:
    """Read JSON strictly.

    Duplicate keys, NaN and infinities, integers of 2^53 and more, lone surrogates, text that
    is not UTF-8, a byte order mark, deep nesting and more than `max_bytes` are refused.

    Raises:
        JSONError: says which rule was broken.
    """
    if len(data) > max_bytes:
        raise JSONError(f"{len(data)} bytes, more than the {max_bytes} allowed")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JSONError(f"not UTF-8 at byte {error.start}") from error
    # Cheap bound first: only text with many brackets can be deep at all.
    if data.count(b"[") + data.count(b"{") > max_depth:
        _check_depth(data, max_depth)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_no_constant,
        )
    except json.JSONDecodeError as error:
        raise JSONError(f"{error.msg} at line {error.lineno} column {error.colno}") from error
    except RecursionError as error:
        raise JSONError("nested too deeply") from error
    _check_surrogates(text, value)
    return value


def _check_surrogates(text: str, value: Any) -> None:
    """An escaped lone surrogate survives the parser but is not text."""
    if "\\u" not in text:
        return
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise JSONError("a string holds half of a surrogate pair") from error


# The canonical form of values without floats, at the speed of C, as long as no key holds a
# character from U+E000 on: those sort differently as UTF-16, which RFC 8785 asks for.
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
_HIGH = re.compile(rb"[\xee-\xff]")
# A fraction or an exponent outside of a string comes right after a digit.
_MAYBE_FLOAT = re.compile(rb"[0-9][.eE]|-0")


def loads_canonical(data: bytes, *, max_bytes: int) -> Any:
    """Read JSON that must be in canonical form, byte for byte.

    Raises:
        JSONError: the text is not JSON, or is not the canonical form of what it says.
    """
    value = loads(data, max_bytes=max_bytes)
    plain = not _HIGH.search(data) and not _MAYBE_FLOAT.search(data) and b"\\u" not in data
    if (_COMPACT.encode(value).encode() if plain else dumps(value)) != data:
        raise JSONError("not in canonical form (RFC 8785)")
    return value
