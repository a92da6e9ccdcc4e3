"""Whatever a bundle states twice agrees: one forgery for each equation, by a trusted signer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kolm_cli.bundle.checks.claims import ELSEWHERE, REQUIRED, STAND_ALONE, related
from kolm_cli.bundle.checks.demanded import CAPTURED, EVALUATED, WHOLE
from kolm_cli.bundle.checks.equations import EQUATIONS, NOT_MIRRORED
from kolm_cli.bundle.checks.statements import UNSAID
from kolm_cli.bundle.signing import keys
from kolm_cli.core import digests
from kolm_cli.spec.model import TrainSection
from tests.bundle import factory
from tests.bundle.claims import REMOVED, failed, full_bundle, statements_of
from tests.bundle.forge import verdict

FORMAT_PAGE = Path(__file__).parents[3] / "docs" / "reference" / "bundle-format.md"


@pytest.fixture(scope="module")
def signer() -> keys.Signer:
    return keys.generate()


def another(value: Any) -> Any:
    """A value of the same kind that says something else."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, list):
        return [*value, "x"] if not value or isinstance(value[0], str) else value[:-1]
    if isinstance(value, dict):
        key = next(iter(value))
        return {**value, key: another(value[key])}
    return 1


# Where another value of the same kind would say the same, or nothing that could be told.
FORGED: dict[str, Any] = {
    "receipt.vlm_train.vision": "lora",
    "receipt.vlm_train.projector": "freeze",
    "receipt.vlm_train.evidence.frozen_digests_after": {"vision": "cd" * 32},
    "receipt.vlm_train.during.steps": [1, 2, 3, 4, 6],
    "receipt.evaluation.metric": "anls",
    "receipt.evaluation.metric_options": {"tolerance": 0.5},
    "receipt.evaluation.cut_answers": {"predictions": ["nobody.jsonl:7"]},
    "receipt.evaluation.gate.failed": ["accuracy 0.1 is below the gate's 0.75"],
    "stage.dataset.train.images_outside": 0,
    "stage.dataset.eval.images_outside": -1,
    "stage.evaluate.coverage": 0.8,
    "spec.train.loss_on": "last",
    "spec.base.revision": "a" * 40,
    "spec.evaluate.metric": "anls",
    "spec.evaluate.include": "digests",
    "run.metadata.startedOn": "2027-01-02T03:04:05Z",
}


@pytest.mark.parametrize("include", ["answers", "digests"])
def test_a_bundle_that_says_everything_is_trusted(
    tmp_path: Path, signer: keys.Signer, include: str
) -> None:
    full_bundle(tmp_path / "a.kolm", signer, include=include)
    report, problems = failed(tmp_path / "a.kolm", signer)
    assert report.state == "trusted", problems
    agreement = next(check for check in report.checks if check.name == "agreement")
    assert int(agreement.detail.split()[0]) >= len(EQUATIONS) - 4


@pytest.mark.parametrize("equation", EQUATIONS, ids=lambda equation: equation.claim)
def test_a_claim_that_contradicts_is_refused(
    tmp_path: Path, signer: keys.Signer, equation: Any
) -> None:
    path = tmp_path / "a.kolm"
    full_bundle(path, signer, equation.claim, lambda v: FORGED.get(equation.claim, another(v)))
    report, problems = failed(path, signer)
    assert report.state == "invalid"
    assert f"{equation.claim} says" in problems["agreement"]


# With a frozen tower its rate has no effect, and neither the spec nor the receipt names it; younger
# options are named where they are not the default, and have an equation.
@pytest.mark.parametrize(
    "name",
    sorted(
        set(TrainSection.model_fields)
        - NOT_MIRRORED
        - TrainSection.younger
        - {"vision_learning_rate"}
    ),
)
def test_an_option_that_the_spec_did_not_ask_for_is_refused(
    tmp_path: Path, signer: keys.Signer, name: str
) -> None:
    path = tmp_path / "a.kolm"
    full_bundle(path, signer, f"spec.train.{name}", another)
    # An option that is written only where it is not the default is missing on the other side.
    said = statements_of(path).said(f"receipt.vlm_train.{name}") is not UNSAID
    words = f"spec.train.{name} says" if said else f"receipt.vlm_train.{name} is missing"
    assert words in failed(path, signer)[1]["agreement"]


@pytest.mark.parametrize(
    "claim", ["k_score.k", "k_score.axes", "gate.passed", "metric", "gate.failed"]
)
def test_claims_agree_also_where_the_answers_are_not_in_the_bundle(
    tmp_path: Path, signer: keys.Signer, claim: str
) -> None:
    path, name = tmp_path / "a.kolm", f"receipt.evaluation.{claim}"
    full_bundle(path, signer, name, lambda v: FORGED.get(name, another(v)), include="digests")
    assert f"{name} says" in failed(path, signer)[1]["agreement"]


