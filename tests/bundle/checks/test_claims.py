"""Signed claims about the score, recomputed from the files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bundle import factory
from tests.bundle.checks.helpers import Value, claiming, part
from tests.bundle.forge import assert_refused, edit_json, good, verdict

CLAIMS: dict[str, tuple[Callable[[Value], Any], str]] = {
    "a higher K": (lambda e: e["k_score"].update(k=0.99), "k-score"),
    "K without a decimal": (lambda e: e["k_score"].update(k="0.8"), "k-score"),
    "an axis": (lambda e: e["k_score"]["axes"].update(A=1.0), "k-score"),
    "an axis more": (lambda e: e["k_score"]["axes"].update(X=1.0), "k-score"),
    "another formula": (lambda e: e["k_score"].update(spec="k-score-0"), "k-score"),
    "accuracy": (lambda e: e.update(accuracy=0.9), "k-score"),
    "accuracy as text": (lambda e: e.update(accuracy="0.8"), "k-score"),
    "true as an accuracy": (lambda e: e.update(accuracy=True), "k-score"),
    "base accuracy": (lambda e: e.update(base_accuracy=0.0), "k-score"),
    "no K": (lambda e: e.pop("k_score"), "k-score"),
    "latency": (lambda e: e.update(latency_us=1), "k-score"),
    "negative latency": (lambda e: e.update(latency_us=-1), "k-score"),
    "latency as text": (lambda e: e.update(latency_us="1"), "k-score"),
    "no latency": (lambda e: e.pop("latency_us"), "k-score"),
    "coverage": (lambda e: e.update(coverage=1.0), "coverage"),
    "no coverage": (lambda e: e.pop("coverage"), "coverage"),
    "gate": (lambda e: e["gate"].update(passed=False), "gate"),
    "gate passed as text": (lambda e: e["gate"].update(passed="yes"), "gate"),
    "no gate": (lambda e: e.pop("gate"), "gate"),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_signed_claim_that_the_files_contradict(name: str, tmp_path: Path) -> None:
    edit, check = CLAIMS[name]
    path, signer = claiming(tmp_path, lambda receipt: edit(receipt["evaluation"]))
    assert_refused(path, signer, check, "")


def test_an_honest_receipt_of_a_gate_that_was_not_met_is_intact(tmp_path: Path) -> None:
    files = factory.make_files()
    files["eval/evaluation.json"] = edit_json(
        part("eval/evaluation.json"), lambda v: v["gate"].update(accuracy=0.95)
    )
    path, signer = good(tmp_path / "a.kolm", files=files)
    code, report = verdict(path, signer)
    assert code == 0
    detail = next(c["detail"] for c in report["checks"] if c["name"] == "gate")
    assert detail.startswith("NOT met, as the receipt says: accuracy 0.8000 is below")


def test_what_cannot_be_recomputed_never_passes(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm", files=factory.make_files(include="digests"))
    code, report = verdict(path, signer)
    assert code == 0
    told = {c["name"]: (c["ok"], c["detail"]) for c in report["checks"]}
    for name in ("k-score", "gate", "coverage"):
        assert told[name][0] is None
        assert told[name][1].startswith("not recomputable")


def test_digests_with_predictions_beside_them(tmp_path: Path) -> None:
    closed = factory.make_files(include="digests")
    files = {**closed, "eval/predictions.jsonl": part("eval/predictions.jsonl")}
    path, signer = good(tmp_path / "a.kolm", files=files)
    assert_refused(path, signer, "k-score", "does not belong to an evaluation with digests only")
