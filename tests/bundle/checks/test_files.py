"""The files of a bundle: those that the manifest lists, and no others."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tests.bundle import factory
from tests.bundle.forge import assert_refused, files_of, good, pack


@pytest.mark.parametrize(
    "name",
    [
        *("adapter/model.pkl", "adapter/pytorch_model.bin", "adapter/adapter_model.pt"),
        *("processor/processing_evil.py", "adapter/modeling.py", "setup.py", "processor/x.so"),
        *("readme.md", "data/train.parquet", "eval/images/1.png", "attestations/key.pem"),
        *("adapter/other.safetensors", "attestations/extra.sigstore.json", "modules.json.bak"),
    ],
)
def test_what_is_not_on_the_allow_list(name: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    path.write_bytes(pack({**files_of(path), name: pickle.dumps({})}))
    assert_refused(path, signer, "files", f"{name} is not a file that a bundle may hold")


def test_a_file_that_the_manifest_does_not_list(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    path.write_bytes(pack({**files_of(path), "processor/extra.json": b"{}"}))
    assert_refused(path, signer, "files", "processor/extra.json is not in the manifest")


@pytest.mark.parametrize("name", sorted(p for p in factory.make_files()))
def test_a_missing_file(name: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    path.write_bytes(pack({k: v for k, v in files_of(path).items() if k != name}))
    assert_refused(path, signer, "files", f"{name} is missing")


@pytest.mark.parametrize("name", sorted(p for p in factory.make_files()))
def test_a_changed_file(name: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    files = files_of(path)
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    path.write_bytes(pack(files))
    assert_refused(path, signer, "files", f"{name} has the SHA-256")


def test_files_in_another_order(tmp_path: Path) -> None:
    from tests.bundle.forge import archive, items_of

    path, signer = good(tmp_path / "a.kolm")
    first, second, third, *rest = items_of(path)
    path.write_bytes(archive([first, third, second, *rest]))
    assert_refused(path, signer, "files", "order")


def test_no_manifest(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    path.write_bytes(pack({k: v for k, v in files_of(path).items() if k != "manifest.json"}))
    assert_refused(path, signer, "manifest", "the bundle has no manifest.json")
