"""Bundles of earlier versions go on verifying, and their content keeps its CID."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kolm_cli.bundle.build import Content, build_bundle
from kolm_cli.bundle.format.layout import is_attested
from kolm_cli.bundle.format.manifest import read_manifest
from kolm_cli.bundle.receipt import read_receipt
from kolm_cli.bundle.signing import keys
from kolm_cli.bundle.trust.file import load_policy
from kolm_cli.bundle.verify import verify
from tests.bundle import factory
from tests.bundle.forge import files_of

GOLDEN = Path(__file__).parent / "golden"
EXPECTED = json.loads((GOLDEN / "expected.json").read_bytes())


def test_every_golden_bundle_is_listed() -> None:
    assert {path.name for path in GOLDEN.glob("*.kolm")} == set(EXPECTED)
    assert {entry["state"] for entry in EXPECTED.values()} == {"trusted", "untrusted"}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_verdict_stays(name: str) -> None:
    report = verify(GOLDEN / name, load_policy(GOLDEN / "trust.toml"))
    assert report.state == EXPECTED[name]["state"], report.failed
    assert report.cid == EXPECTED[name]["cid"]
    now = {check.name: check.ok for check in report.checks}
    assert {k: now[k] for k in EXPECTED[name]["checks"]} == EXPECTED[name]["checks"]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_same_content_still_gets_the_same_cid(name: str, tmp_path: Path) -> None:
    files = files_of(GOLDEN / name)
    manifest = read_manifest(files["manifest.json"])
    content = Content(
        name=manifest.name,
        base=manifest.base,
        files={path: data for path, data in files.items() if is_attested(path)},
        receipt={},
        stages=(),
        started=factory.STARTED,
        finished=factory.FINISHED,
    )
    built = build_bundle(content, keys.generate(), tmp_path / "a.kolm")
    assert built.cid == EXPECTED[name]["cid"]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_receipt_is_still_readable(name: str) -> None:
    lines = "\n".join(read_receipt(GOLDEN / name).lines())
    for words in ("acme/tiny-vlm", "lora_r", "k-score-1", "2026-01-02T03:04:05Z"):
        assert words in lines
