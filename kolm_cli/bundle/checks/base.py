"""What a check is, and what it gets to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from kolm_cli.bundle.contents import Evidence
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.evaluation import Evaluation, read_evaluation
from kolm_cli.bundle.format.manifest import Manifest
from kolm_cli.bundle.signing.attestations import Attestations, read_attestations
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import VerificationError


@dataclass(frozen=True)
class Outcome:
    """What a check found.

    Attributes:
        ok: True when it holds, False when not, None when it could not be told.
        detail: one or more sentences for a person.
    """

    ok: bool | None
    detail: str


@dataclass
class Case:
    """A bundle that is being verified. What several checks need is read once, here.

    Attributes:
        evidence: what the one pass over the file left.
        policy: which keys the verifier trusts.
        now: the verifier's clock.
        expected_cid: the CID that the bundle must have; None when any will do.
    """

    evidence: Evidence
    policy: TrustPolicy
    now: datetime
    expected_cid: str | None = None

    @property
    def manifest(self) -> Manifest:
        """The manifest; a check that needs it runs only when it is well formed."""
        return self.evidence.manifest

    @cached_property
    def attestations(self) -> Attestations:
        """Every signed statement and public key, parsed but not believed."""
        return read_attestations(self.evidence)

    @cached_property
    def receipt(self) -> dict[str, Any]:
        """The receipt's facts (`internalParameters`)."""
        return self.attestations.receipt_facts

    @cached_property
    def modules(self) -> dict[str, Any]:
        """`modules.json`, canonical JSON of any shape."""
        data = self.evidence.content(layout.MODULES)
        value = canonical_json.loads_canonical(data, max_bytes=len(data))
        if not isinstance(value, dict):
            raise VerificationError("modules.json is not an object")
        return value

    @cached_property
    def evaluation(self) -> Evaluation:
        """The evaluation's settings, pack and predictions."""
        return read_evaluation(self.evidence)

    @cached_property
    def accuracy(self) -> float:
        """The accuracy that the bundle's own predictions give."""
        return self.evaluation.accuracy()


Run = Callable[[Case], Outcome]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: how reports call it.
        run: does it. A `VerificationError` that it raises is a failure.
        fatal: nothing after it makes sense when it fails.
        trust: a failure means that the signer is not trusted, not that the bundle is damaged.
    """

    name: str
    run: Run
    fatal: bool = False
    trust: bool = False
