"""kolm verify, receipt and unpack as a user sees them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from kolm_cli.bundle.checks.catalog import CHECKS
from kolm_cli.cli.commands import verify
from tests.bundle import factory
from tests.bundle.command import kolm
from tests.bundle.forge import files_of, good
from tests.support import command


def test_verify_for_a_reader(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    said = kolm("verify", str(path), code=4).splitlines()
    assert [line[8:].split()[0] for line in said[:-2]] == [check.name for check in CHECKS]
    assert said[-1].split() == ["state", "untrusted"]
    kolm("trust", "add", signer.key_id, "--name", "*")
    assert kolm("verify", str(path)).splitlines()[-1].split() == ["state", "trusted"]


def test_verify_json_has_exactly_the_documented_keys(tmp_path: Path) -> None:
    path, _ = good(tmp_path / "a.kolm")
    report = json.loads(kolm("verify", str(path), "--json", "--allow-untrusted"))
    assert set(report) == {"state", "cid", "checks"}
    assert all(set(check) == {"name", "ok", "detail"} for check in report["checks"])
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_what_a_bundle_says_cannot_steer_the_terminal(tmp_path: Path) -> None:
    files = factory.make_files()
    path, _ = good(tmp_path / "a.kolm", files=files)
    path.write_bytes(path.read_bytes().replace(b"spec.yaml", b"\x1b[2Jx.yml"))
    said = kolm("verify", str(path), code=4)
    assert "\x1b" not in said
    assert "state   invalid" in said


def test_receipt_says_what_went_in_and_what_came_out(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    said = kolm("receipt", str(path))
    titles = [line for line in said.splitlines() if line and not line.startswith(" ")]
    assert titles == [
        "bundle",
        "what went in",
        "what was trained",
        "what it scored",
        "how it was made",
    ]
    for words in (
        signer.key_id,
        "acme/tiny-vlm 0123456789abcdef",
        "model.visual.merger.mlp.*.weight",
        "the same before and after",
        "0.8016  (A 0.8  S 0.9131  L 0.4545  C 0.9434  V 0.9)",
    ):
        assert words in said


def test_receipt_json_is_the_signed_statement(tmp_path: Path) -> None:
    path, _ = good(tmp_path / "a.kolm")
    statement = json.loads(kolm("receipt", str(path), "--json"))
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["subject"][0]["name"] == "manifest.json"
    facts = statement["predicate"]["buildDefinition"]["internalParameters"]
    assert {"vlm_train", "evaluation", "chain"} <= set(facts)


def test_receipt_sums_are_what_sha256sum_takes(tmp_path: Path) -> None:
    path, _ = good(tmp_path / "a.kolm")
    folder = tmp_path / "out"
    kolm("unpack", str(path), str(folder), "--allow-untrusted")
    sums = kolm("receipt", str(path), "--sums")
    command = ["sha256sum", "--strict", "-c", "-"]
    done = subprocess.run(command, cwd=folder, input=sums, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK") == 1 + len(factory.make_files())


def test_verify_tells_how_far_it_is_when_asked_or_when_it_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = good(tmp_path / "a.kolm")
    ask = ("verify", str(path), "--allow-untrusted")
    assert command.kolm(*ask).err == ""
    assert "read bundle: 0.0/" in command.kolm(*ask, "--progress", "plain").err
    monkeypatch.setattr(verify, "LARGE", 0)
    assert "read bundle" in command.kolm(*ask).err


def test_receipt_of_a_damaged_bundle_is_not_shown(tmp_path: Path) -> None:
    path, _ = good(tmp_path / "a.kolm")
    path.write_bytes(path.read_bytes()[:-1])
    said = kolm("receipt", str(path), code=4)
    assert "container" in said
    assert "what was trained" not in said


def test_unpack_refuses_who_is_not_trusted(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    folder = tmp_path / "out"
    assert "policy" in kolm("unpack", str(path), str(folder), code=4)
    assert not folder.exists()
    kolm("trust", "add", signer.key_id, "--name", "tiny-*")
    done = json.loads(kolm("unpack", str(path), str(folder), "--json"))
    assert done["state"] == "trusted"
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == set(
        files_of(path)
    )


def test_sums_and_json_exclude_each_other(tmp_path: Path) -> None:
    path, _ = good(tmp_path / "a.kolm")
    assert "exclude each other" in kolm("receipt", str(path), "--sums", "--json", code=2)


@pytest.mark.parametrize("name", ["verify", "receipt", "sign"])
def test_a_missing_file_is_exit_2(name: str, tmp_path: Path) -> None:
    assert "there is no such file" in kolm(name, str(tmp_path / "none.kolm"), code=2)
