"""docs/how-to/verify_bundle.sh, in `sh` and `bash`: nothing but unzip, coreutils and openssl."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from kolm_cli.bundle.signing import keys
from tests.bundle import factory
from tests.bundle.container.hostile import CASES
from tests.bundle.forge import Item, archive, change, files_of, items_of, pack

HOW_TO = Path(__file__).parent.parent.parent / "docs" / "how-to"
SCRIPT = HOW_TO / "verify_bundle.sh"
WEIGHTS = "adapter/adapter_model.safetensors"
RECEIPT = "attestations/receipt.sigstore.json"
SHELLS = ("sh", "bash")
Files = dict[str, bytes]


def follow(
    shell: str, bundle: Path, signer: keys.Signer, folder: Path, *more: str
) -> subprocess.CompletedProcess[str]:
    """Run the script as the page says, with the signer's key in a file."""
    pem = folder.with_suffix(".pem")
    pem.write_bytes(signer.public_pem)
    command = [shell, str(SCRIPT), str(bundle), str(pem), str(folder), *more]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def assert_refuses(shell: str, bundle: Path, signer: keys.Signer, folder: Path, *more: str) -> None:
    done = follow(shell, bundle, signer, folder, *more)
    assert done.returncode != 0
    assert "Verified" not in done.stdout
    assert f"NOT VERIFIED: {bundle}" in done.stderr
    assert not folder.exists()


PAGE = HOW_TO / "audit-a-bundle.md"


def test_the_page_shows_the_script() -> None:
    assert f"```sh\n{SCRIPT.read_text()}```" in PAGE.read_text()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_of_the_page_typed_literally(shell: str, tmp_path: Path) -> None:
    found = re.search(r"^sh (verify_bundle\.sh .*)$", PAGE.read_text(), re.MULTILINE)
    assert found is not None
    signer = keys.generate()
    built = factory.make_bundle(tmp_path / "x.kolm", signer)
    (tmp_path / "vendor.pem").write_bytes(signer.public_pem)
    shutil.copy(SCRIPT, tmp_path)
    done = subprocess.run([shell, *found[1].split()], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"Verified {built.cid}\n"), done.stderr


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("kind", ["ecdsa-p256", "ed25519"])
@pytest.mark.parametrize("captured", [True, False])
def test_a_good_bundle(shell: str, kind: keys.KeyKind, captured: bool, tmp_path: Path) -> None:
    signer = keys.generate(kind)
    stages = factory.STAGES if captured else factory.STAGES[1:]
    built = factory.make_bundle(tmp_path / "x.kolm", signer, stages=stages)
    for number, more in enumerate([(), (built.cid,)]):
        done = follow(shell, built.path, signer, tmp_path / f"out{number}", *more)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"Verified {built.cid}\n"
        assert (tmp_path / f"out{number}" / "spec.yaml").is_file()


@dataclass(frozen=True)
class Bundle:
    """A good bundle, its signer, and another one by the same signer."""

    items: list[Item]
    files: Files
    other: Files
    signer: keys.Signer


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder, signer = tmp_path_factory.mktemp("recipe"), keys.generate()
    path = factory.make_bundle(folder / "x.kolm", signer).path
    other = factory.make_bundle(folder / "y.kolm", signer, name="other").path
    return Bundle(items_of(path), files_of(path), files_of(other), signer)


def lacking(name: str) -> Callable[[Bundle], bytes]:
    return lambda b: pack({k: v for k, v in b.files.items() if k != name})


def holding(name: str) -> Callable[[Bundle], bytes]:
    return lambda b: pack({**b.files, name: b"import os\n"})


def taken(name: str) -> Callable[[Bundle], bytes]:
    return lambda b: pack({**b.files, name: b.other[name]})


def signature_of(b: Bundle) -> bytes:
    return pack({**b.files, RECEIPT: b.files[RECEIPT].replace(b'"sig":"M', b'"sig":"N')})


def two_payloads(b: Bundle) -> bytes:
    """Parsers of JSON take the last one, which nobody signed."""
    unsigned = b.files[RECEIPT].replace(b'"payload":"', b'"payload":"AAAA').removeprefix(b"{")
    return pack({**b.files, RECEIPT: b.files[RECEIPT].removesuffix(b"}") + b"," + unsigned})


