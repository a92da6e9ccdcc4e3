"""Whatever the bundle states twice agrees, and it states what the format demands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kolm_cli.bundle.checks import forms
from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.checks.demanded import misfits, missing
from kolm_cli.bundle.checks.equations import EQUATIONS, MIRROR, MIRRORED, NOT_MIRRORED, Equation
from kolm_cli.bundle.checks.statements import UNSAID, Statements
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import InputError, VerificationError


def _run(case: Case) -> Outcome:
    statements = Statements(case)
    problems = [f"{name} is missing" for name in missing(statements)]
    problems += [*forms.misfits(statements), *misfits(statements)]
    equations = [*EQUATIONS, *_mirrored(statements)]
    agree = 0
    for equation in equations:
        try:
            said, wanted = _sides(equation, statements)
        except VerificationError as error:
            problems.append(str(error))
            continue
        if said is UNSAID or wanted is UNSAID:
            continue
        agree += 1
        if not _same(said, wanted):
            problems.append(
                f"{equation.claim} says {said!r:.80}, but {equation.equals} gives {wanted!r:.80}"
            )
    if problems:
        shown = problems[:8]
        more = f"; and {len(problems) - 8} more" if len(problems) > 8 else ""
        return Outcome(False, "; ".join(shown) + more)
    rest = len(equations) - agree
    unsaid = f"; {rest} more are not stated twice" if rest else ""
    return Outcome(True, f"{agree} statements agree with the files and each other{unsaid}")


def _mirrored(statements: Statements) -> Iterator[Equation]:
    """The options of training that both sides name."""
    asked = statements.said(MIRRORED)
    if isinstance(asked, dict):
        for name in asked:
            if isinstance(name, str) and name not in NOT_MIRRORED:
                yield Equation(f"{MIRRORED}.{name}", f"{MIRROR}.{name}")


def _sides(equation: Equation, statements: Statements) -> tuple[Any, Any]:
    try:
        return equation.sides(statements)
    except (InputError, TypeError, ValueError, KeyError, AttributeError, ArithmeticError) as error:
        # Claims are JSON of any shape: one that cannot be looked at is of the wrong one.
        raise VerificationError(f"{equation.claim}: malformed ({error})") from error


def _same(said: Any, wanted: Any) -> bool:
    """Equal as JSON: True is not 1, and 1 is 1.0."""
    try:
        return canonical_json.dumps(said) == canonical_json.dumps(wanted)
    except canonical_json.JSONError:
        return False


CHECK = Check("agreement", _run)
