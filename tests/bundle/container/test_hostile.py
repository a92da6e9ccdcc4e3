"""Archives that two readers could read differently are refused by the check `container`."""

from __future__ import annotations

import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bundle.container.hostile import CASES
from tests.bundle.forge import Item, archive, assert_refused, change, good, items_of, verdict


@pytest.mark.parametrize("name", CASES)
def test_refused(name: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    forge, words = CASES[name]
    path.write_bytes(forge(items_of(path)))
    assert_refused(path, signer, "container", words)


def test_the_forge_itself_writes_what_verifies(tmp_path: Path) -> None:
    """Otherwise the cases above could be refused for another reason than the one they name."""
    path, signer = good(tmp_path / "a.kolm")
    before = path.read_bytes()
    path.write_bytes(archive(items_of(path)))
    assert path.read_bytes() == before
    assert verdict(path, signer)[0] == 0


@pytest.mark.parametrize("kind", ["stored", "deflated"])
def test_a_size_that_lies_costs_no_memory(kind: str, tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    items = items_of(path)
    if kind == "stored":
        big = {"size": 50_000_000, "packed": 50_000_000}
        items = change(items, "adapter/adapter_model.safetensors", local=big, central=big)
        path.write_bytes(archive(items))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
            for item in items:
                padding = b" " * 50_000_000 if item.name.endswith(b"model.safetensors") else b""
                opened.writestr(item.name.decode(), item.data + padding)
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    code, report = verdict(path, signer)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert code == 4
    assert report["checks"][0]["ok"] is False
    assert peak < 8_000_000


def test_more_than_a_reader_can_hold(tmp_path: Path) -> None:
    """Forty configurations of four megabytes: the reader stops, it does not take them all."""
    path, signer = good(tmp_path / "a.kolm")
    items = items_of(path)
    many = [Item(b"processor/c%02d.json" % n, b" " * (4 << 20)) for n in range(40)]
    path.write_bytes(archive([*items[:6], *many, *items[6:]]))
    assert_refused(path, signer, "container", "bytes to look into")


def test_later_checks_say_that_they_were_not_reached(tmp_path: Path) -> None:
    path, signer = good(tmp_path / "a.kolm")
    path.write_bytes(path.read_bytes() + b"x")
    _, report = verdict(path, signer)
    rest = report["checks"][1:]
    assert {c["ok"] for c in rest} == {None}
    assert {c["detail"] for c in rest} == {"not checked, since container failed"}


def test_a_missing_file_a_folder_and_a_pipe_are_a_wrong_input(tmp_path: Path) -> None:
    import os

    from kolm_cli.bundle.trust.policy import TrustPolicy
    from kolm_cli.bundle.verify import verify
    from kolm_cli.core.errors import InputError

    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing.kolm", tmp_path, tmp_path / "pipe"):
        with pytest.raises(InputError):
            verify(path, TrustPolicy())


def test_replacing_a_field_by_itself_changes_nothing(tmp_path: Path) -> None:
    path, _ = good(tmp_path / "a.kolm")
    items = items_of(path)
    assert archive([replace(i, local={"flags": 0}) for i in items]) == path.read_bytes()
