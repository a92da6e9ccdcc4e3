"""Claims that nothing contradicts have a form, and a spec holds nothing that nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from kolm_cli.bundle.checks.claims import ELSEWHERE, STAND_ALONE
from kolm_cli.bundle.checks.equations import DURING, EQUATIONS, MIRROR, MIRRORED
from kolm_cli.bundle.format import claim_forms
from kolm_cli.bundle.format.claim_forms import CLAIMS, FORMS, is_of
from kolm_cli.bundle.signing import keys
from kolm_cli.spec import digest_forms
from kolm_cli.spec.model import Spec
from kolm_cli.spec.train import TOLD_ONLY
from tests.bundle import factory
from tests.bundle.claims import failed, full_bundle, statements_of

FORMAT_PAGE = Path(__file__).parents[3] / "docs" / "reference" / "bundle-format.md"
EQUAL = {equation.claim for equation in EQUATIONS}
# What `during` reads value by value.
READ = {f"{DURING}.{name}" for name in ("rows", "loss", "accuracy", "incomplete")}
# Not in a bundle's spec, whatever the schema has.
LEFT_OUT = ("bundle.", *(f"train.{n}" for n in TOLD_ONLY))
LEFT_OUT += tuple(f"launch.{name}" for name in digest_forms._MACHINE)


@pytest.fixture(scope="module")
def signer() -> keys.Signer:
    return keys.generate()


def options(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The dotted names of all options, also those of sections that may be null."""
    for name, field in model.model_fields.items():
        parts = [field.annotation, *get_args(field.annotation)]
        inner = [p for p in parts if isinstance(p, type) and issubclass(p, BaseModel)]
        yield f"{prefix}{name}"
        for section in inner:
            yield from options(section, f"{prefix}{name}.")


def under(name: str, roots: Any) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in roots)


def test_every_option_of_the_spec_has_a_form_or_an_equation() -> None:
    names = [name for name in options(Spec) if not f"{name}.".startswith(LEFT_OUT)]
    missed = [n for n in names if f"spec.{n}" not in CLAIMS and not under(f"spec.{n}", EQUAL)]
    assert missed == []
    assert len(names) > 50


def test_every_claim_has_a_form_or_is_related(tmp_path: Path, signer: keys.Signer) -> None:
    """All that stand alone, and all that a bundle that says everything says."""
    formed = set(CLAIMS) | {n.replace(MIRRORED, MIRROR, 1) for n in CLAIMS if MIRRORED in n}
    # An entry of a map, such as a version, has the form of each of them.
    formed |= {name.removesuffix(".*") for name in CLAIMS}
    for claim in STAND_ALONE.keys() - READ:
        assert claim in formed, claim
    full_bundle(tmp_path / "a.kolm", signer)
    names = statements_of(tmp_path / "a.kolm").names("receipt", "run", "stage", "spec")
    related = EQUAL | set(ELSEWHERE) | READ
    maps = {name.removesuffix(".*") for name in CLAIMS if name.endswith(".*")}
    assert [n for n in names if n not in formed and not under(n, related | maps)] == []


WRONG: dict[str, list[Any]] = {
    "flag": [0, 1, "true"],
    "text": ["a" * 1025, 1, True],
    "texts": ["a", [1], ["a" * 1025], {"a": "b"}],
    "names": [[1], 1, {"a": "b"}],
    "digest": ["A" * 64, "1" * 63, f"{'1' * 64}\n", 1],
    "count": [-1, 1.0, True, "1"],
    "number": [True, "1", float("inf"), float("nan")],
    "amount": [-0.5, True, "1", float("inf")],
    "share": [-0.1, 1.5, True],
    "list": ["", 1],
    "object": ["", 1],
    "version": [2, 0, 1.0, True],
}
RIGHT = {"flag": False, "text": "", "texts": ["a"], "names": "a", "digest": "0" * 64, "count": 0}
RIGHT |= {"number": -1, "amount": 0.5, "share": 1, "list": [1], "object": {"a": 1}, "version": 1}


@pytest.mark.parametrize("form", FORMS)
def test_what_a_form_refuses(form: str) -> None:
    kinds: list[Any] = [None, *([] if form == "object" else [{}])]
    kinds += [] if form in ("list", "texts", "names") else [[]]
    assert [value for value in [*WRONG[form], *kinds] if is_of(form, value)] == []
    assert is_of(form, RIGHT[form])
    assert is_of(f"{form}?", None)
    assert {used.rstrip("?") for used in CLAIMS.values()} == set(FORMS)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("receipt.vlm_train.family", []),
        ("receipt.vlm_train.chat_template_sha256", {}),
        ("receipt.vlm_train.evidence.projector_calls_observed", -1),
        ("receipt.evaluation.compared", []),
        ("receipt.environment.python", {}),
        ("receipt.environment.versions.torch", 2),
        ("run.builder.version.torch", {}),
        ("stage.capture.split", -1),
        ("stage.dataset.train", 5),
    ],
)
def test_a_claim_of_another_form(
    tmp_path: Path, signer: keys.Signer, claim: str, value: Any
) -> None:
    path = tmp_path / "a.kolm"
    full_bundle(path, signer, claim, lambda _: value)
    report, found = failed(path, signer)
    assert report.state == "invalid"
    assert f"{claim.replace('torch', '*')} is {value!r}, which is not of the form" in found["forms"]


@pytest.mark.parametrize(
    ("claim", "value", "words"),
    [
        ("spec.extra", 1, "has 'extra', which"),
        ("spec.data.images.depth", 1, "has 'data.images.depth', which"),
        ("spec.train.magic", 1, "has 'train.magic', which"),
        ("spec.data", {"base.model": 1}, "has 'data.base.model', which"),
        ("spec.evaluate.batch_size", "8", "spec.evaluate.batch_size is '8', which"),
        ("spec.kolm", 2, "spec.kolm is 2, which"),
        ("spec.launch.threads", True, "spec.launch.threads is True, which"),
    ],
)
def test_a_spec_of_another_form(
    tmp_path: Path, signer: keys.Signer, claim: str, value: Any, words: str
) -> None:
    path = tmp_path / "a.kolm"
    full_bundle(
        path, signer, claim, lambda was: {**was, **value} if isinstance(was, dict) else value
    )
    report, found = failed(path, signer)
    assert report.state == "invalid"
    assert words in found["agreement"]


def test_an_answer_that_was_cut_may_be_none(tmp_path: Path, signer: keys.Signer) -> None:
    """White space up to the limit is no answer, and it was cut: no contradiction."""
    path = tmp_path / "a.kolm"
    lines = factory.lines_of(factory.make_files(), "eval/predictions.jsonl")
    silent = [line["id"] for line in lines if line["prediction"] is None]
    assert silent
    full_bundle(
        path, signer, "receipt.evaluation.cut_answers", lambda _: {"predictions": silent[:1]}
    )
    assert failed(path, signer)[0].state == "trusted"


def test_the_format_prints_the_table() -> None:
    section = FORMAT_PAGE.read_text().split("## 7. What must agree")[1].split("\n## ")[0]
    assert section.split("```text\n")[1].split("```")[0] == claim_forms.TABLE
    described = section.split("| form | |\n|---|---|\n")[1].split("\n\n")[0]
    assert all(f"`{form}`" in described for form in FORMS)
    names = [n for line in claim_forms.TABLE.splitlines() for n in line.split(": ")[1].split()]
    assert len(names) == len(CLAIMS)
