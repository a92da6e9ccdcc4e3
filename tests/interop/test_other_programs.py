"""A bundle from a real compile, checked by programs that are not ours; a damaged one refused."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.bundle.forge import pack
from tests.support.jobs import Compiled

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BIN = ROOT / ".venv-interop" / "bin"
RECEIPT = "attestations/receipt.sigstore.json"
Change = Callable[[Path], None]


@dataclass(frozen=True)
class Unzipped:
    """A bundle, its files, and the public key that its owner published."""

    bundle: Path
    folder: Path
    public_key: Path
    key_id: str
    cid: str

    def copy(self, to: Path) -> Unzipped:
        shutil.copytree(self.folder, to / "files")
        return Unzipped(self.bundle, to / "files", self.public_key, self.key_id, self.cid)


def run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=120
    )


def accepts(*command: str | Path, cwd: Path | None = None) -> str:
    done = run(*command, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refuses(*command: str | Path, words: str, cwd: Path | None = None) -> None:
    """Fails, and for the reason that is meant: a missing program fails as well."""
    done = run(*command, cwd=cwd)
    assert done.returncode != 0
    assert re.search(words, done.stdout + done.stderr), done.stdout + done.stderr


@pytest.fixture(scope="session")
def good(compiled: Compiled, tmp_path_factory: pytest.TempPathFactory) -> Unzipped:
    folder = tmp_path_factory.mktemp("interop")
    bundle = Path(compiled.report["bundle"])
    accepts("unzip", "-q", bundle, "-d", folder / "files")
    public_key = folder / "trusted.pem"
    job = compiled.job
    assert job.kolm("keys", "export", "--out", public_key).code == 0
    key_id = job.kolm("keys", "show", "--json").json["id"]
    return Unzipped(bundle, folder / "files", public_key, key_id, compiled.report["cid"])


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody else's public key, made by openssl."""
    path = tmp_path_factory.mktemp("stranger") / "key.pem"
    accepts("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-out", path)  # fmt: skip
    accepts("openssl", "pkey", "-in", path, "-pubout", "-out", path.with_suffix(".pub"))
    return path.with_suffix(".pub")


def changed_payload(path: Path) -> None:
    """The receipt says something else under the same signature."""
    value = json.loads(path.read_bytes())
    payload = base64.b64decode(value["dsseEnvelope"]["payload"])
    assert b"finishedOn" in payload
    tampered = payload.replace(b'"finishedOn":"2', b'"finishedOn":"1')
    value["dsseEnvelope"]["payload"] = base64.b64encode(tampered).decode()
    path.write_text(json.dumps(value))


def payload_of(folder: Path) -> dict[str, Any]:
    envelope = json.loads((folder / RECEIPT).read_bytes())["dsseEnvelope"]
    value: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return value


# --- archive, sums, CID ------------------------------------------------------------------------


def test_unzip(good: Unzipped, tmp_path: Path) -> None:
    assert "No errors detected" in accepts("unzip", "-t", good.bundle)
    data = bytearray(good.bundle.read_bytes())
    weights = data.index(b"adapter/adapter_model.safetensors")
    data[weights + 5000] ^= 1
    (tmp_path / "bad.kolm").write_bytes(data)
    refuses("unzip", "-t", tmp_path / "bad.kolm", words="bad CRC")


def test_sha256sum(good: Unzipped, compiled: Compiled, tmp_path: Path) -> None:
    sums = tmp_path / "sums"
    sums.write_text(compiled.job.kolm("receipt", good.bundle, "--sums").out)
    said = accepts("sha256sum", "--strict", "-c", sums, cwd=good.folder)
    files = [p for p in good.folder.rglob("*") if p.is_file() and "attestations" not in p.parts]
    assert said.count(": OK") == len(files)
    bad = good.copy(tmp_path)
    (bad.folder / "spec.yaml").write_text("kolm: 1\n")
    refuses("sha256sum", "-c", sums, cwd=bad.folder, words="spec.yaml: FAILED")


def test_multiformats(good: Unzipped, tmp_path: Path) -> None:
    program = (BIN / "python", HERE / "programs" / "multiformats_cid.py")
    assert accepts(*program, good.folder / "manifest.json").strip() == good.cid
    bad = good.copy(tmp_path)
    manifest = bad.folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    assert accepts(*program, manifest).strip() != good.cid


# --- the documented recipe ---------------------------------------------------------------------


