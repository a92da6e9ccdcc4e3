"""Notes of where things are: one that something else wrote is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolm_cli.pipeline import known_inputs

SHA256, CID = "0" * 64, "b" + "a" * 58


@pytest.mark.parametrize(
    "note",
    [
        *(b"", b"[]", b"5", b"null", b'"x"', b"[" * 20_000, b"\xff"),
        *(b'{"folder": 5}', b'{"folder": null}', b'{"training": []}'),
        *(b'{"folder": "a\\u0000b"}', b'{"folder": "\\ud800"}'),
    ],
)
def test_what_somebody_else_wrote(home: Path, note: bytes) -> None:
    for name in (f"bases/{SHA256}", f"packs/{SHA256}", f"made/{CID}"):
        path = home / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(note)
    known_inputs.known_base(SHA256)
    assert known_inputs.known_pack(SHA256) == []
    assert known_inputs.known_curves(CID) == []


def test_a_pack_whose_rows_are_none(home: Path) -> None:
    (home / "packs").mkdir(parents=True)
    (home / "packs" / f"{SHA256}.json").write_text(f'{{"folder": "{home}"}}')
    for rows in ("5\n", "[]\n", '{"id": "a"}\n', '{"id": 1, "conversation": 5}\n', "[" * 20_000):
        (home / "eval.jsonl").write_text(rows)
        assert known_inputs.known_pack(SHA256) == []
