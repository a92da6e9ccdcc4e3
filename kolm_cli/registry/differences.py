"""What changed between two bundles: base, spec, data, modules, scores."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from kolm_cli.bundle.container.open_bundle import Bundle, open_bundle
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.spec_file import read_spec
from kolm_cli.bundle.receipt import Receipt, read_receipt
from kolm_cli.bundle.stored_evaluation import read_evaluation
from kolm_cli.core.errors import Problem, VerificationError

Pair = tuple[Any, Any]
_SCORES = ("accuracy", "base_accuracy", "coverage", "latency_us")


@dataclass(frozen=True)
class Changes:
    """Sets of names, compared: what only one has, and what both have but not alike."""

    added: list[str]
    removed: list[str]
    changed: list[str]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True)
class RowDifferences:
    """Predictions on the rows that both bundles were scored on.

    Attributes:
        differ: ids whose prediction differs.
        better: ids that score higher in the second.
        worse: ids that score lower in it.
    """

    differ: list[str] = field(default_factory=list)
    better: list[str] = field(default_factory=list)
    worse: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Difference:
    """Everything that differs; a mapping holds the first bundle's value and the second's.

    Attributes:
        cids: both CIDs.
        base: model, revision and weights that differ.
        spec: settings that differ, by dotted name.
        train: rows of the training data.
        eval: rows of the evaluation pack.
        trainable: trained parameters.
        frozen: frozen parameters.
        scores: figures of the receipt that differ.
        predictions: the evaluation, row by row.
        files: the files under the CID.
        signers: key ids.
    """

    cids: tuple[str, str]
    base: Mapping[str, Pair]
    spec: Mapping[str, Pair]
    train: Changes
    eval: Changes
    trainable: Changes
    frozen: Changes
    scores: Mapping[str, Pair]
    predictions: RowDifferences
    files: Changes
    signers: Changes

    @property
    def same_content(self) -> bool:
        """Whether both have one CID."""
        return self.cids[0] == self.cids[1]

    def as_json(self) -> dict[str, Any]:
        """The document that `kolm diff --json` prints."""
        return {"same_content": self.same_content, **asdict(self)}


def compare(first: Path, second: Path) -> Difference:
    """Compare two intact bundles; who signed them is not asked.

    Raises:
        InputError: there is no such file.
        VerificationError: one is not intact.
    """
    receipts = read_receipt(first), read_receipt(second)
    with open_bundle(first) as a, open_bundle(second) as b:
        train = _rows(a, layout.TRAIN_ROWS), _rows(b, layout.TRAIN_ROWS)
        pack = _rows(a, layout.PACK), _rows(b, layout.PACK)
        modules = _modules(a), _modules(b)
        return Difference(
            cids=(a.cid, b.cid),
            base=_pairs(_base(a), _base(b)),
            spec=_pairs(_spec(a), _spec(b)),
            train=_changes(*train),
            eval=_changes(*pack),
            trainable=_changes(*(m["trainable"] for m in modules)),
            frozen=_changes(*(m["frozen"] for m in modules)),
            scores=_pairs(_scores(receipts[0]), _scores(receipts[1])),
            predictions=_predictions(a, b),
            files=_changes(_files(a), _files(b)),
            signers=_changes(*(dict.fromkeys(receipt.signers, "") for receipt in receipts)),
        )


def _changes(first: Mapping[str, Any], second: Mapping[str, Any]) -> Changes:
    return Changes(
        added=[name for name in second if name not in first],
        removed=[name for name in first if name not in second],
        changed=[name for name in first if name in second and first[name] != second[name]],
    )


def _pairs(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Pair]:
    names = dict.fromkeys((*first, *second))
    values = {name: (first.get(name), second.get(name)) for name in names}
    return {name: pair for name, pair in values.items() if pair[0] != pair[1]}


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted name."""
    if isinstance(value, date) or (isinstance(value, float) and not math.isfinite(value)):
        # Something that equals itself, and that JSON can hold.
        value = str(value)
    if not isinstance(value, dict) or not value:
        return {prefix.removesuffix("."): value}
    found: dict[str, Any] = {}
    for name, inner in value.items():
        found |= _flat(inner, f"{prefix}{name}.")
    return found


def _spec(bundle: Bundle) -> dict[str, Any]:
    try:
        return _flat(read_spec(bundle.read(layout.SPEC, layout.MIB)))
    except VerificationError as error:
        raise VerificationError(*(Problem(str(p), str(bundle.path)) for p in error.problems)) from (
            error
        )


def _base(bundle: Bundle) -> dict[str, Any]:
    base = bundle.manifest.base
    weights = {f"weights.{name}": digest for name, digest in base.weights.items()}
    return {"model": base.model, "revision": base.revision, **weights}


def _rows(bundle: Bundle, path: str) -> dict[str, Any]:
    """Row id to what the bundle holds of the row."""
    # The checks of the receipt have read these lines already, strictly.
    data = b"".join(bundle.stream(path))
    rows = [json.loads(line) for line in data.splitlines()]
    return {row["id"]: row for row in rows}


def _modules(bundle: Bundle) -> dict[str, dict[str, Any]]:
    value = json.loads(bundle.read(layout.MODULES, 16 * layout.MIB))
    return {
        kind: {entry["name"]: entry for entry in value[kind]} for kind in ("trainable", "frozen")
    }


def _files(bundle: Bundle) -> dict[str, str]:
    return {path: record.sha256 for path, record in bundle.manifest.files.items()}


def _scores(receipt: Receipt) -> dict[str, Any]:
    evaluation = receipt.facts.get("evaluation")
    if not isinstance(evaluation, dict):
        return {}
    known = {name: evaluation[name] for name in _SCORES if name in evaluation}
    score, gate = evaluation.get("k_score"), evaluation.get("gate")
    if isinstance(score, dict):
        known["k"] = score.get("k")
        known |= _flat(score.get("axes"), "axes.")
    if isinstance(gate, dict):
        known["gate.passed"] = gate.get("passed")
    return known


def _predictions(a: Bundle, b: Bundle) -> RowDifferences:
    """Rows compared by their ids, when both bundles say what was predicted."""
    sides = []
    for bundle in (a, b):
        scored = read_evaluation(bundle.contents).row_scores()
        if scored is None:
            return RowDifferences()
        sides.append(scored)
    first, second = sides
    both = [name for name in first if name in second]
    return RowDifferences(
        differ=[name for name in both if first[name][0] != second[name][0]],
        better=[name for name in both if second[name][1] > first[name][1]],
        worse=[name for name in both if second[name][1] < first[name][1]],
    )
