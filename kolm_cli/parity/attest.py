"""From what a parity run found to the statement that is signed into the bundle."""

from __future__ import annotations

from datetime import UTC, datetime

from kolm_cli.bundle.format.parity import MAX_WORDS, Parity, mean, moment
from kolm_cli.core.errors import InputError, KolmError, Problem
from kolm_cli.core.versions import own_version
from kolm_cli.parity.report import ParityReport


def signable(report: ParityReport) -> Parity:
    """What is said of a run.

    Raises:
        InputError: not every row of the pack was asked, or has an answer.
    """
    if not report.whole:
        raise InputError(
            Problem("not every row of the pack was asked", "--sign", "leave --rows out")
        )
    if report.errors:
        raise InputError(
            Problem(
                f"{len(report.errors)} rows have no answer to compare",
                where="--sign",
                fix="look at the server's log, and run again",
            )
        )
    if not report.passed:
        raise KolmError("only a run that passed is signed")
    return Parity(
        server=report.server.name,
        version=report.server.version,
        model=report.model[:MAX_WORDS],
        export=report.export,
        rows=report.rows,
        asked_for=report.demanded,
        differ=[(each.id, each.server) for each in report.differences],
        accuracy=(mean(report.scores[0], report.weights), mean(report.scores[1], report.weights)),
        checks={finding.name: finding.ok for finding in report.findings},
        measured=moment(datetime.now(UTC)),
        kolm=own_version,
    )