# The chain is the builder's, and the check `chain` looks at it.
@pytest.mark.parametrize("claim", [claim for claim in REQUIRED if claim != "receipt.chain"])
def test_what_the_format_demands_is_missed(tmp_path: Path, signer: keys.Signer, claim: str) -> None:
    path = tmp_path / "a.kolm"
    full_bundle(path, signer, claim, lambda _: REMOVED)
    report, problems = failed(path, signer)
    assert report.state == "invalid"
    assert f"{claim} is missing" in problems.get("agreement", f"{problems}")


def test_the_command_refuses_it_with_4(tmp_path: Path, signer: keys.Signer) -> None:
    path = tmp_path / "a.kolm"
    full_bundle(path, signer, "receipt.vlm_train.train_examples", lambda _: 1_000_000)
    code, report = verdict(path, signer)
    detail = {check["name"]: check["detail"] for check in report["checks"]}["agreement"]
    assert code == 4
    assert detail == (
        "receipt.vlm_train.train_examples says 1000000, but the lines of data/train.jsonl gives 5"
    )


# Claims that are made only where there is something to say.
OPTIONAL = (
    "receipt.vlm_train.coordinates",
    "receipt.evaluation.metric_options",
    "receipt.evaluation.cut_answers",
    "spec.train.loss_on",
    "spec.data.confine",
    *(f"stage.dataset.{split}.images_outside" for split in ("train", "eval")),
    *(f"receipt.vlm_train.{name}" for name in ("vision", "vision_lora_r", "projector_lora_r")),
)


def test_no_claim_is_left_unrelated(tmp_path: Path, signer: keys.Signer) -> None:
    full_bundle(tmp_path / "a.kolm", signer)
    names = set(statements_of(tmp_path / "a.kolm").names("receipt", "run", "stage", "spec"))
    assert sorted(name for name in names if not related(name, names)) == []
    # Nothing in the tables is about a claim that nobody makes.
    for claim in (*(equation.claim for equation in EQUATIONS), *ELSEWHERE, *STAND_ALONE):
        if claim not in OPTIONAL:
            assert any(n == claim or n.startswith(f"{claim}.") for n in names), claim


