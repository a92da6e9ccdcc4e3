"""The bundle that a report compares with: the one that was named, or the one before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kolm_cli.bundle.container.zip_reader import open_file
from kolm_cli.bundle.contents import read_contents
from kolm_cli.bundle.receipt import Receipt, read_receipt
from kolm_cli.bundle.signing.attestations import read_attestations
from kolm_cli.core.errors import InputError, VerificationError
from kolm_cli.registry.bundle_file import bundle_file
from kolm_cli.registry.scores import read_scores
from kolm_cli.registry.store import Registry
from kolm_cli.report.facts import Before, block, eval_digest


def named(reference: str) -> Before:
    """The bundle that somebody named.

    Raises:
        InputError: there is no such bundle.
        VerificationError: it is not intact.
    """
    return _read(reference, "as asked")


def before(path: Path) -> Before | None:
    """The bundle before this one, when it is in the local registry; None when there is none.

    That is the one that its training started from, else the one that its gate compared with, else
    the last of its name that met its gate and was stored before it.
    """
    try:
        receipt = read_receipt(path)
        for cid, why in _candidates(receipt):
            try:
                return _read(cid, why)
            except InputError:
                continue  # not here any more
    except VerificationError:
        # The report says what it can without it.
        pass
    return None


def _candidates(receipt: Receipt) -> Iterator[tuple[str, str]]:
    parent = block(receipt.facts, "vlm_train").get("parent")
    if isinstance(parent, str):
        yield parent, "training started from it"
    compared = block(receipt.facts, "evaluation", "compared", "previous").get("cid")
    if isinstance(compared, str):
        yield compared, "the gate compared with it"
    registry = Registry()
    entries = registry.index().entries
    own = min((e.stored for e in entries if e.cid == receipt.cid), default="~")
    others = {e.cid: e for e in entries if e.name == receipt.manifest.name and e.stored < own}
    others.pop(receipt.cid, None)
    for entry in sorted(others.values(), key=lambda e: e.stored, reverse=True):
        if read_scores(registry, entry).gate_passed:
            yield entry.cid, "the last of this name before it that met its gate"


def _read(reference: str, why: str) -> Before:
    with bundle_file(reference) as path:
        receipt = read_receipt(path)
        with open_file(path) as stream:
            pack = eval_digest(read_attestations(read_contents(stream)).stages)
    return Before(receipt.cid, block(receipt.facts, "evaluation"), pack, why)
