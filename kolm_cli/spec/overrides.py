"""`--set key=value`: parts of a spec said on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kolm_cli.core.errors import InputError, Problem
from kolm_cli.core.yaml_positions import Document, parse

FORM = "write --set train.seed=7: the dotted name of an option, and its value in YAML"


def overridden(document: Document, settings: Sequence[str]) -> Document:
    """The document with some values replaced or added.

    Raises:
        InputError: a setting is not one, or says something of what is no section.
    """
    if not settings:
        return document
    value, problems = document.value, []
    for setting in settings:
        name, equals, text = setting.partition("=")
        steps = name.strip().split(".")
        where = f"--set {name.strip()}"
        if not equals or not all(steps):
            problems.append(Problem(f"{setting!r:.80} sets nothing", "--set", FORM))
            continue
        try:
            # As a list's only entry, so that every form of a value can be written.
            (said,) = parse(f"- {text or 'null'}\n".encode(), where).value
        except InputError as error:
            problems += [replace(problem, where=where) for problem in error.problems]
            continue
        except (TypeError, ValueError):
            problems.append(Problem(f"{text!r:.80} is not one value", where, FORM))
            continue
        try:
            value = _with(value, steps, said)
        except TypeError:
            problems.append(Problem("is no option of a section", where, FORM))
    if problems:
        raise InputError(*problems)
    return replace(document, value=value)


def _with(value: Any, steps: Sequence[str], said: Any) -> Any:
    """A copy of nested mappings with one value replaced.

    Raises:
        TypeError: something on the way is no mapping.
    """
    if not steps:
        return said
    inside = {} if value is None else value
    if not isinstance(inside, dict):
        raise TypeError("no mapping")
    return {**inside, steps[0]: _with(inside.get(steps[0]), steps[1:], said)}


def told(problem: Problem, settings: Sequence[str]) -> Problem:
    """A problem of a value that was set here, said of the setting and not of the file."""
    field = problem.where.rpartition(": ")[2]
    for setting in settings:
        name = setting.partition("=")[0].strip()
        if field == name or field.startswith(f"{name}."):
            rest = field if field != name else name
            return replace(problem, where=f"--set {rest}")
    return problem
