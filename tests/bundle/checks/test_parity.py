"""Parity statements: by anybody, of this bundle's receipt, and true of its own files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kolm_cli.bundle.checks import parity as parity_check
from kolm_cli.bundle.contents import read_contents
from kolm_cli.bundle.format import layout
from kolm_cli.bundle.format.parity import Parity
from kolm_cli.bundle.receipt import read_receipt
from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.signing.co_sign import co_sign
from kolm_cli.bundle.signing.sign_parity import sign_parity
from kolm_cli.bundle.stored_evaluation import read_evaluation
from kolm_cli.bundle.trust.policy import TrustPolicy
from kolm_cli.bundle.verify import Report, verify
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.core.errors import InputError, VerificationError
from kolm_cli.scoring.judging import Judging
from tests.bundle import factory
from tests.bundle.checks.attested import Files, Value, repacked
from tests.bundle.forge import assert_refused, edit_json, envelope, files_of, good, payload_of
from tests.interop.two_readers import agreed

# Of ten rows, the server answers the fourth and the last otherwise: 6 of 10 are right there.
PARITY = Parity(
    server="vLLM",
    version="0.32.0",
    model="tiny-chart",
    export=("vllm", "ab" * 32),
    rows=10,
    asked_for=0.75,
    differ=[("eval.jsonl:4", None), ("eval.jsonl:10", "90")],
    accuracy=(0.8, 0.7),
    checks={"base": True, "picture": True, "template": None},
    measured="2026-01-03T00:00:00Z",
    kolm="0.1.0",
)


def detail(report: Report) -> str:
    return next(check.detail for check in report.checks if check.name == "parity")


def both(path: Path, signer: keys.Signer) -> Report:
    """What kolm says, once the second reader has said the same."""
    report = verify(path, factory.trusting(signer))
    failed = [check.name for check in report.failed]
    agreed(path.read_bytes(), failed, report.state, report.cid, [signer.key_id])
    return report


def test_it_changes_no_cid_and_is_shown(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    before = verify(path, factory.trusting(signer))
    assert (before.state, detail(before)) == ("trusted", "no server was measured")
    assert before.cid is not None
    auditor = keys.generate("ed25519")
    sign_parity(path, PARITY, auditor, cid=before.cid)
    sign_parity(path, replace(PARITY, server="SGLang"), signer, cid=before.cid)
    report = both(path, signer)
    assert (report.state, report.cid) == ("trusted", before.cid)
    assert f"vLLM 0.32.0: 8 of 10 answers equal, signed by {auditor.key_id} (NOT trusted:" in (
        detail(report)
    )
    assert f"SGLang 0.32.0: 8 of 10 answers equal, signed by {signer.key_id} (trusted)" in (
        detail(report)
    )
    lines = "\n".join(read_receipt(path).lines())
    for words in ("how it is served", "vLLM 0.32.0, model tiny-chart", f"vllm sha256:{'ab' * 32}"):
        assert words in lines
    # Whoever measured a server has not signed the receipt, and the other way round.
    stranger = verify(path, factory.trusting(auditor))
    assert stranger.state == "untrusted"
    co_sign(path, auditor)
    assert both(path, signer).state == "trusted"
    assert verify(path, factory.trusting(auditor)).state == "trusted"


def test_of_another_bundle_and_too_many(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    with pytest.raises(Exception, match="which was asked for"):
        sign_parity(path, PARITY, signer, cid="b" + "a" * 58)
    cid = verify(path, TrustPolicy()).cid or ""
    for number in range(layout.MAX_PARITY_STATEMENTS):
        sign_parity(path, replace(PARITY, version=str(number)), signer, cid=cid)
    assert both(path, signer).state == "trusted"
    with pytest.raises(InputError, match="as many parity statements"):
        sign_parity(path, PARITY, signer, cid=cid)
    many = tmp_path / "b.kolm"
    many.write_bytes(path.read_bytes())
    add(many, signer, lambda statement: None)
    assert_refused(many, signer, "signatures", "more than 16 parity statements")
    both(many, signer)


def test_without_answers_in_the_bundle(tmp_path: Path) -> None:
    signer = keys.generate()
    files = factory.make_files(include="digests")
    path = factory.make_bundle(tmp_path / "a.kolm", signer, files=files).path
    sign_parity(path, PARITY, signer, cid=verify(path, TrustPolicy()).cid or "")
    assert_refused(path, signer, "parity", "answers that the bundle does not hold")


def add(path: Path, signer: keys.Signer, edit: Callable[[Value], Any]) -> str:
    """Put a statement in, changed and signed by the trusted key itself; its path."""
    manifest_of = verify(path, TrustPolicy())
    assert manifest_of.cid
    whole = path.read_bytes()
    scratch = path.with_name("scratch.kolm")
    scratch.write_bytes(whole)
    if not any("parity." in name for name in files_of(path)):
        sign_parity(scratch, PARITY, signer, cid=manifest_of.cid)
    name = next(n for n in files_of(scratch) if "parity." in n)
    payload = edit_json(payload_of(files_of(scratch)[name]), edit)
    if payload == payload_of(files_of(scratch)[name]):
        payload = edit_json(payload, lambda v: v["predicate"]["server"].update(model="other"))
    place = layout.parity_path(sha256_bytes(payload))

    def change(files: Files) -> Files:
        return {
            **files,
            layout.key_path(signer.key_id): signer.public_pem,
            place: envelope(payload, signer),
        }

    repacked(path, change)
    return place


def predicate(**changes: Any) -> Callable[[Value], Any]:
    return lambda v: v["predicate"].update(changes)


def inside(key: str, **changes: Any) -> Callable[[Value], Any]:
    return lambda v: v["predicate"][key].update(changes)


STATEMENTS: dict[str, tuple[Callable[[Value], Any], str, str]] = {
    "another type": (lambda v: v.update(predicateType="x"), "chain", "not a parity statement"),
    "a key more": (lambda v: v.update(more=1), "chain", "not a parity statement"),
    "another name": (predicate(name="other"), "chain", "about another bundle"),
    "another subject": (
        lambda v: v["subject"][0]["digest"].update(sha256="0" * 64),
        "chain",
        "about another bundle",
    ),
    "another receipt": (inside("previous", sha256="0" * 64), "chain", "does not name the receipt"),
    "another stage": (inside("previous", stage="train"), "chain", "does not name the receipt"),
    "a predicate's key more": (predicate(more=1), "parity", "not the predicate of"),
    "a check that failed": (inside("checks", base=False), "parity", "base is False"),
    "a check less": (lambda v: v["predicate"]["checks"].pop("base"), "parity", "has no base"),
    "a share above one": (inside("agreement", asked_for=1.5), "parity", "asked_for is 1.5"),
    "less than asked for": (inside("agreement", asked_for=0.9), "parity", "below what it asks for"),
    "a row less": (inside("agreement", rows=9, equal=7), "parity", "and the pack has others"),
    "rows that do not add up": (inside("agreement", equal=9), "parity", "are not all"),
    "true for a count": (inside("agreement", equal=True), "parity", "equal is True"),
    "a strange row": (
        lambda v: v["predicate"]["differ"][0].update(id="eval.jsonl:99"),
        "parity",
        "not the pack's, in its order",
    ),
    "another order": (
        lambda v: v["predicate"]["differ"].reverse(),
        "parity",
        "not the pack's, in its order",
    ),
    "a row that does not differ": (
        lambda v: v["predicate"]["differ"][1].update(prediction="100"),
        "parity",
        "is said to differ, and does not",
    ),
    "another accuracy": (inside("accuracy", server=0.8), "parity", "the accuracies are"),
    "words that steer": (inside("server", name="a\x1b[2J"), "parity", "name is"),
    "long words": (inside("server", model="x" * 201), "parity", "model is"),
    "no time": (predicate(measured="today"), "parity", "measured is not one"),
    "no digest": (inside("export", sha256="AB"), "parity", "sha256 is"),
    "no list": (predicate(differ={}), "parity", "differ or measured is not one"),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_statements_that_are_not_true(name: str, tmp_path: Path) -> None:
    edit, check, words = STATEMENTS[name]
    path, signer = good(tmp_path / "a.kolm")
    add(path, signer, edit)
    assert_refused(path, signer, check, words)
    both(path, signer)


def test_in_another_place_or_with_another_signature(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    place = add(path, signer, lambda statement: None)
    data = files_of(path)[place]
    stranger = keys.generate()
    for name, change in {
        "is not where this statement stands": {layout.parity_path("0" * 64): data, place: None},
        "there is no key": {place: envelope(payload_of(data), stranger)},
        "signed nothing": {layout.key_path(stranger.key_id): stranger.public_pem},
    }.items():
        bad = tmp_path / "b.kolm"
        bad.write_bytes(path.read_bytes())

        def put(files: Files, change: dict[str, bytes | None] = change) -> Files:
            merged = {**files, **change}
            return {key: value for key, value in merged.items() if value is not None}

        repacked(bad, put)
        assert_refused(bad, signer, "signatures", name)
        both(bad, signer)


def test_the_accuracies_are_by_weight(tmp_path: Path) -> None:
    """As every accuracy is: the last row, which only the server gets wrong, counts three times."""
    path, _ = good(tmp_path / "a.kolm")
    with path.open("rb") as stream:
        evaluation = read_evaluation(read_contents(stream))
    *others, last = evaluation.pack
    pack = [*others, replace(last, judging=Judging(weight=3.0))]
    case: Any = SimpleNamespace(evaluation=replace(evaluation, pack=pack))
    parity_check._recompute(case, replace(PARITY, accuracy=(0.8333, 0.5833)))
    with pytest.raises(VerificationError, match="the accuracies are"):
        parity_check._recompute(case, PARITY)
