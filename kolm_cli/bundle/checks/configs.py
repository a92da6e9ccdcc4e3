"""No configuration can make a loader run code, read from elsewhere, or work without bound."""

from __future__ import annotations

from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.format.configurations import is_configuration, problems_of


def _run(case: Case) -> Outcome:
    looked_at = [path for path in case.contents.files if is_configuration(path)]
    problems = [
        problem for path in looked_at for problem in problems_of(path, case.contents.content(path))
    ]
    if problems:
        shown = problems[:8]
        more = f"; and {len(problems) - 8} more" if len(problems) > 8 else ""
        return Outcome(False, "; ".join(shown) + more)
    return Outcome(True, f"{len(looked_at)} configurations, none with a hook for code")


CHECK = Check("configs", _run)
