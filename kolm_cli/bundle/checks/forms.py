"""Every claim is of the form that the format gives it; a spec has no key that it does not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.checks.equations import EQUATIONS, MIRROR, MIRRORED
from kolm_cli.bundle.checks.statements import Statements, signed
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.claim_forms import CLAIMS, found, is_of

Keys = tuple[str, ...]

_SPEC = "spec."
# What the spec asks of a training, the receipt says under the same names.
SIGNED: dict[str, str] = {
    **{name: form for name, form in CLAIMS.items() if not name.startswith(_SPEC)},
    **{
        f"{MIRROR}{name.removeprefix(MIRRORED)}": form
        for name, form in CLAIMS.items()
        if name.startswith(f"{MIRRORED}.")
    },
}
ASKED: dict[str, str] = {name: form for name, form in CLAIMS.items() if name.startswith(_SPEC)}
_NAMED = {tuple(name.split(".")[1:]) for name in ASKED}
_EQUAL = {tuple(e.claim.split(".")[1:]) for e in EQUATIONS if e.claim.startswith(_SPEC)}


def _run(case: Case) -> Outcome:
    problems = list(wrong(signed(case), SIGNED))
    if problems:
        shown = problems[:8]
        more = f"; and {len(problems) - 8} more" if len(problems) > 8 else ""
        return Outcome(False, "; ".join(shown) + more)
    return Outcome(True, "every claim has the form that the format gives it")


def wrong(documents: Mapping[str, Any], forms: Mapping[str, str]) -> Iterator[str]:
    """The claims that are of another form."""
    for name, form in forms.items():
        for value in found(documents, name.split(".")):
            if not is_of(form, value):
                yield f"{name} is {value!r:.40}, which is not of the form {form}"


def misfits(statements: Statements) -> Iterator[str]:
    """What the spec says that this version does not know, or in another form."""
    yield from wrong(statements.documents, ASKED)
    for path in _unknown(statements.documents["spec"], ()):
        yield (
            f"{layout.SPEC} has {'.'.join(path)!r:.80}, which this version of kolm does not know;"
            " a newer one may"
        )


def _unknown(section: Mapping[str, Any], path: Keys) -> Iterator[Keys]:
    for key, value in section.items():
        at = (*path, key)
        if at in _NAMED:
            if isinstance(value, dict):
                yield from _unknown(value, at)
        elif at not in _EQUAL:
            yield at


CHECK = Check("forms", _run)
