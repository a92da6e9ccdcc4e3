"""`verify`: one pass over the file, every check, and a verdict in one word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from kolm_cli.bundle.checks import gate
from kolm_cli.bundle.checks.base import Case, Check, Outcome
from kolm_cli.bundle.checks.catalog import CHECKS
from kolm_cli.bundle.container.zip_reader import open_file
from kolm_cli.bundle.contents import BundleContents, read_contents
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.core.errors import VerificationError
from kolm_cli.core.progress import Progress, Silent

State = Literal["trusted", "untrusted", "other", "invalid"]


@dataclass(frozen=True)
class Result:
    """One check's name and outcome."""

    name: str
    ok: bool | None
    detail: str


@dataclass(frozen=True)
class Report:
    """What a verification found.

    Attributes:
        state: `trusted`; `untrusted`, intact but not signed by enough trusted keys; `other`, intact
            but not the content that was asked for; `invalid`.
        cid: of the content; None when there is no well-formed manifest.
        checks: every check of the catalog, in order.
    """

    state: State
    cid: str | None
    checks: Sequence[Result]

    def as_json(self) -> dict[str, Any]:
        """The document that `kolm verify --json` prints."""
        said = {"state": self.state, "cid": self.cid, "checks": [vars(c) for c in self.checks]}
        return said | ({"rejected": True} if self.rejected else {})

    @property
    def rejected(self) -> bool:
        """Whether the bundle says that it did not reach its gate, and tells the truth."""
        met = {check.name: check for check in self.checks}[gate.CHECK.name]
        return met.ok is True and met.detail.startswith(gate.NOT_MET)

    @property
    def failed(self) -> list[Result]:
        """The checks that failed."""
        return [check for check in self.checks if check.ok is False]


def verify(
    path: Path,
    trust: TrustPolicy,
    *,
    now: datetime | None = None,
    cid: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """Verify a bundle.

    Args:
        path: the `.kolm` file.
        trust: which keys the caller trusts.
        now: the clock for the keys' validity; the present by default.
        cid: the CID that it must have; None when any will do.
        progress: told of the bytes that are read.

    Raises:
        InputError: there is no such file.
    """
    told = progress or Silent()
    with open_file(path) as stream:
        told.stage("read bundle", path.stat().st_size, "bytes")
        contents = read_contents(stream, told=told.advance)
    return judge(contents, trust, now=now, cid=cid)


def judge(
    contents: BundleContents,
    trust: TrustPolicy,
    *,
    now: datetime | None = None,
    cid: str | None = None,
) -> Report:
    """The verdict on what one pass over a bundle left."""
    case = Case(contents, trust, now or datetime.now(UTC), cid)
    results: list[Result] = []
    invalid = distrusted = other = False
    stopped_by = ""
    for check in CHECKS:
        if stopped_by:
            results.append(Result(check.name, None, f"not checked, since {stopped_by} failed"))
            continue
        outcome = _outcome(check, case)
        results.append(Result(check.name, outcome.ok, outcome.detail))
        if outcome.ok is False:
            distrusted, other = distrusted or check.trust, other or check.other
            invalid = invalid or not (check.trust or check.other)
            stopped_by = check.name if check.fatal else ""
    state: State = "untrusted" if distrusted else "trusted"
    state = "invalid" if invalid else "other" if other else state
    return Report(state, contents.cid, results)


def _outcome(check: Check, case: Case) -> Outcome:
    try:
        return check.run(case)
    except VerificationError as error:
        return Outcome(False, "; ".join(str(problem) for problem in error.problems))