SCRIPT = ROOT / "docs" / "how-to" / "verify_bundle.sh"


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_openssl_and_coreutils(good: Unzipped, stranger: Path, tmp_path: Path, shell: str) -> None:
    script = (shell, SCRIPT, good.bundle)
    assert accepts(*script, good.public_key, tmp_path / "a") == f"Verified {good.cid}\n"
    refuses(*script, stranger, tmp_path / "b", words="NOT VERIFIED.*signature of dataset")
    refuses(*script, good.public_key, tmp_path / "c", "bafkreiother", words="NOT VERIFIED.*CID")


def test_openssl_refuses_another_payload(good: Unzipped, tmp_path: Path) -> None:
    bad = good.copy(tmp_path)
    changed_payload(bad.folder / RECEIPT)
    files = {str(p.relative_to(bad.folder)): p for p in bad.folder.rglob("*") if p.is_file()}
    data = pack({name: path.read_bytes() for name, path in files.items()})
    (tmp_path / "bad.kolm").write_bytes(data)
    script = ("sh", SCRIPT, tmp_path / "bad.kolm", good.public_key, tmp_path / "out")
    refuses(*script, words="NOT VERIFIED.*signature of receipt")


# --- signatures --------------------------------------------------------------------------------


def test_securesystemslib(good: Unzipped, stranger: Path, tmp_path: Path) -> None:
    program = (BIN / "python", HERE / "programs" / "dsse_envelope.py")
    assert good.key_id in accepts(*program, good.folder / RECEIPT, good.public_key)
    unverified = "VerificationError"
    refuses(*program, good.folder / RECEIPT, stranger, words=unverified)
    bad = good.copy(tmp_path)
    changed_payload(bad.folder / RECEIPT)
    refuses(*program, bad.folder / RECEIPT, good.public_key, words=unverified)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: v.update(extra=1), 'no field named "extra"'),
        (lambda v: v["predicate"].update(vlm_train={}), 'no field named "vlm_train"'),
        (lambda v: v["predicate"]["buildDefinition"].pop("buildType"), "lacks something"),
        (lambda v: v.update(subject=[]), "subject"),
        (lambda v: v["subject"][0]["digest"].clear(), "digest"),
        (lambda v: v.update(predicateType="https://slsa.dev/provenance/v0.2"), "not SLSA"),
    ],
)
def test_in_toto(good: Unzipped, tmp_path: Path, change: Callable[[Any], Any], words: str) -> None:
    program = (BIN / "python", HERE / "programs" / "in_toto_statement.py")
    statement, file = payload_of(good.folder), tmp_path / "statement.json"
    file.write_text(json.dumps(statement))
    sha256 = accepts("sha256sum", good.folder / "manifest.json").split()[0]
    assert accepts(*program, file).strip() == sha256
    change(statement)
    file.write_text(json.dumps(statement))
    refuses(*program, file, words=words)


def test_openssf_model_signing(good: Unzipped, stranger: Path, tmp_path: Path) -> None:
    """The command of audit-a-bundle.md."""

    def command(files: Unzipped, key: Path) -> tuple[str | Path, ...]:
        signature = files.folder / "attestations" / "model.sig"
        arguments = ("--signature", signature, "--public_key", key, files.folder)
        return (BIN / "model_signing", "verify", "key", *arguments)

    assert "Verification succeeded" in accepts(*command(good, good.public_key))
    refuses(*command(good, stranger), words="Verification failed")
    for number, damage in enumerate((damage_weights, add_file, remove_file)):
        bad = good.copy(tmp_path / str(number))
        damage(bad.folder)
        refuses(*command(bad, good.public_key), words="Verification failed.*Signature mismatch")


def damage_weights(folder: Path) -> None:
    path = folder / "adapter" / "adapter_model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def add_file(folder: Path) -> None:
    (folder / "adapter" / "modeling.py").write_text("print()\n")


def remove_file(folder: Path) -> None:
    (folder / "spec.yaml").unlink()


def test_sigstore_verify(good: Unzipped, stranger: Path, tmp_path: Path) -> None:
    program = ("node", HERE / "programs" / "sigstore_verify.mjs")
    every = sorted(good.folder.glob("attestations/*.sigstore.json"))
    assert len(every) >= 4
    for bundle in every:
        assert "verified" in accepts(*program, bundle, good.public_key, good.key_id)
    receipt = good.folder / RECEIPT
    refuses(*program, receipt, stranger, good.key_id, words="signature verification failed")
    refuses(*program, receipt, good.public_key, "00" * 32, words="is not trusted")
    bad = good.copy(tmp_path)
    changed_payload(bad.folder / RECEIPT)
    refuses(*program, bad.folder / RECEIPT, good.public_key, good.key_id,
            words="signature verification failed")  # fmt: skip
