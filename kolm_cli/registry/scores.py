"""What stored bundles scored and what they started from: read from their receipts alone.

A receipt was checked when its bundle was stored, and every blob is checked when it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.signing.attestations import read_statement
from kolm_cli.bundle.signing.sigstore import read_envelope
from kolm_cli.core.digests import is_cid
from kolm_cli.core.errors import VerificationError
from kolm_cli.registry.index import Index, StoredBundle
from kolm_cli.registry.store import Registry


@dataclass(frozen=True)
class Scores:
    """What a receipt says of the result; None where it says nothing of the kind.

    Attributes:
        accuracy: of the adapter.
        base_accuracy: of the base on the same rows.
        k: the K-score.
        gate_passed: whether the gate was met.
        parent: the CID of the bundle that training started from.
        steps: after how many optimizer steps its weights were kept.
        steps_planned: how many there were to be, where what was evaluated while training decided.
    """

    accuracy: float | None = None
    base_accuracy: float | None = None
    k: float | None = None
    gate_passed: bool | None = None
    parent: str | None = None
    steps: int | None = None
    steps_planned: int | None = None


@dataclass(frozen=True)
class Generation:
    """One bundle in a line of descent.

    Attributes:
        cid: its CID.
        stored: its entry; None when it is not in this registry.
        scores: what its receipt says.
        tags: the names that it has.
    """

    cid: str
    stored: StoredBundle | None
    scores: Scores
    tags: tuple[str, ...]


def read_scores(registry: Registry, entry: StoredBundle) -> Scores:
    """The scores of a stored bundle; none of them when its receipt cannot be read."""
    try:
        image = registry.image(entry)
        receipt = next(file for file in image.files if file.path == layout.RECEIPT)
        statement = read_statement(read_envelope(registry.blobs.read(receipt.hex, receipt.size)))
    except (VerificationError, StopIteration):
        # `kolm registry check` names what is damaged; a list shows the rest.
        return Scores()
    facts = _at(statement, "predicate", "buildDefinition", "internalParameters")
    evaluation = _at(facts, "evaluation")
    parent = _at(facts, "vlm_train").get("parent")
    passed = _at(evaluation, "gate").get("passed")
    return Scores(
        _number(evaluation.get("accuracy")),
        _number(evaluation.get("base_accuracy")),
        _number(_at(evaluation, "k_score").get("k")),
        passed if isinstance(passed, bool) else None,
        parent if isinstance(parent, str) and is_cid(parent) else None,
        _count(_at(facts, "vlm_train", "evidence").get("optimizer_steps")),
        _count(_at(facts, "vlm_train", "during").get("steps_planned")),
    )


def descent(registry: Registry, entry: StoredBundle) -> Iterator[Generation]:
    """A bundle, the one that it started from, and so on; ends with one that is not stored here."""
    index = registry.index()
    seen: set[str] = set()
    current: StoredBundle | None = entry
    cid = entry.cid
    # A CID cannot name its own ancestor, but a damaged store may say so.
    while cid not in seen:
        seen.add(cid)
        scores = Scores() if current is None else read_scores(registry, current)
        yield Generation(cid, current, scores, _tags(index, cid))
        if scores.parent is None:
            return
        cid = scores.parent
        current = next((e for e in index.entries if e.ref == cid), None)


def _tags(index: Index, cid: str) -> tuple[str, ...]:
    return tuple(sorted(e.tag for e in index.entries if e.cid == cid and e.tag))


def _at(value: Any, *path: str) -> dict[str, Any]:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    """A share: whatever else a receipt says is no score."""
    fits = type(value) in (int, float) and 0 <= value <= 1
    return float(value) if fits else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
