"""Freezing: the store's images are linked, everybody else's are copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolm_cli.capture.store import Store
from kolm_cli.core import digests
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.core.errors import InputError
from kolm_cli.dataset.frozen import freeze, thaw
from kolm_cli.dataset.sources import read_source
from kolm_cli.formats.python_rows import rows_from_python
from kolm_cli.records import images
from kolm_cli.records.conversation import Conversation
from kolm_cli.records.row import Row, rows_digest
from kolm_cli.spec.sources import CaptureSource
from tests.capture.helpers import png

DATA = png()
NAME = sha256_bytes(DATA)


@pytest.fixture
def captured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[Row]]:
    """The store's file of an image, and the rows that show it."""
    monkeypatch.setenv("KOLM_HOME", str(tmp_path / "home"))
    with Store.open() as store:
        for i in range(3):
            store.add("ns", Conversation.of(f"q{i}", "a", (NAME,)), {NAME: DATA}, source="test")
        path = store.image_path(NAME)
    return path, read_source(CaptureSource("ns")).rows


def test_images_of_the_store_are_linked_and_not_read(
    captured: tuple[Path, list[Row]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, rows = captured
    with monkeypatch.context() as patch:
        patch.delattr(images, "read_image_file")
        freeze(rows, tmp_path / "run", "train")
    frozen = tmp_path / "run" / "images" / NAME
    assert frozen.samefile(path)
    assert frozen.stat().st_mode & 0o077 == 0
    # Forgotten by the store, the picture stays in what was frozen before.
    path.unlink()
    again = list(thaw(tmp_path / "run", "train"))
    assert rows_digest(again) == rows_digest(rows)
    assert again[0].images[NAME].read() == DATA


def test_a_user_s_file_is_copied_and_may_change_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(DATA)
    rows = rows_from_python([{"image": path, "prompt": "q", "response": "a"}])
    freeze(rows, tmp_path / "run", "train")
    frozen = tmp_path / "run" / "images" / NAME
    assert not frozen.samefile(path)
    path.write_bytes(b"other")
    assert next(thaw(tmp_path / "run", "train")).images[NAME].read() == DATA


def test_where_links_cannot_be_made_the_image_is_copied(
    captured: tuple[Path, list[Row]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    path, rows = captured
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    freeze(rows, tmp_path / "run", "train")
    frozen = tmp_path / "run" / "images" / NAME
    assert frozen.read_bytes() == DATA
    assert not frozen.samefile(path)


def test_a_damaged_image_of_the_store_is_noticed_when_it_is_read(
    captured: tuple[Path, list[Row]], tmp_path: Path
) -> None:
    path, rows = captured
    path.write_bytes(DATA[:-1] + b"x")
    freeze(rows, tmp_path / "run", "train")
    with pytest.raises(InputError, match="changed while"):
        next(thaw(tmp_path / "run", "train")).images[NAME].read()


def test_a_row_is_digested_once(monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = rows_from_python([{"prompt": "q", "response": "a"}])
    first = rows_digest([row])
    calls: list[object] = []
    plain = digests.sha256_json

    def counted(value: object) -> str:
        calls.append(value)
        return plain(value)

    monkeypatch.setattr(digests, "sha256_json", counted)
    assert rows_digest([row]) == first
    assert calls == [[["rows[0]", row.digest]]]
