"""What a check is, and what it gets to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from kolm_cli.bundle.checks.previous import claimed_previous, claimed_range
from kolm_cli.bundle.contents import BundleContents
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.manifest import Manifest
from kolm_cli.bundle.format.modules import ModuleLists, read_modules
from kolm_cli.bundle.format.parity import Parity, linked, read_parity
from kolm_cli.bundle.signing.attestations import (
    Attestations,
    read_attestations,
    read_statement,
)
from kolm_cli.bundle.stored_evaluation import StoredEvaluation, read_evaluation
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.core.errors import VerificationError
from kolm_cli.scoring.score import Measurements, ScoreReport


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
        contents: what the one pass over the file left.
        policy: which keys the verifier trusts.
        now: the verifier's clock.
        expected_cid: the CID that the bundle must have; None when any will do.
    """

    contents: BundleContents
    policy: TrustPolicy
    now: datetime
    expected_cid: str | None = None

    @property
    def manifest(self) -> Manifest:
        """The manifest; a check that needs it runs only when it is well formed."""
        return self.contents.manifest

    @cached_property
    def attestations(self) -> Attestations:
        """Every signed statement and public key, parsed but not believed."""
        return read_attestations(self.contents)

    @cached_property
    def receipt(self) -> dict[str, Any]:
        """The receipt's facts (`internalParameters`)."""
        return self.attestations.receipt_facts

    @cached_property
    def parity_predicates(self) -> list[tuple[dict[str, Any], str]]:
        """What parity statements say, not believed yet, and the id of the key that signed each.

        Raises:
            VerificationError: one of them is not of this bundle's receipt.
        """
        receipt = sha256_bytes(self.attestations.receipt.payload)
        return [
            (linked(read_statement(envelope), self.manifest, receipt), envelope.key_id)
            for envelope in self.attestations.parity.values()
        ]

    @cached_property
    def parity(self) -> list[tuple[Parity, str]]:
        """The parity statements, read.

        Raises:
            VerificationError: one of them is of another form.
        """
        return [(read_parity(said), key_id) for said, key_id in self.parity_predicates]

    @cached_property
    def modules(self) -> ModuleLists:
        """`modules.json`."""
        return read_modules(self.contents.content(layout.MODULES))

    @cached_property
    def evaluation(self) -> StoredEvaluation:
        """The evaluation's settings, pack and predictions."""
        return read_evaluation(self.contents)

    @cached_property
    def claimed_evaluation(self) -> dict[str, Any]:
        """The receipt's `evaluation` block.

        Raises:
            VerificationError: there is none, or no K-score in it.
        """
        block = self.receipt.get("evaluation")
        if not isinstance(block, dict) or not isinstance(block.get("k_score"), dict):
            raise VerificationError("the receipt has no evaluation with a k_score")
        return block

    @cached_property
    def score(self) -> ScoreReport | None:
        """What the bundle's own predictions give; None when it holds digests alone.

        Of the latency and of another bundle the files hold nothing: there the receipt's claims
        count.

        Raises:
            VerificationError: such a claim cannot be true, or nothing can be scored.
        """
        latency = self.claimed_evaluation.get("latency_us")
        if latency is not None and (type(latency) is not int or latency < 0):
            raise VerificationError(f"the receipt's latency_us is {latency!r:.40}")
        return self.evaluation.score(
            Measurements(
                self.manifest.total_bytes,
                latency,
                claimed_range(self.claimed_evaluation),
                claimed_previous(self.claimed_evaluation),
            )
        )


Run = Callable[[Case], Outcome]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: how reports call it.
        run: does it. A `VerificationError` that it raises is a failure.
        fatal: nothing after it makes sense when it fails.
        trust: a failure means that the signer is not trusted, not that the bundle is damaged.
        other: a failure means that the bundle is another than was asked for, not a damaged one.
    """

    name: str
    run: Run
    fatal: bool = False
    trust: bool = False
    other: bool = False
