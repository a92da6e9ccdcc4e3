"""The problems of parts that do not depend on each other, raised as one error."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from kolm_cli.core.errors import InputError, InterruptedRunError, KolmError

P = ParamSpec("P")
T = TypeVar("T")


class Together:
    """Runs parts, and keeps the errors of those that fail until all were run."""

    def __init__(self) -> None:
        self._errors: list[KolmError] = []

    def run(self, part: Callable[P, T], *args: P.args, **named: P.kwargs) -> T | None:
        """What the part returns; None where it raised a `KolmError`, which is kept."""
        try:
            return part(*args, **named)
        except InterruptedRunError:
            raise
        except KolmError as error:
            self._errors.append(error)
            return None

    def keep(self, error: KolmError) -> None:
        """Keep the error of a part that was run elsewhere."""
        self._errors.append(error)

    def __bool__(self) -> bool:
        """Whether a part failed."""
        return bool(self._errors)

    def finish(self) -> None:
        """Raise one error with every problem that was kept, or return when there is none.

        Raises:
            KolmError: of the kind of the first; an `InputError` if any of them is.
        """
        if not self._errors:
            return
        first = self._errors[0]
        if len(self._errors) == 1:
            raise first
        wrong = any(isinstance(error, InputError) for error in self._errors)
        kind = InputError if wrong else type(first)
        problems = dict.fromkeys(p for error in self._errors for p in error.problems)
        hints = dict.fromkeys(error.hint for error in self._errors if error.hint)
        raise kind(*problems, hint="\n".join(hints)) from first
