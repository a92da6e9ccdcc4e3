"""Errors that say what is wrong, where, and what to do; and the exit code of each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from enum import IntEnum
from typing import Any

# Places that a line names when many problems are of one kind, and problems that JSON lists.
PLACES = 3
MOST_IN_JSON = 1000
# Words that differ between problems of one kind: with a digit or a slash in them, or file names.
_VARIABLE = re.compile(r"[^\s'\"]*[0-9/\\][^\s'\"]*|[^\s'\"]+\.[A-Za-z]+\b[^\s'\"]*")


class ExitCode(IntEnum):
    """What a kolm command's exit status means. A contract: scripts rely on it."""

    DONE = 0
    FAULT = 1
    INPUT = 2
    GATE = 3
    VERIFICATION = 4
    ENVIRONMENT = 5
    INTERRUPTED = 130


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        what: what is wrong, one sentence without a full stop.
        where: the place, as precise as is known: `file:line:column: field`, or a row's id.
        fix: what to write or run instead; empty when there is nothing to suggest.
        kind: a short code for what decides by it (`missing-key:prompt`); empty when nothing does.
            The wording of `what` and `fix` decides nothing.
    """

    what: str
    where: str = ""
    fix: str = ""
    kind: str = ""

    def __str__(self) -> str:
        """One line: `where: what, fix`."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}; {self.fix}" if self.fix else text


def folded(problems: Iterable[Problem]) -> list[Problem]:
    """The same problems with one for each kind that occurs often.

    More than `PLACES` problems of one kind become the first of them, with their number and the
    first places. Problems without a kind are of one kind when their texts differ in numbers and
    file names only.
    """
    kinds: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        key = problem.kind or _VARIABLE.sub("…", problem.what)
        kinds.setdefault((key, _VARIABLE.sub("…", problem.fix)), []).append(problem)
    return [one for alike in kinds.values() for one in _fold(alike)]


def _fold(alike: list[Problem]) -> list[Problem]:
    if len(alike) <= PLACES:
        return alike
    first = alike[0]
    others = list(dict.fromkeys(p.where for p in alike if p.where not in ("", first.where)))
    also = f"; also {', '.join(others[: PLACES - 1])}, …" if others else ""
    return [replace(first, what=f"{first.what} ({len(alike)} of this kind{also})")]


class KolmError(Exception):
    """Base of every error that kolm raises on purpose.

    Attributes:
        problems: everything that is wrong, never only the first.
        hint: a command or an action that helps with all of them.
    """

    exit_code = ExitCode.FAULT

    def __init__(self, *problems: Problem | str, hint: str = "") -> None:
        self.problems = tuple(Problem(p) if isinstance(p, str) else p for p in problems)
        self.hint = hint
        super().__init__("\n".join(str(p) for p in folded(self.problems)))

    def as_json(self) -> dict[str, Any]:
        """The error as the document that `--json` prints: at most `MOST_IN_JSON` problems."""
        return {
            "error": {
                "exit_code": int(self.exit_code),
                "problems": [asdict(p) for p in self.problems[:MOST_IN_JSON]],
                "problems_in_all": len(self.problems),
                "hint": self.hint,
            }
        }


class InputError(KolmError):
    """The usage, the spec or the data is wrong."""

    exit_code = ExitCode.INPUT


class VerificationError(KolmError):
    """A bundle, a signature or a digest is not what it claims to be."""

    exit_code = ExitCode.VERIFICATION


class LackingError(KolmError):
    """The environment lacks something: a model, a GPU, the network, disk space."""

    exit_code = ExitCode.ENVIRONMENT


class InterruptedRunError(KolmError):
    """The user or the system asked the run to stop; what was done can be resumed."""

    exit_code = ExitCode.INTERRUPTED


def raise_if_any(problems: Iterable[Problem], *, hint: str = "") -> None:
    """Raise one `InputError` that holds all `problems`, or return when there are none."""
    found = tuple(problems)
    if found:
        raise InputError(*found, hint=hint)
