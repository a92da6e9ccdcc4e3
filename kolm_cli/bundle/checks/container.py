"""The file is a ZIP exactly as kolm writes it."""

from __future__ import annotations

from kolm_cli.bundle.checks.base import Case, Check, Outcome


def _run(case: Case) -> Outcome:
    contents = case.contents
    if contents.container_problem:
        return Outcome(False, contents.container_problem)
    total = sum(item.entry.size for item in contents.files.values())
    return Outcome(True, f"{len(contents.files)} stored files, {total} bytes")


CHECK = Check("container", _run, fatal=True)
