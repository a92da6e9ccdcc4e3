"""The bundle that a report compares with: the one that was named, or the one it started from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kolm_cli.bundle.receipt import read_receipt
from kolm_cli.core.errors import InputError, VerificationError
from kolm_cli.registry.bundle_file import bundle_file
from kolm_cli.report.facts import block

Before = tuple[Mapping[str, Any] | None, str]


def evaluation_of(reference: str) -> Before:
    """The receipt's block `evaluation` of a bundle, and its CID.

    Raises:
        InputError: there is no such bundle.
        VerificationError: it is not intact.
    """
    with bundle_file(reference) as path:
        receipt = read_receipt(path)
    return block(receipt.facts, "evaluation"), receipt.cid


def parent_of(path: Path) -> Before:
    """The same of the bundle that this one started from, when it is in the local registry."""
    parent = block(read_receipt(path).facts, "vlm_train").get("parent")
    if not isinstance(parent, str):
        return None, ""
    try:
        return evaluation_of(parent)
    except (InputError, VerificationError):
        # The report says what it can without it.
        return None, ""