def linked(b: Bundle) -> bytes:
    """`spec.yaml` is a symbolic link to a file with the right content."""
    link = {"mode": (stat.S_IFLNK | 0o777) << 16}
    items = change(b.items, "spec.yaml", data=b"modules.json", central=link)
    return archive(items)


def twice(b: Bundle) -> bytes:
    item = next(i for i in b.items if i.name == b"spec.yaml")
    return archive([*b.items, replace(item, data=b"kolm: 1\n")])


HOSTILE: dict[str, Callable[[Bundle], bytes]] = {
    "tampered spec": lambda b: pack({**b.files, "spec.yaml": b"kolm: 1\n"}),
    "tampered weights": lambda b: pack({**b.files, WEIGHTS: b.files[WEIGHTS][:-1] + b"!"}),
    "manifest of another bundle": taken("manifest.json"),
    "manifest": lambda b: pack({**b.files, "manifest.json": b.files["manifest.json"] + b" "}),
    "receipt of another bundle": taken(RECEIPT),
    "stage of another bundle": taken("attestations/train.sigstore.json"),
    "changed signature": signature_of,
    "two payloads in an envelope": two_payloads,
    "added code": holding("adapter/modeling.py"),
    "added hidden file": holding("adapter/.hidden"),
    "added configuration": holding("processor/extra.json"),
    "added attestation": holding("attestations/extra.json"),
    "added outside": holding("../evil"),
    "missing spec": lacking("spec.yaml"),
    "missing receipt": lacking(RECEIPT),
    "missing stage": lacking("attestations/evaluate.sigstore.json"),
    "missing capture": lacking("attestations/capture.sigstore.json"),
    "missing manifest": lacking("manifest.json"),
    "symbolic link": linked,
    "name twice": twice,
    "damaged": lambda b: archive(b.items).replace(b"kolm: 1", b"kolm: 2"),
    "cut": lambda b: archive(b.items)[:-100],
    "prepended": lambda b: b"MZ" + archive(b.items),
    "nothing": lambda b: b"",
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_ones(shell: str, name: str, bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "x.kolm"
    path.write_bytes(HOSTILE[name](bundle))
    assert_refuses(shell, path, bundle.signer, tmp_path / "out")


@pytest.mark.parametrize("name", CASES)
def test_whatever_is_verified_has_the_files_that_were_signed(
    name: str, bundle: Bundle, tmp_path: Path
) -> None:
    """Where unzip is more lenient than kolm, what lies in the folder is what was signed."""
    path, folder = tmp_path / "x.kolm", tmp_path / "out"
    path.write_bytes(CASES[name][0](bundle.items))
    if follow("sh", path, bundle.signer, folder).returncode:
        assert not folder.exists()
    else:
        found = {str(f.relative_to(folder)): f for f in folder.rglob("*") if not f.is_dir()}
        assert not any(f.is_symlink() for f in found.values())
        assert {name: f.read_bytes() for name, f in found.items()} == bundle.files


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("kind", ["ecdsa-p256", "ed25519"])
def test_a_stranger_is_refused(shell: str, kind: keys.KeyKind, tmp_path: Path) -> None:
    built = factory.make_bundle(tmp_path / "x.kolm", keys.generate(kind))
    for number, trusted in enumerate(("ecdsa-p256", "ed25519")):
        signer = keys.generate("ed25519" if trusted == "ed25519" else "ecdsa-p256")
        assert_refuses(shell, built.path, signer, tmp_path / f"out{number}")


@pytest.mark.parametrize("shell", SHELLS)
def test_another_cid(shell: str, bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "x.kolm"
    path.write_bytes(archive(bundle.items))
    for number, cid in enumerate(["bafkreiother", ""]):
        assert_refuses(shell, path, bundle.signer, tmp_path / f"out{number}", cid)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_folder_that_exists_is_left_alone(shell: str, bundle: Bundle, tmp_path: Path) -> None:
    path, folder = tmp_path / "x.kolm", tmp_path / "out"
    path.write_bytes(archive(bundle.items))
    folder.mkdir()
    (folder / "mine").touch()
    done = follow(shell, path, bundle.signer, folder)
    assert done.returncode != 0
    assert (folder / "mine").exists()
