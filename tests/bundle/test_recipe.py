"""The commands of docs/how-to/audit-a-bundle.md, with nothing but unzip, coreutils and openssl."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from kolm_cli.bundle.signing import keys
from tests.bundle import factory
from tests.bundle.forge import files_of, pack

DOCS = Path(__file__).parent.parent.parent / "docs" / "how-to" / "audit-a-bundle.md"


def follow(bundle: Path, key_id: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run every block of the page, one after the other, as a reader would."""
    blocks = re.findall(r"^```bash\n(.*?)^```$", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 6
    script = f"set -eu -o pipefail\nbundle={bundle}\ntrusted={key_id}\n" + "".join(blocks[1:])
    folder.mkdir()
    return subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ed25519"])
def test_a_good_bundle(kind: keys.KeyKind, tmp_path: Path) -> None:
    signer = keys.generate(kind)
    built = factory.make_bundle(tmp_path / "x.kolm", signer)
    done = follow(built.path, signer.key_id, tmp_path / "work")
    assert done.returncode == 0, done.stderr
    assert built.cid in done.stdout.split()
    assert "Verified" in done.stdout


def test_damaged_ones(tmp_path: Path) -> None:
    signer = keys.generate()
    built = factory.make_bundle(tmp_path / "x.kolm", signer)
    files = files_of(built.path)
    receipt = "attestations/receipt.sigstore.json"
    other = files_of(factory.make_bundle(tmp_path / "y.kolm", signer, name="other").path)
    damaged = {
        "another file": {**files, "spec.yaml": b"kolm: 1\n"},
        "another receipt": {**files, receipt: other[receipt]},
        "another signature": {**files, receipt: files[receipt].replace(b'"sig":"M', b'"sig":"N')},
    }
    for number, changed in enumerate(damaged.values()):
        built.path.write_bytes(pack(changed))
        assert follow(built.path, signer.key_id, tmp_path / str(number)).returncode != 0


def test_a_key_that_is_not_trusted(tmp_path: Path) -> None:
    built = factory.make_bundle(tmp_path / "x.kolm")
    assert follow(built.path, keys.generate().key_id, tmp_path / "work").returncode != 0
