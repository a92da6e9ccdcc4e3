"""The checks, in the order in which they are run and reported.

To add one: a module with a `CHECK`, and a line here.
"""

from __future__ import annotations

from kolm_cli.bundle.checks import (
    adapter,
    agreement,
    chain,
    cid,
    configs,
    container,
    coverage,
    dataset,
    evidence,
    files,
    forms,
    gate,
    k_score,
    manifest,
    modules,
    parity,
    policy,
    signatures,
    subject,
    template,
)
from kolm_cli.bundle.checks.base import Check

CHECKS: tuple[Check, ...] = (
    container.CHECK,
    manifest.CHECK,
    files.CHECK,
    cid.CHECK,
    configs.CHECK,
    modules.CHECK,
    adapter.CHECK,
    evidence.CHECK,
    dataset.CHECK,
    signatures.CHECK,
    chain.CHECK,
    subject.CHECK,
    forms.CHECK,
    template.CHECK,
    policy.CHECK,
    k_score.CHECK,
    gate.CHECK,
    coverage.CHECK,
    agreement.CHECK,
    parity.CHECK,
)
