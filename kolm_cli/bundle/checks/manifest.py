"""`manifest.json` is canonical and says what a manifest must say."""

from __future__ import annotations

from kolm_cli.bundle.checks.base import Case, Check, Outcome


def _run(case: Case) -> Outcome:
    manifest = case.manifest
    revision = f" at {manifest.base.revision}" if manifest.base.revision else ""
    return Outcome(True, f"{manifest.name}, for {manifest.base.model}{revision}")


CHECK = Check("manifest", _run, fatal=True)
