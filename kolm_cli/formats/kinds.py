"""What the kinds of values are called in messages."""

from __future__ import annotations

import math
from decimal import Decimal
from numbers import Integral, Real


def kind_of(value: object) -> str:
    """What a JSON value is called in a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return f"a number ({value})"
    names: dict[type, str] = {str: "text", list: "a list", dict: "an object", bytes: "bytes"}
    return names.get(type(value), type(value).__name__)


def number_text(value: object) -> str:
    """A number as text; "" for anything else, true and false among them."""
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() else ""
    if isinstance(value, bool) or not isinstance(value, Real):
        return ""
    try:
        if isinstance(value, Integral):
            return str(int(value))
        if not math.isfinite(value):
            return ""
        # A narrow float of numpy's has fewer digits than the same as a wide one.
        return str(value) if hasattr(value, "dtype") else repr(float(value))
    except (ValueError, OverflowError):
        return ""  # More digits than Python writes.
