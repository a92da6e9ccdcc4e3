"""Pydantic's errors in words that say what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from kolm_cli.core.errors import Problem
from kolm_cli.spec.section import ERROR_TYPE, UNKNOWN_OPTION

Where = Callable[[tuple[str | int, ...], bool], str]

# Pydantic's error type -> what the value is not, and what to write.
_WRONG_TYPE = {
    "int_type": ("is not a whole number", "write digits, without quotes and without a point"),
    "int_from_float": ("is not a whole number", "write digits, without quotes or a point"),
    "float_type": ("is not a number", "write a number such as 2.0e-5, without quotes"),
    "finite_number": ("is not a finite number", "write a number such as 2.0e-5"),
    "bool_type": ("is neither true nor false", "write true or false, without quotes"),
    "string_type": ("is not text", "put it in quotes"),
    "string_unicode": ("is not text that UTF-8 can hold", "write plain text"),
    "model_type": ("is not a mapping", "write its fields below it, indented, as `name: value`"),
}
_BOUND = {
    "greater_than": ("gt", "must be more than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}


def _show(value: Any) -> str:
    """The value as the user might recognize it, cut to fit on the line."""
    words = {None: "nothing", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _literal(line: Any) -> tuple[str, str]:
    # Pydantic hands over "'train', 'freeze' or 'other'"; unquote what is a plain word.
    allowed = line["ctx"]["expected"].replace("'", "")
    return f"{_show(line['input'])} is not a choice", f"write {allowed}"


def _words(line: Any) -> tuple[str, str]:
    """What is wrong, and the fix, of one of pydantic's errors."""
    kind, ctx = line["type"], line.get("ctx", {})
    if kind == ERROR_TYPE:
        return ctx["what"], ctx["fix"]
    if kind == "missing":
        return "is missing", "write it; `kolm init` shows a whole spec"
    if kind == "literal_error":
        return _literal(line)
    if kind in _BOUND:
        name, words = _BOUND[kind]
        return f"{words} {ctx[name]:g}, but is {_show(line['input'])}", ""
    if kind in _WRONG_TYPE:
        what, fix = _WRONG_TYPE[kind]
        return f"{_show(line['input'])} {what}", fix
    return str(line["msg"]), ""


def problems_of(error: ValidationError, where: Where) -> list[Problem]:
    """Every error that pydantic found, in the order of the text.

    Args:
        error: what a model raised.
        where: gives `file:line:column` of a path; its second argument asks for the key's place.
    """
    found: list[Problem] = []
    for line in error.errors(include_url=False):
        what, fix = _words(line)
        kind = line["ctx"]["kind"] if line["type"] == ERROR_TYPE else ""
        if line["type"] == "missing":
            kind = f"missing:{line['loc']}"  # each is named, however many there are
        place = where(line["loc"], kind == UNKNOWN_OPTION)
        field = ".".join(str(step) for step in line["loc"])
        found.append(Problem(what, f"{place}: {field}" if field else place, fix, kind))
    return found
