"""What the verifier does with scores: options of metrics, and numbers beyond all measure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.bundle.build import build_bundle
from kolm_cli.bundle.signing import keys
from tests.bundle import factory
from tests.bundle.forge import edit_json, verdict

Edit = Callable[[dict[str, Any]], object]


def forged(
    path: Path, *, evaluation: Edit | None = None, receipt: Edit | None = None
) -> tuple[int, dict[str, Any]]:
    """The verdict on a bundle of another evaluation or receipt, signed by a trusted key."""
    content = factory.make_content()
    if evaluation is not None:
        file = content.files["eval/evaluation.json"]
        assert isinstance(file, bytes)
        content = factory.with_files({"eval/evaluation.json": edit_json(file, evaluation)}, content)
    facts = json.loads(json.dumps(content.receipt))
    if receipt is not None:
        receipt(facts)
    signer = keys.generate()
    build_bundle(replace(content, receipt=facts), signer, path)
    code, report = verdict(path, signer)
    return code, report


def with_tolerance(tolerance: object) -> Edit:
    return lambda v: v.update(
        format="kolm-eval/2", metric="relaxed_accuracy", metric_options={"tolerance": tolerance}
    )


def lenient_files() -> factory.Files:
    """Predictions that are 10 % off: wrong by the default, right with `tolerance: 0.1`."""
    files = factory.make_files()
    for path in ("eval/predictions.jsonl", "eval/base_predictions.jsonl"):
        lines = factory.lines_of(files, path)
        said = [{**li, "prediction": str((i + 1) * 11)} for i, li in enumerate(lines)]
        files[path] = factory.jsonl(said)
    file = files["eval/evaluation.json"]
    assert isinstance(file, bytes)
    return {**files, "eval/evaluation.json": edit_json(file, with_tolerance(0.1))}


def test_the_verifier_scores_with_the_options_of_the_bundle(tmp_path: Path) -> None:
    signer = keys.generate()
    content = factory.make_content(lenient_files())
    assert content.receipt["evaluation"]["accuracy"] == 1.0
    build_bundle(content, signer, tmp_path / "a.kolm")
    code, report = verdict(tmp_path / "a.kolm", signer)
    assert (code, report["state"]) == (0, "trusted"), report


@pytest.mark.parametrize("claim", [{"tolerance": 0.2}, {}, None, "tolerance"])
def test_the_receipt_names_the_same_options(tmp_path: Path, claim: object) -> None:
    signer = keys.generate()
    content = factory.make_content(lenient_files())
    facts = json.loads(json.dumps(content.receipt))
    facts["evaluation"]["metric_options"] = claim
    if claim == {}:
        del facts["evaluation"]["metric_options"]
    build_bundle(replace(content, receipt=facts), signer, tmp_path / "a.kolm")
    code, report = verdict(tmp_path / "a.kolm", signer)
    failed = {check["name"]: check["detail"] for check in report["checks"] if check["ok"] is False}
    assert code == 4
    assert "metric options: the receipt says" in failed["k-score"]


@pytest.mark.parametrize("value", [-1, 2, 1e308, True, "0.1", None, [], {}])
def test_an_option_that_the_metric_does_not_take_is_refused(tmp_path: Path, value: object) -> None:
    code, report = forged(tmp_path / "a.kolm", evaluation=with_tolerance(value))
    assert (code, report["state"]) == (4, "invalid")


def test_an_option_with_its_default_has_no_place_in_a_bundle(tmp_path: Path) -> None:
    code, report = forged(tmp_path / "a.kolm", evaluation=with_tolerance(0.05))
    failed = {check["name"]: check["detail"] for check in report["checks"] if check["ok"] is False}
    assert code == 4
    assert "tolerance has its default" in failed["k-score"]


ABSURD = [1e306, 1e308, 5e-324, -1, -1e308, -0.5, 2**53 - 1, True, "1", [1], {}, {"a": 1e308}, None]


@pytest.mark.parametrize("value", ABSURD)
@pytest.mark.parametrize("claim", ["usd_per_hour", "gate.k", "gate.accuracy", "max_new_tokens"])
def test_an_absurd_evaluation_never_crashes_the_verifier(
    tmp_path: Path, claim: str, value: object
) -> None:
    def edit(document: dict[str, Any]) -> None:
        place, _, key = claim.rpartition(".")
        (document[place] if place else document)[key] = value

    assert forged(tmp_path / "a.kolm", evaluation=edit)[0] in (0, 4)


@pytest.mark.parametrize("value", ABSURD)
@pytest.mark.parametrize(
    "claim",
    [
        *("evaluation.latency_us", "evaluation.accuracy", "evaluation.base_accuracy"),
        *("evaluation.coverage", "evaluation.metric", "evaluation.k_score"),
        *("evaluation.k_score.k", "evaluation.k_score.axes", "evaluation.k_score.accuracy_ci95"),
        *("evaluation.gate", "evaluation.gate.passed", "evaluation.gate.failed", "evaluation"),
        *("vlm_train", "vlm_train.lora_r", "vlm_train.train_examples", "vlm_train.evidence"),
        *("vlm_train.evidence.tensors_trainable", "vlm_train.trainable_modules"),
        *("vlm_train.evidence.frozen_digests_before", "vlm_train.lora_targets", "environment"),
    ],
)
def test_an_absurd_receipt_never_crashes_the_verifier(
    tmp_path: Path, claim: str, value: object
) -> None:
    def edit(facts: dict[str, Any]) -> None:
        *path, key = claim.split(".")
        for step in path:
            facts = facts[step]
        facts[key] = value

    assert forged(tmp_path / "a.kolm", receipt=edit)[0] in (0, 4)


@pytest.mark.parametrize("latency", [2**53 - 1, 10**15, 0])
def test_a_price_beyond_a_double_is_refused_by_name(tmp_path: Path, latency: int) -> None:
    code, report = forged(
        tmp_path / "a.kolm",
        evaluation=lambda v: v.update(usd_per_hour=1e306),
        receipt=lambda v: v["evaluation"].update(latency_us=latency),
    )
    failed = {check["name"]: check["detail"] for check in report["checks"] if check["ok"] is False}
    assert code == 4
    assert {"k-score", "gate"} & failed.keys()
