"""Receipts and statements of another bundle by the same signer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kolm_cli.bundle.build import build_bundle
from kolm_cli.bundle.signing import keys
from tests.bundle import factory
from tests.bundle.checks.attested import MODEL, RECEIPT, Files, repacked
from tests.bundle.forge import (
    assert_refused,
    files_of,
)


def two(tmp_path: Path) -> tuple[Path, Files, keys.Signer]:
    """A bundle, and the files of another one that the same key signed."""
    signer = keys.generate()
    path = factory.make_bundle(tmp_path / "a.kolm", signer).path
    content = factory.with_files({"spec.yaml": b"kolm: 1\nname: other\n"})
    other = files_of(build_bundle(content, signer, tmp_path / "b.kolm").path)
    return path, other, signer


def attested(files: Files) -> Files:
    return {k: v for k, v in files.items() if k.startswith("attestations/")}


def test_another_bundles_receipt(tmp_path: Path) -> None:
    path, other, signer = two(tmp_path)
    repacked(path, lambda f: {**f, RECEIPT: other[RECEIPT]})
    assert_refused(path, signer, "subject", "another bundle's manifest")


def test_all_of_another_bundles_attestations(tmp_path: Path) -> None:
    path, other, signer = two(tmp_path)
    repacked(path, lambda f: {**f, **attested(other)})
    assert_refused(path, signer, "subject", "another bundle's manifest")


def test_another_bundles_model_signature(tmp_path: Path) -> None:
    path, other, signer = two(tmp_path)
    repacked(path, lambda f: {**f, MODEL: other[MODEL]})
    assert_refused(path, signer, "signatures", "does not list exactly the files")


def test_another_bundles_stage(tmp_path: Path) -> None:
    signer = keys.generate()
    path = factory.make_bundle(tmp_path / "a.kolm", signer).path
    stages = (*factory.STAGES[:2], replace(factory.STAGES[2], facts={"steps": 4}))
    other = factory.make_bundle(tmp_path / "b.kolm", signer, stages=stages).path
    train = "attestations/train.sigstore.json"
    repacked(path, lambda f: {**f, train: files_of(other)[train]})
    assert_refused(path, signer, "chain", "evaluate: the statement does not name the one before")
