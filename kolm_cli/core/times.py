"""Moments as milliseconds since 1970 (UTC), read from text and written as text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from kolm_cli.core.errors import InputError, Problem

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def time_text(milliseconds: int) -> str:
    """ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def exact_time_text(milliseconds: int) -> str:
    """ISO 8601 in UTC, to the millisecond: `parse_time` gives the same number back."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds")


def parse_duration(text: str) -> int:
    """Seconds of `30s`, `15m`, `1h`, `7d` or `2w`.

    Raises:
        InputError: not a duration, or none at all.
    """
    found = re.fullmatch(r"(\d{1,9})([smhdw])", text)
    if found is None or int(found[1]) == 0:
        raise InputError(Problem(f"{text!r:.40} is not a duration", fix="write 15m, 1h or 7d"))
    return int(found[1]) * _UNITS[found[2]]


def parse_time(text: str, *, now: datetime | None = None) -> int:
    """Milliseconds since 1970 of `2026-01-31`, `2026-01-31T12:00:00Z`, or an age: `30d`, `12h`.

    A time without a zone is UTC.

    Raises:
        InputError: neither a time nor an age.
    """
    now = now or datetime.now(UTC)
    if age := re.fullmatch(r"(\d{1,9})([smhdw])", text):
        moment = now - timedelta(seconds=int(age[1]) * _UNITS[age[2]])
        return int(moment.timestamp() * 1000)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            Problem(
                f"{text!r} is not a time",
                fix="write 2026-01-31, 2026-01-31T12:00:00Z, or an age such as 30d or 12h",
            )
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
