"""What a parity run found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kolm_cli.parity.checks import Answers, Finding
from kolm_cli.parity.client import Identity
from kolm_cli.scoring.comparison import weighted_mean
from kolm_cli.scoring.interval import bootstrap_interval

PLACES = 4
# The share of equal answers that is asked for unless told, by the type that the server computes in.
# In fp32 nothing may differ. Elsewhere numbers are rounded in other places than in training, and
# answers that two tokens were close for turn over.
_HALF = 0.97
DEMANDED = {"float32": 1.0, "bfloat16": _HALF, "float16": _HALF, "f16": _HALF}
QUANTISED = 0.95


def demanded_of(dtype: str) -> float:
    """The share of equal answers that a server in this type has to reach unless told."""
    return DEMANDED.get(dtype, QUANTISED)


@dataclass(frozen=True)
class Difference:
    """A row that the server answers otherwise.

    Attributes:
        id: the row's.
        bundle: what the bundle said.
        server: what the server said.
        error: why the server said nothing.
    """

    id: str
    bundle: str | None
    server: str | None
    error: str = ""

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        found = {"id": self.id, "bundle": self.bundle, "server": self.server}
        return {**found, "error": self.error} if self.error else found


@dataclass(frozen=True)
class ParityReport:
    """What a parity run found.

    Attributes:
        cid: the bundle's CID.
        server: what the server says that it is.
        model: what was asked.
        export: the format and digest of the export that it serves; None when none was named.
        dtype: the type in which it computes, as far as is known.
        demanded: the least share of equal answers.
        whole: whether every row of the pack was asked.
        bundle: row id to the bundle's answer.
        served: row id to the server's answer, of the same rows in the same order.
        errors: row id to why there is no answer.
        scores: the metric of each row, of the bundle's answers and of the server's.
        weights: how much each row counts; None when all count alike.
        findings: the three checks.
    """

    cid: str
    server: Identity
    model: str
    export: tuple[str, str] | None
    dtype: str
    demanded: float
    whole: bool
    bundle: Answers
    served: Answers
    errors: Mapping[str, str]
    scores: tuple[Sequence[float], Sequence[float]]
    weights: Sequence[float] | None
    findings: Sequence[Finding]

    @property
    def rows(self) -> int:
        """How many rows were asked."""
        return len(self.served)

    @cached_property
    def differences(self) -> list[Difference]:
        """The rows that the server answers otherwise, or not at all."""
        return [
            Difference(row, self.bundle[row], said, self.errors.get(row, ""))
            for row, said in self.served.items()
            if said != self.bundle[row] or row in self.errors
        ]

    @property
    def equal(self) -> int:
        """How many rows the server answers as the bundle did."""
        return self.rows - len(self.differences)

    @property
    def agreement(self) -> float:
        """Their share."""
        return self.equal / self.rows

    @property
    def passed(self) -> bool:
        """Whether enough answers are equal, and no check says otherwise."""
        return self.agreement >= self.demanded and all(f.ok is not False for f in self.findings)

    def failed(self) -> list[str]:
        """Why it did not pass, a sentence each."""
        reasons = [f"{f.name}: {f.detail}" for f in self.findings if f.ok is False]
        if self.agreement < self.demanded:
            reasons.insert(0, f"agreement {self.agreement:.4f} is below {self.demanded:.4f}")
        return reasons

    def accuracy(self, side: int) -> tuple[float, float, float]:
        """The accuracy of the bundle (0) or the server (1), and its 95 % interval."""
        scores = self.scores[side]
        mean = round(weighted_mean(scores, self.weights), PLACES)
        return (mean, *bootstrap_interval(scores, self.weights))

    def as_json(self) -> dict[str, Any]:
        """What `kolm parity --json` prints."""
        sides = []
        for side in (0, 1):
            accuracy, low, high = self.accuracy(side)
            sides.append({"accuracy": accuracy, "accuracy_ci95": [low, high]})
        return {
            "cid": self.cid,
            "bundle": sides[0],
            "server": {**vars(self.server), "model": self.model, **sides[1]},
            "export": self.export and {"to": self.export[0], "sha256": self.export[1]},
            "dtype": self.dtype,
            "rows": self.rows,
            "equal": self.equal,
            "agreement": round(self.agreement, PLACES),
            "min_agreement": self.demanded,
            "checks": [vars(finding) for finding in self.findings],
            "differences": [each.as_json() for each in self.differences],
            "passed": self.passed,
            "failed": self.failed(),
        }
