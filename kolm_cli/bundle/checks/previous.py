"""What a receipt says of things that the verifier cannot measure again, read strictly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kolm_cli.core.digests import is_cid
from kolm_cli.core.errors import VerificationError
from kolm_cli.scoring.comparison import sign_test

_KEYS = {"against", "cid", "accuracy", "difference", "ci95", "wins", "losses", "p", "at_least"}


def claimed_previous(claims: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The comparison with an earlier bundle; None when none is claimed.

    Raises:
        VerificationError: it is malformed, or does not fit the accuracy that is claimed.
    """
    compared = claims.get("compared")
    said = compared.get("previous") if isinstance(compared, dict) else None
    if said is None:
        return None
    if isinstance(said, dict) and said.keys() == {"against", "cid"} and said["cid"] is None:
        return said
    if not isinstance(said, dict) or said.keys() != _KEYS or not isinstance(said["cid"], str):
        raise VerificationError("the receipt's compared.previous is not a comparison")
    interval = said["ci95"]
    numbers = [said[name] for name in ("accuracy", "difference", "p", "at_least")]
    if not isinstance(interval, list) or len(interval) != 2:
        raise VerificationError("the receipt's compared.previous.ci95 is no interval")
    if not all(_is_number(value) for value in (*numbers, *interval)):
        raise VerificationError("the receipt's compared.previous holds what is no number")
    if not all(type(said[name]) is int and said[name] >= 0 for name in ("wins", "losses")):
        raise VerificationError("the receipt's compared.previous counts no rows")
    accuracy = claims.get("accuracy")
    if not _is_number(accuracy) or abs(accuracy - said["accuracy"] - said["difference"]) > 2e-4:
        raise VerificationError("the receipt's compared.previous is not its accuracy's difference")
    if not is_cid(said["cid"]) or not isinstance(said["against"], str):
        raise VerificationError("the receipt's compared.previous names no bundle")
    low, high = interval
    if not (0 <= said["accuracy"] <= 1 and -1 <= low <= high <= 1):
        raise VerificationError("the receipt's compared.previous holds what is no share")
    if not -1 <= said["at_least"] <= high:
        raise VerificationError("the receipt's compared.previous.at_least is above its interval")
    wins, losses = said["wins"], said["losses"]
    signs = (said["difference"], low, high, said["at_least"])
    if (not wins and max(signs) > 0) or (not losses and min(signs) < 0):
        raise VerificationError("the receipt's compared.previous is not of its wins and losses")
    if wins + losses <= 100_000 and said["p"] != sign_test(wins, losses):
        raise VerificationError("the receipt's compared.previous.p is not that of its counts")
    return said


def claimed_range(claims: Mapping[str, Any]) -> tuple[int, int] | None:
    """Between what the median latency lies; None when none is claimed.

    Raises:
        VerificationError: it is no range around the latency.
    """
    said = claims.get("latency")
    if said is None:
        return None
    median = claims.get("latency_us")
    if not isinstance(said, dict) or said.keys() != {"answers", "low_us", "high_us"}:
        raise VerificationError("the receipt's latency is not a range")
    if not all(type(value) is int and value >= 0 for value in (*said.values(), median)):
        raise VerificationError("the receipt's latency holds what is no count")
    if not said["answers"]:
        raise VerificationError("the receipt's latency is that of no answers")
    if not said["low_us"] <= median <= said["high_us"]:
        raise VerificationError("the receipt's latency is no range around its latency_us")
    return said["low_us"], said["high_us"]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
