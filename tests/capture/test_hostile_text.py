"""Text of a stranger's rows cannot steer the terminal, in errors, notes, lists and documents."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.support.command import kolm
from tests.support.hostile_text import steering

HOSTILE = "\x1b[2J\x9b2J\u202e"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Rows with paths, URLs, keys, members and text that would steer."""
    rows = [
        {"image": f"{HOSTILE}.png", "prompt": "q", "response": "a"},
        {"image": f"https://{HOSTILE}/x.png", "prompt": "q", "response": "a"},
        {"prompt": HOSTILE, "response": "a", HOSTILE: 1},
        {"prompt": "q"},
    ]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / f"{HOSTILE}.jsonl").write_text(json.dumps(rows[2]) + "\n")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo(f"{HOSTILE}.json"), io.BytesIO())
    return tmp_path


def test_it_is_spelt_out_everywhere(folder: Path) -> None:
    said = ""
    for arguments in (
        ("import", "x.jsonl", "--to", "ns"),
        ("import", "x.tar", "--to", "ns"),
        ("import", "x.jsonl", "--to", "ns", "--json"),
        ("import", f"{HOSTILE}.jsonl", "--to", "ns", "--tag", HOSTILE),
        ("ls", "ns"),
        ("ls", "ns", "--json"),
        ("show", "1"),
        ("stats", "ns"),
    ):
        done = kolm("capture", *arguments, cwd=folder, KOLM_HOME=str(folder / "home"))
        assert done.code in (0, 2), done.err
        said += done.out + done.err
    assert not steering(said, but="\n\t")
    assert r"\x1b[2J\x9b2J\u202e" in said
    assert r"\u001b[2J\u009b2J\u202e" in said
