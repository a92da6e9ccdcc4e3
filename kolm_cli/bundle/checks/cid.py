"""The content is the one that was asked for."""

from __future__ import annotations

from kolm_cli.bundle.checks.base import Case, Check, Outcome


def _run(case: Case) -> Outcome:
    cid = case.manifest.cid
    # A shortened one pins as many characters as it has.
    if case.expected_cid is not None and not cid.startswith(case.expected_cid):
        return Outcome(False, f"{cid} is not {case.expected_cid}, which was asked for")
    return Outcome(True, cid)


CHECK = Check("cid", _run, other=True)
