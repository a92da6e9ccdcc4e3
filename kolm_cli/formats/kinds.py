"""What the kinds of values are called in messages."""

from __future__ import annotations

import math
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
    if isinstance(value, bool) or not isinstance(value, Real):
        return ""
    try:
        if isinstance(value, Integral):
            return str(int(value))
        return repr(float(value)) if math.isfinite(value) else ""
    except (ValueError, OverflowError):
        return ""  # More digits than Python writes.
