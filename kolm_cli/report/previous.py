"""The bundle that a report compares with: the one that was named, or the one before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from kolm_cli.bundle.receipt import read_receipt
from kolm_cli.core.digests import is_cid
from kolm_cli.core.errors import InputError, VerificationError
from kolm_cli.registry.bundle_file import bundle_file
from kolm_cli.registry.scores import read_scores
from kolm_cli.registry.store import Registry
from kolm_cli.report.facts import Before, Facts, block


def named(reference: str) -> Before:
    """The bundle that somebody named.

    Raises:
        InputError: there is no such bundle.
        VerificationError: it is not intact.
    """
    return _read(reference, "as asked")


def before(facts: Facts) -> Before | None:
    """The bundle before this one, when it is in the local registry; None when there is none.

    That is the one that its training started from, else the one that its gate compared with, else
    the last of its name that met its gate and was stored before it.
    """
    with contextlib.suppress(VerificationError):  # the report says what it can without it
        for cid, why in _candidates(facts):
            with contextlib.suppress(InputError):  # else it is not here any more
                return _read(cid, why)
    return None


def _candidates(facts: Facts) -> Iterator[tuple[str, str]]:
    parent = facts.trained.get("parent")
    compared = block(facts.evaluation, "compared", "previous").get("cid")
    for said, why in (
        (parent, "training started from it"),
        (compared, "the gate compared with it"),
    ):
        # A stranger's receipt may name a file of this machine.
        if isinstance(said, str) and is_cid(said):
            yield said, why
    registry = Registry()
    entries = registry.index().entries
    own = min((e.stored for e in entries if e.cid == facts.cid), default="~")
    others = {e.cid: e for e in entries if e.name == facts.name and e.stored < own}
    others.pop(facts.cid, None)
    for entry in sorted(others.values(), key=lambda e: e.stored, reverse=True):
        if read_scores(registry, entry).gate_passed:
            yield entry.cid, "the last of this name before it that met its gate"


def _read(reference: str, why: str) -> Before:
    with bundle_file(reference) as path:
        receipt = read_receipt(path)
    return Before(receipt.cid, block(receipt.facts, "evaluation"), receipt.pack, why)
