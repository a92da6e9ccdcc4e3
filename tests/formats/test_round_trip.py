"""What every format writes is read back without loss, or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kolm_cli.capture.exporting import FORMATS
from kolm_cli.capture.store import Store
from kolm_cli.core.digests import sha256_bytes
from kolm_cli.records.conversation import Conversation
from tests.capture.helpers import Kolm
from tests.formats.helpers import NAMES, every_kind, fill, many_images, simple_pairs

HOLDS: dict[str, Any] = {"csv": many_images, "rows": many_images}


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_is_read_back_without_loss(
    format: str, kolm: Kolm, home: Path, tmp_path: Path
) -> None:
    digest = fill("ns", HOLDS.get(format, every_kind)())
    suffix = {
        "sharegpt": ".json", "csv": ".csv", "parquet": ".parquet", "webdataset": ".tar",
        "imagefolder": "", "sidecar": "",
    }.get(format, ".jsonl")  # fmt: skip
    out = tmp_path / "sub" / f"out{suffix}"
    out.parent.mkdir()
    ran = kolm("capture", "export", "ns", out, "--format", format)
    assert ran.code == 0, ran.err
    # Recognised without being told, in another store, so that only the export speaks.
    ran = kolm("capture", "import", out, "--to", "back", "--json")
    assert ran.code == 0, ran.err
    with Store.open() as store:
        assert store.namespace_digest("back") == digest
        for pair in store.pairs("back"):
            for sha256 in pair.conversation.images:
                assert sha256_bytes(store.image_path(sha256).read_bytes()) == sha256


@pytest.mark.parametrize("format", ["rows", "trl-messages", "trl-prompt", "csv", "parquet",
                                    "imagefolder", "sidecar", "webdataset"])  # fmt: skip
def test_what_is_said_beside_the_conversation_comes_back_too(
    format: str, kolm: Kolm, home: Path, tmp_path: Path
) -> None:
    fill("ns", simple_pairs(), answers=("also", "this [too]"), model="m", tags=("a", "b,c"),
         captured=1_700_000_000_123)  # fmt: skip
    with Store.open() as store:
        store.connection.execute("UPDATE pairs SET review = 1 WHERE id = 2")
    suffixes = {"csv": ".csv", "parquet": ".parquet", "webdataset": ".tar", "rows": ".jsonl"}
    out = tmp_path / f"out{suffixes.get(format, '.jsonl' if 'trl' in format else '')}"
    assert kolm("capture", "export", "ns", out, "--format", format).code == 0
    ran = kolm("capture", "import", out, "--to", "back")
    assert ran.code == 0, ran.err
    with Store.open() as store:
        both = [list(store.pairs(name)) for name in ("ns", "back")]
    for one, other in zip(*both, strict=True):
        for name in ("digest", "answers", "model", "tags", "captured", "review"):
            assert getattr(one, name) == getattr(other, name)


def test_embedded_images_need_no_folder(kolm: Kolm, home: Path, tmp_path: Path) -> None:
    digest = fill("ns", many_images())
    out = tmp_path / "out.jsonl"
    assert kolm("capture", "export", "ns", out, "--embed").code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "out.jsonl"]
    assert kolm("capture", "import", out, "--to", "back").code == 0
    with Store.open() as store:
        assert store.namespace_digest("back") == digest


def test_what_a_format_cannot_hold_is_refused_by_name_and_leaves_nothing(
    kolm: Kolm, home: Path, tmp_path: Path
) -> None:
    fill("ns", every_kind())
    fill("ns", [Conversation.of("more", "a", (NAMES[0],))], answers=("b",))
    fill("ns", [Conversation.of("what is <image>?", "a marker")])
    before = sorted(tmp_path.iterdir())
    for format, expected in (
        ("rows", ["several turns"]),
        ("sharegpt", ["further answers", "a question says <image>"]),
        ("openai-finetune", ["further answers"]),
    ):
        ran = kolm("capture", "export", "ns", tmp_path / "out.json", "--format", format)
        assert ran.code == 2
        for text in expected:
            assert text in ran.err
        assert "pair " in ran.err
        assert sorted(tmp_path.iterdir()) == before
    assert kolm("capture", "export", "ns", "o.jsonl", "--format", "anthropic", "--lossy").code == 0
    again = kolm("capture", "export", "ns", "o.jsonl", "--format", "trl-messages")
    assert again.code == 2
    assert "exists already" in again.err
    assert kolm("capture", "export", "ns", "x", "--format", "nope").code == 2
