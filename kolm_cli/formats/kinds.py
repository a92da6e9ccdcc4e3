"""What the kinds of values are called in messages."""

from __future__ import annotations


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
