"""`kolm doctor`: what this machine can run, and what is missing."""

from __future__ import annotations

from dataclasses import asdict

import typer

from kolm_cli.cli.options import JsonOption
from kolm_cli.cli.output import Output
from kolm_cli.core.errors import ExitCode

_MARKS = {"ok": "ok", "limited": "limited", "missing": "MISSING"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(json: JsonOption = False) -> None:
    """Say what this machine can run and what is missing, with a fix for each."""
    from kolm_cli.pipeline.doctor import examine

    output = Output(as_json=json)
    findings = examine()
    missing = any(finding.state == "missing" for finding in findings)
    if json:
        output.json({"ok": not missing, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            output.data(f"{finding.name:<14} {_MARKS[finding.state]:<8} {finding.what}")
            if finding.fix:
                output.data(f"{'':<14} -> {finding.fix}")
    if missing:
        raise typer.Exit(int(ExitCode.ENVIRONMENT))
