"""The chain of statements: each names the one before it, and the receipt names them all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kolm_cli.bundle.format import layout
from kolm_cli.bundle.signing import keys
from kolm_cli.core.digests import sha256_bytes
from tests.bundle import factory
from tests.bundle.checks.attested import (
    CAPTURE,
    DATASET,
    RECEIPT,
    TRAIN,
    Files,
    internal,
    remove,
    repacked,
    resigned,
)
from tests.bundle.forge import (
    assert_refused,
    envelope,
    files_of,
    good,
    payload_of,
    verdict,
)

CHAINS: dict[str, tuple[Callable[[Files, keys.Signer], Files], str, str]] = {
    "shortened": (lambda f, s: remove(CAPTURE)(f), "chain", "does not name the one before it"),
    "shortened and mended": (
        lambda f, s: resigned(DATASET, lambda v: v["predicate"].update(previous=None))(
            remove(CAPTURE)(f), s
        ),
        "chain",
        "does not name the one before it",
    ),
    "reordered": (
        lambda f, s: {**f, DATASET: f[TRAIN], TRAIN: f[DATASET]},
        "chain",
        "dataset: the statement is of 'train'",
    ),
    "broken link": (
        resigned(TRAIN, lambda v: v["predicate"]["previous"].update(sha256="0" * 64)),
        "chain",
        "train: the statement does not name the one before it",
    ),
    "another subject": (
        resigned(TRAIN, lambda v: v["subject"][0]["digest"].update(sha256="0" * 64)),
        "chain",
        "train: the statement is about other files",
    ),
    "a subject less": (
        resigned(TRAIN, lambda v: v["subject"].pop()),
        "chain",
        "train: the statement is about other files",
    ),
    "capture of other facts": (
        resigned(CAPTURE, lambda v: v["predicate"]["facts"].update(pairs=6)),
        "chain",
        "capture: the statement is about other files",
    ),
    "another name": (
        resigned(TRAIN, lambda v: v["predicate"].update(name="other")),
        "chain",
        "train: the statement is of 'other'",
    ),
    "another predicate": (
        resigned(TRAIN, lambda v: v.update(predicateType="x")),
        "chain",
        "not a stage's statement",
    ),
    "a key more": (
        resigned(TRAIN, lambda v: v["predicate"].update(extra=1)),
        "chain",
        "not a stage's statement",
    ),
    "a list for a predicate": (
        resigned(TRAIN, lambda v: v.update(predicate=[])),
        "chain",
        "not a stage's statement",
    ),
    "the receipt names other stages": (
        resigned(RECEIPT, internal(lambda v: v["chain"]["stages"].pop(0))),
        "chain",
        "the receipt does not name these statements",
    ),
    "the receipt is silent about its chain": (
        resigned(RECEIPT, internal(lambda v: v.pop("chain"))),
        "chain",
        "the receipt does not name these statements",
    ),
    "two subjects": (
        resigned(RECEIPT, lambda v: v["subject"].append(v["subject"][0])),
        "subject",
        "another bundle's manifest",
    ),
    "no subject": (
        resigned(RECEIPT, lambda v: v.update(subject=[])),
        "subject",
        "another bundle's manifest",
    ),
    "a weaker digest": (
        resigned(RECEIPT, lambda v: v["subject"][0].update(digest={"md5": "0" * 32})),
        "subject",
        "another bundle's manifest",
    ),
    "another statement version": (
        resigned(RECEIPT, lambda v: v.update(_type="https://in-toto.io/Statement/v0.1")),
        "subject",
        "not SLSA provenance v1",
    ),
    "another base": (
        resigned(
            RECEIPT,
            lambda v: v["predicate"]["buildDefinition"]["externalParameters"]["base"].update(
                model="evil/base"
            ),
        ),
        "subject",
        "externalParameters does not fit",
    ),
    "other weights": (
        resigned(
            RECEIPT, lambda v: v["predicate"]["buildDefinition"]["resolvedDependencies"].pop()
        ),
        "subject",
        "resolvedDependencies does not fit",
    ),
    "no internal parameters": (
        resigned(RECEIPT, lambda v: v["predicate"]["buildDefinition"].pop("internalParameters")),
        "chain",
        "no internalParameters",
    ),
    "no run details": (
        resigned(RECEIPT, lambda v: v["predicate"].pop("runDetails")),
        "subject",
        "not SLSA provenance v1",
    ),
    "a list for a receipt": (
        lambda f, s: {**f, RECEIPT: envelope(b"[]", s)},
        "subject",
        "not an object",
    ),
    "a payload that is not canonical": (
        lambda f, s: {**f, RECEIPT: envelope(payload_of(f[RECEIPT]) + b" ", s)},
        "subject",
        "canonical form",
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_chain(name: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    change, check, words = CHAINS[name]
    repacked(path, lambda files: change(files, signer))
    assert_refused(path, signer, check, words)


@pytest.mark.parametrize("stage", layout.STAGES[1:-1])
def test_a_stage_may_not_be_missing(stage: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    repacked(path, remove(layout.stage_path(stage)))
    assert_refused(path, signer, "files", "is missing")


def test_a_stage_signed_by_another_key(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    stranger = keys.generate()

    def change(files: Files) -> Files:
        data = envelope(payload_of(files[TRAIN]), stranger)
        return {**files, TRAIN: data, layout.key_path(stranger.key_id): stranger.public_pem}

    repacked(path, change)
    assert_refused(path, signer, "signatures", f"signed by {stranger.key_id}")


def test_the_chain_starts_at_the_dataset_where_there_was_no_capture(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm", stages=factory.STAGES[1:])
    code, report = verdict(path, signer)
    assert code == 0
    told = {c["name"]: c["detail"] for c in report["checks"]}
    assert told["chain"] == "dataset → train → evaluate → bundle"
    facts = json.loads(payload_of(files_of(path)[RECEIPT]))
    chain = facts["predicate"]["buildDefinition"]["internalParameters"]["chain"]
    assert chain["starts_at"] == "dataset"
    assert "capture" in chain["why"]


def test_each_statement_names_the_payload_before_it(tmp_path: Path) -> None:
    path, _ = good(tmp_path / "a.kolm")
    files = files_of(path)
    payloads = [payload_of(files[layout.stage_path(stage)]) for stage in layout.STAGES[:-1]]
    named = [json.loads(payload)["predicate"]["previous"] for payload in payloads]
    assert named[0] is None
    assert [link["sha256"] for link in named[1:]] == [sha256_bytes(p) for p in payloads[:-1]]