def test_the_format_lists_the_equations() -> None:
    section = FORMAT_PAGE.read_text().split("## 7. What must agree")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-zA-Z0-9_.-]+)` \| (.+) \|$", section, re.MULTILINE)
    listed = {claim: other.strip() for claim, other in rows}
    wanted = {
        equation.claim: equation.equals if equation.value else f"`{equation.equals}`"
        for equation in EQUATIONS
    }
    wanted |= {claim: reason for claim, reason in STAND_ALONE.items()}
    assert listed == wanted


# `lora_targets` of the spec is a word, that of the receipt is demanded anyway.
@pytest.mark.parametrize("claim", [*WHOLE, *EVALUATED, *CAPTURED, "stage.capture.provenance"])
def test_what_a_whole_compile_says_is_missed(
    tmp_path: Path, signer: keys.Signer, claim: str
) -> None:
    path = tmp_path / "a.kolm"
    full_bundle(path, signer, claim, lambda _: REMOVED)
    report, problems = failed(path, signer)
    assert report.state == "invalid"
    said = f"{claim} is missing" in problems.get("agreement", "")
    assert said or claim.rpartition(".")[2] in str(problems), problems


def test_an_option_that_only_the_receipt_names_is_missed(
    tmp_path: Path, signer: keys.Signer
) -> None:
    path = tmp_path / "a.kolm"
    full_bundle(path, signer, "receipt.vlm_train.loss_on", lambda _: "last")
    assert "spec.train.loss_on is missing" in failed(path, signer)[1]["agreement"]


def test_provenance_of_other_pairs(tmp_path: Path, signer: keys.Signer) -> None:
    path = tmp_path / "a.kolm"
    full_bundle(path, signer, "stage.capture.namespace", lambda _: "another")
    assert "is not about the rows" in failed(path, signer)[1]["agreement"]

    def named(files: factory.Files) -> None:
        data = files["data/train.jsonl"]
        assert isinstance(data, bytes)
        files["data/train.jsonl"] = data.replace(b"capture:tiny-chart/", b"train.jsonl:")

    full_bundle(path, signer, files=named)
    assert "5 training rows are no captured pairs" in failed(path, signer)[1]["agreement"]


def test_a_digest_of_another_pack(tmp_path: Path, signer: keys.Signer) -> None:
    def other(files: factory.Files) -> None:
        data = files["eval/pack.jsonl"]
        assert isinstance(data, bytes)
        files["eval/pack.jsonl"] = data.replace(b'"sha256":"', b'"sha256":"0', 1)[:]
        line, rest = files["eval/pack.jsonl"].split(b"\n", 1)
        files["eval/pack.jsonl"] = line[:-3] + line[-2:] + b"\n" + rest

    path = tmp_path / "a.kolm"
    full_bundle(path, signer, files=other, include="digests")
    assert "data.eval.sha256 is not the digest of" in failed(path, signer)[1]["agreement"]


SAME_ROW: Callable[[bytes], bytes] = lambda data: data.splitlines(keepends=True)[0] * 5  # noqa: E731


def test_copies_of_one_row_are_not_rows(tmp_path: Path, signer: keys.Signer) -> None:
    def repeat(files: factory.Files) -> None:
        data = files["data/train.jsonl"]
        assert isinstance(data, bytes)
        files["data/train.jsonl"] = SAME_ROW(data)

    path = tmp_path / "a.kolm"
    full_bundle(path, signer, files=repeat)
    assert "line 2: the id 'capture:tiny-chart/" in failed(path, signer)[1]["dataset"]


def test_the_format_says_what_a_whole_compile_says() -> None:
    section = FORMAT_PAGE.read_text().split("## 7. What must agree")[1].split("\n## ")[0]
    for claim in (*WHOLE, *CAPTURED):
        names = claim.split(".")
        assert any(f"`{'.'.join(names[at:])}`" in section for at in range(len(names))), claim


def test_layers_that_target_modules_does_not_name(tmp_path: Path, signer: keys.Signer) -> None:
    def other(files: factory.Files) -> None:
        data = files["adapter/adapter_config.json"]
        assert isinstance(data, bytes)
        files["adapter/adapter_config.json"] = data.replace(b"q_proj", b"k_proj")

    path = tmp_path / "a.kolm"
    full_bundle(path, signer, files=other)
    assert "target_modules and modules.json differ" in failed(path, signer)[1]["adapter"]


@pytest.mark.parametrize("name", ["startedOn", "finishedOn"])
def test_a_time_of_another_form(tmp_path: Path, signer: keys.Signer, name: str) -> None:
    path = tmp_path / "a.kolm"
    full_bundle(path, signer, f"run.metadata.{name}", lambda _: "9999")
    assert "is no time such as" in failed(path, signer)[1]["agreement"]


PICTURE = {"pixels": "7" * 64, "size": [640, 480], "shown": None, "tokens": 391}


@pytest.mark.parametrize(
    ("split", "pictures", "words"),
    [
        ("train", [[PICTURE] * 2, [], *[[PICTURE]] * 3], "other numbers of images than the rows"),
        ("train", [[{**PICTURE, "pixels": "6" * 64}]] * 5, "the pixels of trained ones"),
        ("train", [[{**PICTURE, "tokens": -1}]] * 5, "is not a list of pictures"),
        ("train", [[{**PICTURE, "size": [0, 480]}]] * 5, "is not a list of pictures"),
        ("train", [[{**PICTURE, "more": 1}]] * 5, "is not a list of pictures"),
        ("eval", [[5]] * 10, "is not a list of pictures"),
    ],
)
def test_pictures_that_do_not_fit(
    tmp_path: Path, signer: keys.Signer, split: str, pictures: Any, words: str
) -> None:
    """With the digest of what is listed, as whoever lies would write it."""
    said = {"pictures": pictures, "pictures_sha256": digests.sha256_json(pictures)}
    path = tmp_path / "b.kolm"
    full_bundle(path, signer, f"stage.dataset.{split}", lambda facts: {**facts, **said})
    report, found = failed(path, signer)
    assert report.state == "invalid"
    assert words in found["agreement"]


@pytest.mark.parametrize(
    "change",
    [
        {"cid": "x"},
        {"against": None},
        {"ci95": [0.3, 0.0]},
        {"ci95": [0.0, 9]},
        {"at_least": 0.5},
        {"at_least": -1.5},
        {"wins": 0},
        {"ci95": [-0.1, 0.3]},
    ],
)
def test_a_comparison_that_does_not_fit_itself(
    tmp_path: Path, signer: keys.Signer, change: dict[str, Any]
) -> None:
    path = tmp_path / "b.kolm"
    claim = "receipt.evaluation.compared.previous"
    full_bundle(path, signer, claim, lambda said: {**said, **change})
    report, found = failed(path, signer)
    assert report.state == "invalid"
    assert "compared.previous" in " ".join(found.values())


def test_a_latency_of_no_answers(tmp_path: Path, signer: keys.Signer) -> None:
    path = tmp_path / "b.kolm"
    full_bundle(path, signer, "receipt.evaluation.latency.answers", lambda _: 0)
    assert "no answers" in " ".join(failed(path, signer)[1].values())


def test_other_steps_than_the_rows_give(tmp_path: Path, signer: keys.Signer) -> None:
    path = tmp_path / "b.kolm"
    full_bundle(path, signer, "spec.evaluate.during", lambda _: REMOVED)
    found = failed(path, signer)[1]["agreement"]
    assert "optimizer_steps says 3, but the steps of the training rows" in found
    assert "receipt.vlm_train.during is there, and the spec has no evaluate.during" in found


def test_rows_that_chose_are_a_list(tmp_path: Path, signer: keys.Signer) -> None:
    """Whoever reads the receipt afterwards goes through them."""
    path = tmp_path / "b.kolm"
    full_bundle(path, signer, "receipt.vlm_train.during.rows", lambda _: 5)
    found = failed(path, signer)[1]["agreement"]
    assert "during.held_out: malformed (rows is no list)" in found
