"""A good bundle, and what must be true of every mutant of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.bundle.verify import Report, verify
from kolm_cli.core import canonical_json
from kolm_cli.core.errors import KolmError
from tests.interop.two_readers import agreed


def often(examples: int) -> settings:
    """Each example must end within a second, however hostile it is."""
    return settings(
        max_examples=examples,
        deadline=timedelta(seconds=20),
        suppress_health_check=list(HealthCheck),
    )


def encoded(value: Any) -> bytes:
    """Canonical JSON, or the next best of what has no canonical form."""
    try:
        return canonical_json.dumps(value)
    except KolmError:
        return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


@dataclass(frozen=True, repr=False)
class Good:
    """A bundle whose signer the policy trusts, and where mutants are written."""

    data: bytes
    files: dict[str, bytes]
    signer: keys.Signer
    policy: TrustPolicy
    mutant: Path

    def judge(self, data: bytes) -> Report:
        self.mutant.write_bytes(data)
        report = verify(self.mutant, self.policy)
        failed = [check.name for check in report.failed]
        agreed(data, failed, report.state, report.cid, [self.signer.key_id])
        return report

    def assert_refused(self, data: bytes) -> None:
        """Only the very bytes that were signed are anything but invalid."""
        report = self.judge(data)
        assert report.state == "invalid" or data == self.data
